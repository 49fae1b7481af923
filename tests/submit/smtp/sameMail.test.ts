import { describe, expect, test } from "bun:test";
import { createTransport } from "nodemailer";
import { parseHeaderText } from "../../../src/mail/compose/headerText.ts";
import { createRawIntake } from "../../../src/mail/raw/intake.ts";
import { owner } from "../../../src/submit/caller.ts";
import { createMailDigest } from "../../../src/submit/smtp/sameMail.ts";

const id = parseHeaderText("Message-ID", "ours@example");
if (id.kind !== "ok") throw new Error("no id");
const messageId = id.value;
const envelope = { from: "a@example.com", to: ["b@example.net"] };

/** What the message is compared by, or undefined when it carries no key. */
function comparedBy(message: string, pieceBytes = 1e9, to: object = envelope): string | undefined {
  const digest = createMailDigest();
  const intake = createRawIntake({ received: null, date: 0, messageId });
  const bytes = Buffer.from(message);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const piece = bytes.subarray(at, at + pieceBytes);
    intake.write(piece);
    digest.add(piece, intake.header);
  }
  const taken = intake.end();
  if (taken.kind === "fault") throw new Error(taken.why);
  const known = digest.known(taken.header, to, owner);
  return known.kind === "ok" ? known.value?.request : known.problem.name;
}

const message = (change: Record<string, string> = {}, body = "Hello\r\n"): string => {
  const fields = { From: "a@example.com", Subject: "s", "Idempotency-Key": "k-1", ...change };
  return `${Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("")}\r\n${body}`;
};

test("a message without a key is not compared", () => {
  expect(comparedBy("From: a@example.com\r\n\r\nHello\r\n")).toBeUndefined();
});

test("the network's cuts change nothing", () => {
  const whole = comparedBy(message());
  expect(whole).toHaveLength(22);
  for (const size of [1, 2, 7, 40]) expect(comparedBy(message(), size)).toBe(whole);
  expect(comparedBy("From: a@b.example\r\nIdempotency-Key: k\r\n", 5)).toHaveLength(22);
});

test("Date and Message-ID are new each time and say nothing", () => {
  const first = comparedBy(
    message({ Date: "Mon, 23 Nov 2026 10:00:00 +0000", "Message-ID": "<a@b>" }),
  );
  expect(
    comparedBy(
      message({ Date: "Tue,\r\n 24 Nov 2026 10:00:00 +0000", "Message-ID": "\r\n <c@d>" }),
    ),
  ).toBe(first);
});

describe("another message is another one:", () => {
  const first = comparedBy(message());
  const others: readonly (readonly [string, string])[] = [
    ["its subject", message({ Subject: "t" })],
    ["its sender", message({ From: "c@example.com" })],
    ["its text", message({}, "Hullo\r\n")],
    ["a line that is gone", message({}, "")],
    ["where its header ends", message({ Subject: "s\r\n\r\nHello" }, "")],
    ["a date in its text", message({}, "Hello\r\nDate: x\r\n")],
  ];
  for (const [name, other] of others) test(name, () => expect(comparedBy(other)).not.toBe(first));
  test("its recipients", () =>
    expect(comparedBy(message(), 1e9, { ...envelope, to: ["c@example.net"] })).not.toBe(first));
  test("the signature's hyphens are text", () =>
    expect(comparedBy(message({}, "Hello\r\n-- \r\nAnn\r\n"))).not.toBe(
      comparedBy(message({}, "Hello\r\n-- \r\nBob\r\n")),
    ));
});

test("a line of text that looks like a boundary is text", () => {
  const of = (body: string): string | undefined => comparedBy(message({}, body));
  expect(of("Your code:\r\n--12345678\r\n")).not.toBe(of("Your code:\r\n--87654321\r\n"));
  expect(of("x?boundary=12345678\r\n")).not.toBe(of("x?boundary=87654321\r\n"));
  const parts = (boundary: string, text: string): string | undefined => {
    const inner = `--${boundary}\r\nContent-Type: text/plain\r\n\r\n${text}\r\n--${boundary}--\r\n`;
    const type = `multipart/mixed;\r\n boundary="${boundary}"`;
    return comparedBy(message({ "Content-Type": type }, inner));
  };
  expect(parts("a-12345678", "x")).toBe(parts("b-87654321", "x") as string);
  expect(parts("a-12345678", "--12345678")).not.toBe(parts("a-12345678", "--87654321"));
  expect(parts("a-12345678", "Date: 1")).not.toBe(parts("a-12345678", "Date: 2"));
});

test("what nodemailer composes anew from the same fields is the same message", async () => {
  const transport = createTransport({ streamTransport: true, buffer: true, newline: "windows" });
  const compose = async (text: string): Promise<string> => {
    const { message: made } = await transport.sendMail({
      from: "a@example.com",
      to: "b@example.net",
      subject: "Gr\u00fc\u00dfe",
      text,
      html: `<p>${text}</p>`,
      attachments: [{ filename: "a.bin", content: Buffer.from("abc") }],
      headers: { "Idempotency-Key": "order-17" },
    });
    return made.toString();
  };
  const [first, again, other] = [await compose("x"), await compose("x"), await compose("y")];
  expect(first).not.toBe(again);
  expect(comparedBy(again)).toBe(comparedBy(first) as string);
  expect(comparedBy(other)).not.toBe(comparedBy(first));
});
