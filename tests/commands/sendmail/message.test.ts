// A message from standard input: made whole where a program left something out, else as it came.
import { describe, expect, test } from "bun:test";
import { tmpdir } from "node:os";
import fc from "fast-check";
import { expandAliases, parseAliases } from "../../../src/commands/sendmail/aliases.ts";
import { createCollector } from "../../../src/commands/sendmail/collected.ts";
import { qualify } from "../../../src/commands/sendmail/header.ts";
import { readMessage } from "../../../src/commands/sendmail/message.ts";

const author = {
  address: "ada@host.example",
  name: "",
  domain: "host.example",
  now: Date.UTC(2026, 10, 23, 10),
  messageId: "made@host.example",
};
/** What each message without them gets. */
const DATED = "Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <made@host.example>\r\n";
let count = 0;

async function read(
  text: string | Uint8Array,
  { dotEnds = false, piece = 0, name = "", dated = false } = {},
): Promise<{ text: string; recipients: readonly string[]; unreadable: string | undefined }> {
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  async function* pieces(): AsyncGenerator<Uint8Array> {
    const step = piece === 0 ? Math.max(1, bytes.length) : piece;
    for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
  }
  const open = () => createCollector(tmpdir(), `test-${process.pid}-${count++}`);
  const result = await readMessage(pieces(), { author: { ...author, name }, dotEnds }, open);
  if (result.kind === "refused") throw new Error(result.why);
  const whole = Buffer.concat([...result.message.pieces()]).toString();
  result.message.close();
  return {
    text: dated ? whole : whole.replace(DATED, ""),
    recipients: result.recipients,
    unreadable: result.unreadable,
  };
}

describe("the header", () => {
  test("gets a From where there is none", async () => {
    expect((await read("Subject: x\n\nbody\n")).text).toBe(
      "Subject: x\r\nFrom: ada@host.example\r\n\r\nbody\n",
    );
    const named = await read("Subject: x\n\n", { name: 'Ada "A" L' });
    expect(named.text).toContain('From: "Ada \\"A\\" L" <ada@host.example>\r\n');
    expect((await read("\n", { name: "Zoë" })).text).toStartWith("From: =?UTF-8?B?");
  });

  test("gets a Date and a Message-ID where there is none", async () => {
    const from = "From: a@b.example\r\n";
    expect((await read(`${from}\r\n`, { dated: true })).text).toBe(`${from}${DATED}\r\n`);
    const own = `${from}DATE: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-Id: <own@b.example>\r\n\r\n`;
    expect((await read(own, { dated: true })).text).toBe(own);
  });

  test("of cron gets the host's name behind its names", async () => {
    const { text, recipients } = await read("From: root (Cron Daemon)\nTo: root\nSubject: x\n\n");
    expect(text).toStartWith(
      "From: root@host.example (Cron Daemon)\r\nTo: root@host.example\r\nSubject: x\r\n\r\n",
    );
    expect(recipients).toEqual(["root@host.example"]);
  });

  test("of PHP mixes line ends, and its folds stay folds", async () => {
    const head =
      "To: a@b.example\nSubject: long\r\n subject\r\nFrom: c@d.example\r\nBcc: e@f.example\n";
    const { text, recipients } = await read(`${head}\nbody\r\n`);
    expect(text).toBe(`${head.replace(/\r?\n/g, "\r\n")}\r\nbody\r\n`);
    expect(recipients).toEqual(["a@b.example", "e@f.example"]);
  });

  test("ends where a program forgot to end it", async () => {
    expect((await read("Subject: x\nno header\n")).text).toBe(
      "Subject: x\r\nFrom: ada@host.example\r\n\r\nno header\n",
    );
    expect((await read("just text\nof two lines")).text).toBe(
      "From: ada@host.example\r\n\r\njust text\nof two lines",
    );
    expect((await read("")).text).toBe("From: ada@host.example\r\n\r\n");
  });

  test("loses the line of a mailbox file and blanks before a colon, which others would not know", async () => {
    const { text } = await read("From ada Mon Nov 23\nFrom: a@b.example\nBcc : c@d.example\n\n");
    expect(text).toBe("From: a@b.example\r\nBcc: c@d.example\r\n\r\n");
  });

  test("keeps octets above 127 as they are", async () => {
    expect((await read("From: a@b.example\nSubject: Grüße\n\nü\n")).text).toBe(
      "From: a@b.example\r\nSubject: Grüße\r\n\r\nü\n",
    );
  });

  test("with a CR within a line has no field that begins there", async () => {
    const { text, recipients } = await read(
      "To: a@b.example\rBcc: c@d.example\nCc: e@f.example\r\r\nSubject: x\rTo: g@h.example\r\r\n\r\r\nbody\n",
    );
    expect(text).toBe(
      "To: a@b.example Bcc: c@d.example\r\nCc: e@f.example\r\nSubject: x To: g@h.example\r\n" +
        "From: ada@host.example\r\n\r\nbody\n",
    );
    expect(recipients).toEqual(["e@f.example"]);
    const many = await read(`X: a${"\r".repeat(200_000)}b\n\n`);
    expect(many.text.includes(`a${" ".repeat(200_000)}b\r\n`)).toBe(true);
    expect((await read("To: a@b.example: c@d.example\n\n")).unreadable).toStartWith("To: ");
    expect((await read('To: "a@b": c@d.example;\n\n')).recipients).toEqual(["c@d.example"]);
  });

  test("with lines that are too long is folded, and says what it said", async () => {
    const many = Array.from({ length: 120 }, (_, i) => `user${i}@long.example`);
    const words = "word ".repeat(400).trim();
    const text = `Bcc:${many.join(",")}, \nCc: "Doe,J" <j@b.example>,\n ${many.join(", ")}\nX: ${words}\n`;
    const made = await read(
      `${text}From: ${"x".repeat(1200)}@b.example\nY:${"y".repeat(2000)}\n\n`,
    );
    expect(made.recipients).toEqual([...many, "j@b.example"]);
    const lines = made.text.split("\r\n");
    const unfolded = made.text.replaceAll("\r\n ", " ");
    expect(unfolded).toContain(`X: ${words}\r\n`);
    expect(unfolded).toContain(`Cc: "Doe,J" <j@b.example>, ${many.join(", ")}\r\n`);
    expect(lines.filter((line) => line.trim() === "")).toHaveLength(2);
    // What has no blank cannot be folded, and is the daemon's to refuse.
    expect(lines.filter((line) => line.length > 998)).toHaveLength(2);
  });

  test("that was sent on names whom it goes to now: those of its first journey have it", async () => {
    const head =
      "Resent-From: me\nResent-To: you\nResent-Bcc: b@x.example\nTo: a@x.example\nCc: <broken\n";
    const { text, recipients, unreadable } = await read(`${head}\n`);
    expect(recipients).toEqual(["you@host.example", "b@x.example"]);
    expect(unreadable).toBeUndefined();
    expect(text).toStartWith("Resent-From: me@host.example\r\nResent-To: you@host.example\r\n");
  });

  test("says which field of recipients cannot be read", async () => {
    expect((await read("To: <a@b\n\n")).unreadable).toStartWith("To: ");
  });
});

describe("the body", () => {
  test("ends at a lone dot only when it is asked to", async () => {
    const text = "Subject: x\nFrom: a@b.example\n\none\n.\ntwo\n";
    expect((await read(text)).text).toEndWith("one\n.\ntwo\n");
    for (const piece of [0, 1, 2, 3, 7])
      expect((await read(text, { dotEnds: true, piece })).text).toEndWith("\r\n\r\none\n");
  });

  test("is the same in whatever pieces it comes", async () => {
    const line = fc.oneof(
      fc.constantFrom(".", "..", ". ", ".x", "", "text"),
      fc.string({ maxLength: 8 }).map((one) => one.replace(/[\r\n]/g, "")),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { maxLength: 8 }),
        fc.constantFrom("\n", "\r\n"),
        fc.integer({ min: 1, max: 9 }),
        async (lines, end, piece) => {
          const text = `From: a@b.example${end}${end}${lines.join(end)}`;
          const whole = await read(text, { dotEnds: true });
          expect((await read(text, { dotEnds: true, piece })).text).toBe(whole.text);
          const dot = lines.indexOf(".");
          const before = lines.slice(0, dot).map((one) => one + end);
          const kept = dot < 0 ? lines.join(end) : before.join("");
          expect(whole.text).toBe(`From: a@b.example\r\n\r\n${kept}`);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("has its long lines broken, at a blank and never within a character", async () => {
    const words = `${"word ".repeat(500)}end`;
    const { text } = await read(`From: a@b.example\n\n${words}\n${"é".repeat(1500)}\n`);
    const lines = text.split(/\r?\n/);
    for (const line of lines) {
      expect(Buffer.byteLength(line)).toBeLessThanOrEqual(998);
      expect(line).not.toContain("\ufffd");
    }
    expect(lines[2]).toEndWith("word ");
    expect(text.replaceAll(/\r\n/g, "")).toContain(words);
  });

  test("that is large lies in a file without a name, to the octet", async () => {
    const lines = Array.from({ length: 60_000 }, (_, i) => `line ${i} of many\n`).join("");
    const { text } = await read(`From: a@b.example\n\n${lines}`, { piece: 65_536 });
    expect(text).toBe(`From: a@b.example\r\n\r\n${lines}`);
  });
});

test("names get the host's name wherever they stand, and addresses are left alone", () => {
  const cases = [
    ["root", "root@h"],
    [" root , a@b", " root@h , a@b"],
    ["Root <root>", "Root <root@h>"],
    ['"A, B" <ab> (x, y)', '"A, B" <ab@h> (x, y)'],
    ["root (Cron, Daemon)", "root@h (Cron, Daemon)"],
    ["undisclosed-recipients:;", "undisclosed-recipients:;"],
    ["<>", "<>"],
    ['"quoted local"@b', '"quoted local"@b'],
  ] as const;
  for (const [value, expected] of cases) expect(qualify(value, "h")).toBe(expected);
});

test("aliases say whose mail root is, through other aliases and around circles", () => {
  const aliases = parseAliases(
    [
      "# comment",
      "root: admin, ops@b.example",
      "admin: me@a.example,",
      "  you@a.example",
      "loop: pool",
      "pool: loop",
      "list: |/usr/bin/prog, /var/mail/x, :include:/etc/list",
      "Upper: x@y.example",
    ].join("\n"),
  );
  const expand = (one: string) => expandAliases([one], { domain: "h.example", aliases });
  expect(expand("root@h.example")).toEqual(["me@a.example", "you@a.example", "ops@b.example"]);
  expect(expand("root@other.example")).toEqual(["root@other.example"]);
  expect(expand("upper@H.EXAMPLE")).toEqual(["x@y.example"]);
  expect(expand("list@h.example")).toEqual(["list@h.example"]);
  expect(expand("loop@h.example")[0]).toMatch(/^(loop|pool)@h.example$/);
});

test("what has no end is not read for ever, and leaves nothing behind", async () => {
  let given = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (; ; given++) yield Buffer.from("x\n".repeat(50_000));
  }
  const open = () => createCollector(tmpdir(), `test-${process.pid}-${count++}`);
  const read = await readMessage(endless(), { author, dotEnds: false, bytesMax: 3e6 }, open);
  expect(read).toEqual({ kind: "refused", why: "it has more than 3000000 octets" });
  expect(given).toBe(30);
});
