import { createHash } from "node:crypto";
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Address } from "../../src/mail/address.ts";
import { composeMessage } from "../../src/mail/compose/compose.ts";
import { createRawIntake } from "../../src/mail/raw/intake.ts";
import type { RawOptions } from "../../src/mail/raw/intake.ts";
import { createLineMeasure, createLineNormaliser } from "../../src/mail/raw/lines.ts";
import { draft, headerText, latin1, takeRaw } from "./build.ts";

const options: RawOptions = {
  received: headerText("from [127.0.0.1] by mail.example with HTTP"),
  date: Date.UTC(1997, 10, 21, 15, 55, 6),
  messageId: headerText("made@mail.example"),
};

function taken(message: string) {
  const result = takeRaw(Buffer.from(message, "latin1"), options);
  if (result.kind === "fault") throw new Error(result.why);
  return { ...result, text: latin1(result.bytes) };
}

test("Bcc and our own fields go, a trace line and what is missing come, the rest stays to the octet", () => {
  const result = taken(
    [
      "Return-Path: <old@example.com>",
      "X-Strange:  two  spaces\t",
      "From: =?UTF-8?Q?J=C3=B6rg?= <a@b.example>",
      "To: x@Y.example, Z <z@w.example>",
      "BCC: secret@t.example,",
      " x@y.example",
      "X-Postrider-Priority: p0",
      "Idempotency-Key: k-1",
      "Subject: folded",
      "\tover lines",
      "",
      "body",
      "",
    ].join("\r\n"),
  );
  expect(result.text).toBe(
    [
      "Received: from [127.0.0.1] by mail.example with HTTP",
      "X-Strange:  two  spaces\t",
      "From: =?UTF-8?Q?J=C3=B6rg?= <a@b.example>",
      "To: x@Y.example, Z <z@w.example>",
      "Subject: folded",
      "\tover lines",
      "Date: Fri, 21 Nov 1997 15:55:06 +0000",
      "Message-ID: <made@mail.example>",
      "",
      "body",
      "",
    ].join("\r\n"),
  );
  expect(result.header).toMatchObject({
    messageId: "made@mail.example",
    from: [{ name: "Jörg", address: "a@b.example" }],
    to: ["x@y.example", "Z <z@w.example>"],
    bcc: ["secret@t.example", "x@y.example"],
    subject: "folded\tover lines",
    idempotencyKey: "k-1",
    options: [{ name: "priority", value: "p0" }],
    utf8: false,
  });
  expect(result.header.recipients as unknown).toEqual({
    kind: "ok",
    value: ["x@y.example", "z@w.example", "secret@t.example"],
  });
  expect(result.sizeBytes).toBe(result.bytes.length);
  expect(result.sha256).toBe(createHash("sha256").update(result.bytes).digest("base64url"));
});

test("a message that comes octet by octet is the same message", () => {
  const source = Buffer.from("From: a@b\rTo: c@d\n\r\n\rone\r\r\ntwo\n\nthree\r");
  const whole = taken(latin1(source));
  const intake = createRawIntake(options);
  const pieces: Uint8Array[] = [];
  for (const byte of source) {
    const step = intake.write(Uint8Array.of(byte));
    if (step.kind === "fault") throw new Error(step.why);
    pieces.push(...step.bytes);
  }
  const last = intake.end();
  if (last.kind === "fault") throw new Error(last.why);
  expect(latin1(Buffer.concat([...pieces, ...last.bytes]))).toBe(whole.text);
  expect(whole.text.endsWith("\r\n\r\n\r\none\r\n\r\ntwo\r\n\r\nthree\r\n")).toBe(true);
  expect(last.sha256).toBe(whole.sha256);
});

const faultOf = (message: string): string => {
  const result = takeRaw(Buffer.from(message, "latin1"), options);
  return result.kind === "fault" ? result.code : "taken";
};

test.each([
  ["", "missing_from"],
  ["\r\nbody", "missing_from"],
  ["Subject: x\r\n\r\n", "missing_from"],
  ["From: \r\n\r\n", "missing_from"],
  ["From: undisclosed:;\r\n\r\n", "missing_from"],
  ["From: a@b\r\nFrom: c@d\r\n\r\n", "duplicate_from"],
  ["From: a@b@c\r\n\r\n", "bad_from"],
  ["From: a@b\r\nno colon here\r\n\r\n", "bad_header_line"],
  ["From: a@b\r\nBcc : c@d\r\n\r\n", "bad_header_line"],
  ["From: a@b\r\nB\x01cc: c@d\r\n\r\n", "bad_header_line"],
  ["From: a@b\r\nB\0cc: c@d\r\n\r\n", "nul_octet"],
  ["From: a@b\r\n\r\nbody\0", "nul_octet"],
  [": x\r\nFrom: a@b\r\n\r\n", "bad_header_line"],
  [" folded: first\r\nFrom: a@b\r\n\r\n", "bad_header_line"],
  ["From sender Mon Jan 1\r\nFrom: a@b\r\n\r\n", "bad_header_line"],
  [`From: a@b\r\n${"Received: x\r\n".repeat(100)}\r\n`, "taken"],
  [`From: a@b\r\n${"Received: x\r\n".repeat(101)}\r\n`, "mail_loop"],
  [`From: a@b\r\n${"X: y\r\n".repeat(999)}\r\n`, "taken"],
  [`From: a@b\r\n${"X: y\r\n".repeat(1000)}\r\n`, "too_many_fields"],
  [`From: a@b\r\n${`X: ${"y".repeat(900)}\r\n`.repeat(300)}\r\n`, "header_too_large"],
  [`From: a@b\r\n\r\n${"x".repeat(998)}\r\n`, "taken"],
  [`From: a@b\r\n\r\n${"x".repeat(999)}\r\n`, "line_too_long"],
  [`From: a@b\r\n\r\n${"x".repeat(999)}`, "line_too_long"],
  [`From: a@b\r\nX: ${"x".repeat(999)}\r\n\r\n`, "line_too_long"],
])("raw mail %#: the header or the lines decide", (message, code) => {
  expect(faultOf(message)).toBe(code);
});

test("a header without end is refused before it fills the memory", () => {
  const intake = createRawIntake(options);
  const line = Buffer.from(`X: ${"y".repeat(900)}\r\n`);
  for (let i = 0; i < 10_000; i++) {
    const step = intake.write(line);
    if (step.kind === "bytes") continue;
    expect(step.code).toBe("header_too_large");
    expect(i * line.length).toBeLessThan(300_000);
    expect(intake.write(line)).toEqual(step);
    expect(intake.end()).toEqual(step);
    return;
  }
  throw new Error("never refused");
});

test("a message that ends within its header has no body", () => {
  expect(taken("From: a@b\nSubject: x").text).toEndWith(
    "Subject: x\r\nDate: Fri, 21 Nov 1997 15:55:06 +0000\r\nMessage-ID: <made@mail.example>\r\n\r\n",
  );
});

test("a Date and a Message-ID that are there stay", () => {
  const result = taken("From: a@b\nDate: then\nMessage-Id: <own@b>\n\nx\n");
  expect(result.text).toBe(
    "Received: from [127.0.0.1] by mail.example with HTTP\r\nFrom: a@b\r\nDate: then\r\nMessage-Id: <own@b>\r\n\r\nx\r\n",
  );
  expect(result.header.messageId).toBe("own@b");
});

test("recipients that cannot be read are no fault of the message itself", () => {
  const { header } = taken("From: a@b\nTo: nonsense\n\nx\n");
  expect(header.recipients.kind).toBe("refused");
  expect(header.to).toEqual(["nonsense"]);
  expect(taken("From: a@b\nTo: undisclosed-recipients:;\n\n").header.recipients.kind).toBe(
    "refused",
  );
});

/** The addresses that a header names, as RFC 5322 writes it. */
test("a message without From is of the author whom its door knows, and of nobody else", () => {
  const said = "Subject: x\r\n\r\nbody\r\n";
  const author = '"a b"@c.example';
  const result = takeRaw(Buffer.from(said), { ...options, author });
  if (result.kind === "fault") throw new Error(result.why);
  expect(latin1(result.bytes)).toContain(`\r\nFrom: ${author}\r\n`);
  expect(result.header.from).toEqual([{ name: "", address: author as Address }]);
  expect(takeRaw(Buffer.from(said), options)).toMatchObject({ code: "missing_from" });
  const named = takeRaw(Buffer.from(`From: c@d.example\r\n${said}`), { ...options, author });
  expect(named).toMatchObject({ header: { from: [{ address: "c@d.example" }] } });
});

test("whom a message that is sent on goes to, its Resent- fields say alone", () => {
  const first = "To: a@x.example\nCc: b@x.example\nBcc: c@x.example";
  const onward = "Resent-To: r@y.example\nResent-Cc: s@y.example\nResent-Bcc: t@y.example";
  expect(recipientsOf(`Resent-From: me@y.example\n${onward}\n${first}`)).toEqual([
    "r@y.example",
    "s@y.example",
    "t@y.example",
  ]);
  expect(recipientsOf(`Resent-Sender: me@y.example\n${first}`)).toHaveLength(3);
});

function recipientsOf(fields: string): unknown {
  const { recipients } = taken(`From: a@b\n${fields}\n\nx\n`).header;
  return recipients.kind === "ok" ? recipients.value : recipients.why;
}

test("addresses are read as in the examples of RFC 5322 A", () => {
  expect(
    recipientsOf(
      'To: Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>\nCc: <boss@nil.test>, "Giant; \\"Big\\" Box" <sysservices@example.net>',
    ),
  ).toEqual([
    "mary@x.test",
    "jdoe@example.org",
    "one@y.test",
    "boss@nil.test",
    "sysservices@example.net",
  ]);
  expect(
    recipientsOf(
      "To: A Group:Ed Jones <joe@where.test>,joe@where.test,John <jdoe@one.test>;\nCc: Undisclosed recipients:;",
    ),
  ).toEqual(["joe@where.test", "jdoe@one.test"]);
  // A.5: white space, comments, folds.
  expect(
    recipientsOf(
      "To:A Group(Some people)\n     :Chris Jones <c@(Chris's host.)public.example>,\n         joe@example.org,\n  John <jdoe@one.test> (my dear friend); (the end of the group)\nCc:(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;",
    ),
  ).toEqual(["c@public.example", "joe@example.org", "jdoe@one.test"]);
  // A.6.1: the obsolete forms.
  expect(
    recipientsOf("To: Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example"),
  ).toEqual(["mary@example.net", "jdoe@test.example"]);
  expect(
    taken("From: Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>\n\n").header.from,
  ).toEqual([{ name: "Pete", address: "pete@silly.test" as never }]);
});

/** The bytes as they may come, cut at these places. */
function piecesOf(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = cuts.map((cut) => Math.min(cut, bytes.length));
  const borders = [...new Set([0, ...places, bytes.length])].sort((a, b) => a - b);
  return borders.map((border, i) => bytes.subarray(borders[i - 1] ?? 0, border));
}

test("line ends become CRLF whatever they were and wherever a chunk ends", () => {
  const source = fc
    .array(fc.constantFrom("\r", "\n", "\r\n", "a", "bc", "é"), { maxLength: 60 })
    .map((all) => Buffer.from(all.join("")));
  fc.assert(
    fc.property(source, fc.array(fc.nat(60), { maxLength: 8 }), (bytes, cuts) => {
      const lines = createLineNormaliser();
      const out = piecesOf(bytes, cuts).map((piece) => lines.push(piece));
      out.push(lines.end());
      const text = Buffer.from(bytes)
        .toString("latin1")
        .replace(/\r\n|\r|\n/g, "\r\n");
      const expected = text === "" || text.endsWith("\r\n") ? text : `${text}\r\n`;
      expect(latin1(Buffer.concat(out))).toBe(expected);
      expect(lines.eightBit).toBe(bytes.some((byte) => byte > 127));
      expect(lines.longestLine).toBe(
        Math.max(...expected.split("\r\n").map((line) => line.length)),
      );
    }),
    { numRuns: 500 },
  );
});

test("lines that end with CRLF only are measured up to what matters, wherever a chunk ends", () => {
  const enough = 6;
  const line = fc.string({ unit: fc.constantFrom("a", "é", "bc"), maxLength: 9 });
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), fc.array(fc.nat(90)), (all, cuts) => {
      const bytes = Buffer.from(all.map((one) => `${one}\r\n`).join(""), "latin1");
      const lines = createLineMeasure(enough);
      const out = piecesOf(bytes, cuts).map((piece) => lines.push(piece));
      expect(latin1(Buffer.concat([...out, lines.end()]))).toBe(latin1(bytes));
      expect(lines.eightBit).toBe(bytes.some((byte) => byte > 127));
      const longest = Math.max(0, ...all.map((one) => one.length));
      if (longest > enough) expect(lines.longestLine).toBe(longest);
      else expect(lines.longestLine).toBeLessThanOrEqual(enough);
    }),
    { numRuns: 500 },
  );
});

test("chunks whose line ends are right are passed on without a copy", () => {
  const lines = createLineNormaliser();
  const chunk = Buffer.from("a\r\nb\r\n");
  expect(lines.push(chunk)).toBe(chunk);
});

test("our own composed messages pass through unchanged but for the trace line", () => {
  const own = composeMessage(
    draft({ text: "Grüße\n.\n", html: "<b>x</b>", subject: headerText("你好") }),
  );
  const result = taken(latin1(own.bytes));
  expect(result.text).toBe(
    `Received: from [127.0.0.1] by mail.example with HTTP\r\n${latin1(own.bytes)}`,
  );
  expect(result.header.subject).toBe("你好");
});

test("octets above 127 are reported: in the body they need 8BITMIME, in the header SMTPUTF8", () => {
  const flags = (message: string): boolean[] => {
    const result = taken(message);
    return [result.eightBit, result.header.utf8];
  };
  expect(flags("From: a@b\n\nplain\n")).toEqual([false, false]);
  expect(flags("From: a@b\n\nGr\xfc\xdfe\n")).toEqual([true, false]);
  expect(flags("From: J\xc3\xb6rg <a@b>\n\nplain\n")).toEqual([true, true]);
  expect(taken("From: J\xc3\xb6rg <a@b>\n\nplain\n").header.from[0].name).toBe("Jörg");
});

test("no octets make the intake throw, and what it takes has clean lines and no Bcc", () => {
  const units = [
    "From: a@b\n",
    "To: ",
    "Bcc: x@y\n",
    "bcc:z@w\r\n ",
    "Received: q\n",
    "\r",
    "\n",
    " ",
    ":",
    "=?utf-8?b?",
    "?=",
    "(",
    '"',
    "<",
    "é",
    "\0",
    "X",
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...units), { maxLength: 30 }), (parts) => {
      const result = takeRaw(Buffer.from(`From: a@b\n${parts.join("")}`), options);
      if (result.kind === "fault") return;
      const text = latin1(result.bytes);
      expect(text).not.toMatch(/\r(?!\n)|(?<!\r)\n/);
      expect(text.slice(0, text.indexOf("\r\n\r\n"))).not.toMatch(/^bcc/im);
      expect(text).toEndWith("\r\n");
    }),
    { numRuns: 500 },
  );
});

test("the idempotency key may have Resend's name, and goes no further by either", () => {
  const result = taken(
    "From: a@b.example\r\nTo: c@d.example\r\nResend-Idempotency-Key: k-2\r\n\r\nx\r\n",
  );
  expect(result.header.idempotencyKey).toBe("k-2");
  expect(result.text.toLowerCase()).not.toContain("idempotency");
});
