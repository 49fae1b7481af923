// What others read: messages are parsed back by mailparser, and compared with what nodemailer's composer makes of the same draft.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { simpleParser } from "mailparser";
import type { AddressObject, ParsedMail } from "mailparser";
import MailComposer from "nodemailer/lib/mail-composer";
import { composeMessage, composeStream } from "../../src/mail/compose/compose.ts";
import type { Draft } from "../../src/mail/compose/compose.ts";
import type { Attachment } from "../../src/mail/compose/part.ts";
import { decodeWords } from "../../src/mail/raw/decodeWords.ts";
import { draft, headerName, headerText, latin1, mailbox, must, named, takeRaw } from "./build.ts";
import { parseContentId, parseMediaType } from "../../src/mail/compose/contentType.ts";

const read = (bytes: Uint8Array): Promise<ParsedMail> =>
  simpleParser(Buffer.from(bytes), {
    skipTextToHtml: true,
    skipHtmlToText: true,
    skipImageLinks: true,
  });

const oneAddress = (found: AddressObject | AddressObject[] | undefined): AddressObject["value"] =>
  [found ?? []].flat().flatMap((object) => object.value);

/** What every composed message must be, whoever wrote what into it. */
function expectCleanLines(bytes: Uint8Array): void {
  const text = latin1(bytes);
  expect(/[^\x00-\x7f]/.test(text)).toBe(false);
  expect(/\r(?!\n)|(?<!\r)\n/.test(text)).toBe(false);
  const lines = text.split("\r\n");
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(998);
  for (const line of lines.slice(0, lines.indexOf(""))) {
    expect(line.trim()).not.toBe("");
    // Beyond 78 only what has no space to break at.
    if (line.length > 78) expect(line.trim().replace(/^[^ ]+: /, "")).not.toContain(" ");
  }
}

const scripts = [
  "Grüße aus Köln",
  "你好，世界 李雷和韩梅梅",
  "مرحبا بالعالم",
  "👩‍👩‍👧‍👦🏳️‍🌈 e\u0301",
  "Plain words here",
];
const visible = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 120 }),
  fc.string({ unit: "binary", maxLength: 60 }),
  fc
    .array(fc.constantFrom(...scripts), { minLength: 1, maxLength: 12 })
    .map((all) => all.join(" ")),
);
/** Header text as people write it: no controls, single inner spaces (readers may fold others away). */
const words = visible.map((text) =>
  text
    .replace(/[\p{Cc}\p{Cs}]/gu, "")
    .replace(/\s+/gu, " ")
    .trim(),
);
const body = fc.oneof(
  fc.array(visible, { maxLength: 20 }).map((all) => all.join("\n")),
  fc.nat(2000).map((length) => "x".repeat(length)),
  fc
    .array(fc.constantFrom("From me\n", ".\n", "a=b ", "\t\n", "…\n", " \n", "\r\n", "é"), {
      maxLength: 40,
    })
    .map((all) => all.join("")),
);

/** Line ends as mail has them, and the last one, which the message itself needs. */
const normal = (text: string): string => text.replace(/\r\n?/g, "\n").replace(/\n+$/, "");

test("subjects, names and bodies in any script are read back identical", async () => {
  await fc.assert(
    fc.asyncProperty(words, words, body, body, async (subject, name, text, html) => {
      const { bytes } = composeMessage(
        draft({
          subject: headerText(subject),
          from: named(name, "a@b.example"),
          to: [named(name, "c@d.example"), mailbox("e@f.example"), named(subject, "g@h.example")],
          text,
          html,
        }),
      );
      expectCleanLines(bytes);
      const mail = await read(bytes);
      expect(mail.subject ?? "").toBe(subject);
      expect(oneAddress(mail.from)).toEqual([{ address: "a@b.example", name }]);
      expect(oneAddress(mail.to)).toEqual([
        { address: "c@d.example", name },
        { address: "e@f.example", name: "" },
        { address: "g@h.example", name: subject },
      ]);
      expect(normal(mail.text ?? "")).toBe(normal(text));
      expect(normal(mail.html || "")).toBe(normal(html));
    }),
    { numRuns: 150 },
  );
});

const attachment = (
  filename: string,
  content: Uint8Array,
  changes: Partial<Attachment> = {},
): Attachment => ({
  filename: headerText(filename),
  contentType: null,
  contentId: null,
  content,
  ...changes,
});

test("attachments keep their octets and their names", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(words, fc.uint8Array({ maxLength: 500 })), { minLength: 1, maxLength: 4 }),
      async (files) => {
        const made = files.map(([name, content]) => attachment(`f${name}.bin`, content));
        const { bytes } = composeMessage(draft({ attachments: made }));
        expectCleanLines(bytes);
        const mail = await read(bytes);
        expect(mail.attachments.map((one) => one.filename)).toEqual(
          made.map((one) => one.filename as string),
        );
        expect(mail.attachments.map((one) => new Uint8Array(one.content))).toEqual(
          files.map(([, content]) => content),
        );
      },
    ),
    { numRuns: 100 },
  );
});

/** The same draft as nodemailer takes it. */
async function byNodemailer(from: Draft): Promise<Buffer> {
  const plain = ({ name, address }: Draft["from"]) => ({ name, address });
  const composer = new MailComposer({
    from: plain(from.from),
    to: from.to.map(plain),
    cc: from.cc.map(plain),
    replyTo: from.replyTo.map(plain),
    subject: from.subject,
    ...(from.text === null ? {} : { text: from.text }),
    ...(from.html === null ? {} : { html: from.html }),
    date: new Date(from.date),
    messageId: `<${from.messageId}>`,
    headers: from.headers.map(({ name, value }) => ({ key: name, value })),
    attachments: from.attachments.map((one) => ({
      filename: one.filename as string,
      content: Buffer.from(one.content as Uint8Array),
      contentType: one.contentType?.essence ?? "application/octet-stream",
      ...(one.contentId === null ? {} : { cid: one.contentId }),
    })),
  });
  return composer.compile().build();
}

/** What a reader makes of a message, without what may differ between two writers. */
function seen(mail: ParsedMail): unknown {
  return {
    subject: mail.subject,
    date: mail.date,
    messageId: mail.messageId,
    from: oneAddress(mail.from),
    to: oneAddress(mail.to),
    cc: oneAddress(mail.cc),
    replyTo: oneAddress(mail.replyTo),
    text: normal(mail.text ?? ""),
    html: normal(mail.html || ""),
    extra: decodeWords(String(mail.headers.get("x-extra"))),
    attachments: mail.attachments.map((one) => ({
      filename: one.filename,
      type: one.contentType,
      cid: one.cid,
      related: one.related,
      content: one.content.toString("base64"),
    })),
  };
}

test("a reader sees the same as in what nodemailer composes", async () => {
  const maybe = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(one, { nil: null });
  const file = fc.record({
    name: words,
    content: fc.uint8Array({ maxLength: 200 }),
    type: maybe(fc.constantFrom("image/png", "application/pdf", "text/csv")),
    inline: fc.boolean(),
  });
  const filled = words.filter((text) => text !== "");
  await fc.assert(
    fc.asyncProperty(
      filled,
      words,
      body,
      maybe(body),
      fc.array(file, { maxLength: 3 }),
      async (subject, name, text, html, files) => {
        const made = draft({
          subject: headerText(subject),
          from: named(name, "a@b.example"),
          to: [named(subject, "c@münchen.example"), named(name, '"odd local"@d.example')],
          cc: [mailbox("cc@e.example")],
          replyTo: [named(name, "r@f.example")],
          headers: [{ name: headerName("X-Extra"), value: headerText(subject) }],
          text,
          // An empty part is left out by nodemailer.
          html: html === "" ? null : html,
          attachments: files.map((one, i) =>
            attachment(`f${one.name}.bin`, one.content, {
              contentType: one.type === null ? null : must(parseMediaType("type", one.type)),
              contentId:
                one.inline && html !== null && html !== ""
                  ? must(parseContentId("id", `part${i}@x`))
                  : null,
            }),
          ),
        });
        const ours = seen(await read(composeMessage(made).bytes));
        expect(ours).toEqual(seen(await read(await byNodemailer(made))));
      },
    ),
    { numRuns: 60 },
  );
});

const long = "x".repeat(990);

test.each([
  ["Chinese", "你好，世界。\n李雷和韩梅梅在学校。\n"],
  ["Arabic", "مرحبا بالعالم\nكيف حالك؟\n"],
  ["emoji", "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽\n"],
  ["lines of 990 characters", `${long}\n${long}\n`],
  ["lines of 1200 characters", `${"y".repeat(1200)}\n`],
  ["a line of 998 and one of 999", `${"z".repeat(998)}\n${"z".repeat(999)}\n`],
  ["NUL and control characters", "a\0b\x01\x7f\n"],
  ["dots and From at line starts", ".\n..\nFrom here\n.x\n"],
  ["spaces at line ends", "a \nb\t\n  \n"],
])("%s in a body arrives unchanged", async (_, text) => {
  const { bytes } = composeMessage(draft({ text, html: `<pre>${text}</pre>` }));
  expectCleanLines(bytes);
  const mail = await read(bytes);
  expect(mail.text).toBe(text);
  expect(mail.html).toBe(`<pre>${text}</pre>`);
});

test("a stream of sources is octet for octet the message composed at once", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }),
      async (chunks) => {
        const whole = attachment("data.bin", Buffer.concat(chunks));
        const once = composeMessage(draft({ html: "<b>ü</b>", attachments: [whole, whole] })).bytes;
        async function* later(): AsyncGenerator<Uint8Array> {
          yield* chunks;
        }
        const parts = [
          { ...whole, content: later() },
          { ...whole, content: chunks },
        ];
        const pieces: Uint8Array[] = [];
        for await (const piece of composeStream(draft({ html: "<b>ü</b>", attachments: parts })))
          pieces.push(piece);
        expect(latin1(Buffer.concat(pieces))).toBe(latin1(once));
      },
    ),
    { numRuns: 60 },
  );
});

test("a large attachment is streamed in small pieces", async () => {
  let asked = 0;
  function* source(): Generator<Uint8Array> {
    for (asked = 1; asked <= 64; asked++) yield new Uint8Array(65_536).fill(asked);
  }
  let sizeMax = 0;
  let total = 0;
  for await (const piece of composeStream(
    draft({ attachments: [attachment("a", source() as never)] }),
  )) {
    sizeMax = Math.max(sizeMax, piece.length);
    total += piece.length;
  }
  expect(asked).toBe(65);
  expect(sizeMax).toBeLessThan(100_000);
  expect(total).toBeGreaterThan((64 * 65_536 * 4) / 3);
});

test("what nodemailer composed passes through the intake and reads the same, without its Bcc", async () => {
  await fc.assert(
    fc.asyncProperty(
      words,
      body,
      body,
      fc.uint8Array({ maxLength: 300 }),
      async (name, text, html, content) => {
        const composer = new MailComposer({
          from: { name, address: "a@b.example" },
          to: [{ name, address: "c@münchen.example" }],
          bcc: "hidden@d.example",
          subject: name,
          text,
          html,
          date: new Date(0),
          messageId: "<own@b.example>",
          attachments: [{ filename: `f${name}.bin`, content: Buffer.from(content) }],
        }).compile();
        composer.keepBcc = true;
        const source = await composer.build();
        const bare = Buffer.from(source.toString("latin1").replaceAll("\r\n", "\n"), "latin1");
        const options = { received: null, date: 0, messageId: headerText("other@b") };
        const taken = takeRaw(bare, options);
        if (taken.kind === "fault") throw new Error(taken.why);
        expect(latin1(taken.bytes)).not.toContain("hidden@d.example");
        expect(seen(await read(taken.bytes))).toEqual(seen(await read(source)));
        expect(taken.header.subject).toBe(name);
        expect(taken.header.from).toEqual([{ name, address: mailbox("a@b.example").address }]);
        expect(taken.header.bcc).toEqual(["hidden@d.example"]);
      },
    ),
    { numRuns: 60 },
  );
});
