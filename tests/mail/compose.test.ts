import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseMailbox } from "../../src/mail/address.ts";
import { composeMessage } from "../../src/mail/compose/compose.ts";
import type { Draft } from "../../src/mail/compose/compose.ts";
import { parseContentId, parseMediaType } from "../../src/mail/compose/contentType.ts";
import { parseHeaderText } from "../../src/mail/compose/headerText.ts";
import type { Parsed } from "../../src/mail/compose/headerText.ts";
import type { Attachment } from "../../src/mail/compose/part.ts";
import { draft, headerName, headerText, latin1, mailbox, must, named } from "./build.ts";

test("a plain text message is written as RFC 5322 A.1.1 shows it", () => {
  expect(latin1(composeMessage(draft()).bytes)).toBe(
    [
      "Date: Fri, 21 Nov 1997 15:55:06 +0000",
      "From: John Doe <jdoe@machine.example>",
      "To: mary@example.net",
      "Subject: Saying Hello",
      "Message-ID: <1234@local.machine.example>",
      "MIME-Version: 1.0",
      "Content-Type: text/plain; charset=utf-8",
      "Content-Transfer-Encoding: 7bit",
      "",
      "This is a message just to say hello.",
      "",
    ].join("\r\n"),
  );
});

const file = (changes: Partial<Attachment> = {}): Attachment => ({
  filename: headerText("a.bin"),
  contentType: null,
  contentId: null,
  content: Uint8Array.of(1, 2, 3),
  ...changes,
});
const logo = file({
  filename: headerText("logo.png"),
  contentId: must(parseContentId("id", "logo")),
});

/** The nesting of a message by its Content-Type fields, in order. */
const types = (changes: Partial<Draft>): string[] =>
  [
    ...latin1(composeMessage(draft(changes)).bytes).matchAll(/^Content-Type: ([a-z-]+\/[a-z-]+)/gm),
  ].map(([, type]) => type as string);

test.each<[string, Partial<Draft>, string[]]>([
  ["nothing", { text: null }, ["text/plain"]],
  ["text", {}, ["text/plain"]],
  ["html", { text: null, html: "x" }, ["text/html"]],
  ["text and html", { html: "x" }, ["multipart/alternative", "text/plain", "text/html"]],
  [
    "text and a file",
    { attachments: [file()] },
    ["multipart/mixed", "text/plain", "application/octet-stream"],
  ],
  [
    "a file alone",
    { text: null, attachments: [file()] },
    ["multipart/mixed", "text/plain", "application/octet-stream"],
  ],
  [
    "html with a picture",
    { text: null, html: "x", attachments: [logo] },
    ["multipart/related", "text/html", "image/png"],
  ],
  [
    "text with a picture that no html shows",
    { attachments: [logo] },
    ["multipart/mixed", "text/plain", "image/png"],
  ],
  [
    "all of it",
    { html: "x", attachments: [file(), logo] },
    [
      "multipart/mixed",
      "multipart/alternative",
      "text/plain",
      "multipart/related",
      "text/html",
      "image/png",
      "application/octet-stream",
    ],
  ],
])("the parts of %s nest as readers expect", (_, changes, expected) => {
  expect(types(changes)).toEqual(expected);
});

const writtenOut = [
  "Received: by mail.example with HTTP id 1; Fri, 21 Nov 1997 15:55:06 +0000",
  "Date: Fri, 21 Nov 1997 15:55:06 +0000",
  "From: John Doe <jdoe@machine.example>",
  "To: mary@example.net",
  "Cc: =?UTF-8?B?5p2O6Zu3?= <lilei@example.cn>",
  "Reply-To: reply@example.net",
  "Subject: =?UTF-8?B?R3LDvMOfZQ==?=",
  "Message-ID: <1234@local.machine.example>",
  "X-Mailer: none",
  "MIME-Version: 1.0",
  'Content-Type: multipart/mixed; boundary="=_0123456789abcdefm"',
  "",
  "--=_0123456789abcdefm",
  'Content-Type: multipart/alternative; boundary="=_0123456789abcdefa"',
  "",
  "--=_0123456789abcdefa",
  "Content-Type: text/plain; charset=utf-8",
  "Content-Transfer-Encoding: 7bit",
  "",
  "This is a message just to say hello.",
  "",
  "--=_0123456789abcdefa",
  'Content-Type: multipart/related; boundary="=_0123456789abcdefr"',
  "",
  "--=_0123456789abcdefr",
  "Content-Type: text/html; charset=utf-8",
  "Content-Transfer-Encoding: quoted-printable",
  "",
  "<p>=C3=A9 =3D e</p> and some words that are plain",
  "--=_0123456789abcdefr",
  "Content-Type: image/png; name=logo.png",
  "Content-Transfer-Encoding: base64",
  "Content-Disposition: inline; filename=logo.png",
  "Content-ID: <logo>",
  "",
  "A".repeat(76),
  "AAAA",
  "",
  "--=_0123456789abcdefr--",
  "",
  "--=_0123456789abcdefa--",
  "",
  "--=_0123456789abcdefm",
  'Content-Type: application/pdf; x="a b";',
  ' name="=?UTF-8?Q?=C3=9Cbersicht=2Epdf?="',
  "Content-Transfer-Encoding: base64",
  "Content-Disposition: attachment; filename*=utf-8''%C3%9Cbersicht.pdf",
  "",
  "AQID",
  "",
  "--=_0123456789abcdefm--",
  "",
];

test("all of it, written out", () => {
  const received = headerText("by mail.example with HTTP id 1; Fri, 21 Nov 1997 15:55:06 +0000");
  const { bytes } = composeMessage(
    draft({
      received,
      cc: [named("李雷", "lilei@example.cn")],
      replyTo: [mailbox("reply@example.net")],
      subject: headerText("Grüße"),
      headers: [{ name: headerName("X-Mailer"), value: headerText("none") }],
      html: "<p>é = e</p> and some words that are plain",
      attachments: [
        { ...logo, content: new Uint8Array(60) },
        file({
          filename: headerText("Übersicht.pdf"),
          contentType: must(parseMediaType("t", 'application/pdf; x="a b"')),
        }),
      ],
    }),
  );
  expect(latin1(bytes).split("\r\n")).toEqual(writtenOut);
});

test("a boundary that the text holds is not used", () => {
  const text = "--=_0123456789abcdefa\r\n--=_0123456789abcdefa--\n--=_0123456789abcdefxa";
  const message = latin1(composeMessage(draft({ text, html: "x" })).bytes);
  expect(message).toContain('boundary="=_0123456789abcdefxxa"');
});

test("a boundary that is not plain letters and digits is a bug of the caller", () => {
  expect(() =>
    composeMessage(draft({ html: "x", boundary: "0123456789abcdef\r\nX: y" })),
  ).toThrow();
});

test("line ends of every kind become CRLF, and the message ends with one", () => {
  const bodyOf = (text: string): string =>
    latin1(composeMessage(draft({ text })).bytes)
      .split("\r\n\r\n")
      .slice(1)
      .join("\r\n\r\n");
  expect(bodyOf("a\rb\nc\r\nd\r\re\n\nf")).toBe("a\r\nb\r\nc\r\nd\r\n\r\ne\r\n\r\nf\r\n");
  expect(bodyOf("a\nb\n")).toBe("a\r\nb\r\n");
  expect(bodyOf("")).toBe("");
});

test("the encoding follows the content", () => {
  const encoding = (text: string): string | undefined =>
    /Transfer-Encoding: (.*)\r/.exec(latin1(composeMessage(draft({ text })).bytes))?.[1];
  expect(encoding("plain")).toBe("7bit");
  expect(encoding("x".repeat(998))).toBe("7bit");
  expect(encoding(`${"x".repeat(998)}\n${"x".repeat(998)}\n`)).toBe("7bit");
  expect(encoding("x".repeat(999))).toBe("quoted-printable");
  expect(encoding(`${"x".repeat(999)}\nshort`)).toBe("quoted-printable");
  expect(encoding("a NUL \0 in it")).toBe("quoted-printable");
  expect(encoding("Grüße aus der schönen Stadt München")).toBe("quoted-printable");
  expect(encoding("你好")).toBe("base64");
});

test("a mail as an attachment travels as a file, since message/rfc822 allows no base64", () => {
  const eml = file({
    filename: headerText("a.eml"),
    contentType: must(parseMediaType("t", "message/rfc822")),
  });
  expect(types({ attachments: [eml] }).at(-1)).toBe("application/octet-stream");
});

test("only a local part beyond ASCII brings UTF-8 into the header", () => {
  const plain = composeMessage(draft({ to: [named("Jörg", "joerg@münchen.example")] }));
  expect([plain.utf8, plain.eightBit]).toEqual([false, false]);
  const utf8 = composeMessage(draft({ to: [named("Jörg", "jörg@münchen.example")] }));
  expect([utf8.utf8, utf8.eightBit]).toEqual([true, true]);
  expect(Buffer.from(utf8.bytes).toString()).toContain("<jörg@xn--mnchen-3ya.example>");
});

test("hidden recipients leave an empty group, and Cc alone needs none", () => {
  expect(latin1(composeMessage(draft({ to: [] })).bytes)).toContain(
    "\r\nTo: undisclosed-recipients:;\r\n",
  );
  const cc = latin1(composeMessage(draft({ to: [], cc: [mailbox("a@b")] })).bytes);
  expect(cc).not.toContain("\r\nTo:");
});

test("a caller's own Date, Message-ID and Reply-To stand once", () => {
  const headers = [
    { name: headerName("date"), value: headerText("Sat, 01 Jan 2000 00:00:00 +0000") },
    { name: headerName("MESSAGE-ID"), value: headerText("<own@b>") },
    { name: headerName("Reply-To"), value: headerText("own@b") },
  ];
  const message = latin1(composeMessage(draft({ headers, replyTo: [mailbox("a@b")] })).bytes);
  expect(message.match(/^(date|message-id|reply-to):.*/gim)).toEqual([
    "date: Sat, 01 Jan 2000 00:00:00 +0000",
    "MESSAGE-ID: <own@b>",
    "Reply-To: own@b",
  ]);
});

test("nothing that is put into any field adds a header line or a part", () => {
  const evil = fc.string({
    unit: fc.constantFrom(
      "\r\n",
      "\n",
      "\r",
      "\0",
      " ",
      "\t",
      ":",
      "Bcc: x@y",
      "--=_0123456789abcdef",
      '"',
      "\\",
      ";",
      "=?",
      "?=",
      "<",
      ">",
      ",",
      "é",
      "\u2028",
      "a",
    ),
    maxLength: 30,
  });
  const kept = fc.array(evil, { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(kept, (texts) => {
      const [
        subject = "",
        name = "",
        address = "",
        header = "",
        filename = "",
        id = "",
        type = "",
        body = "",
      ] = texts;
      const or = <T>(parsed: Parsed<T>, fallback: T): T =>
        parsed.kind === "ok" ? parsed.value : fallback;
      const sender = or(parseMailbox(address), mailbox("a@b"));
      const from = { ...sender, name: or(parseHeaderText("name", name), headerText("")) };
      const made = draft({
        subject: or(parseHeaderText("subject", subject), headerText("s")),
        from: from.utf8 ? mailbox("a@b") : from,
        headers: [
          { name: headerName("X-Own"), value: or(parseHeaderText("x", header), headerText("h")) },
        ],
        text: body,
        attachments: [
          {
            filename: or(parseHeaderText("filename", filename), headerText("f")),
            contentType: or(parseMediaType("type", type), null as never),
            contentId: or(parseContentId("id", id), null as never),
            content: new Uint8Array(3),
          },
        ],
      });
      const message = latin1(composeMessage(made).bytes);
      const names = (block: string): string[] =>
        block
          .split("\r\n")
          .filter((line) => !/^[ \t]/.test(line))
          .map((line) => line.slice(0, line.indexOf(":")));
      const [top = ""] = message.split("\r\n\r\n");
      expect(names(top)).toEqual([
        "Date",
        "From",
        "To",
        "Subject",
        "Message-ID",
        "X-Own",
        "MIME-Version",
        "Content-Type",
      ]);
      const boundary = /boundary="([^"]+)"/.exec(top)?.[1] as string;
      const parts = message.split(`\r\n--${boundary}`);
      expect(parts.length).toBe(4);
      const [partHeader = ""] = (parts[2] as string).slice(2).split("\r\n\r\n");
      expect(names(partHeader).slice(0, 3)).toEqual([
        "Content-Type",
        "Content-Transfer-Encoding",
        "Content-Disposition",
      ]);
      expect(message).not.toMatch(/\r(?!\n)|(?<!\r)\n|[^\t\r\n -~]/);
    }),
    { numRuns: 300 },
  );
});
