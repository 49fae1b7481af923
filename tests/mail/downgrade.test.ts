// 8-bit mail made 7-bit: what a reader gets out of it stays the same, in the eyes of a parser that we did not write.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { simpleParser } from "mailparser";
import {
  createDowngrader,
  downgrade,
  downgraded,
  hasHighBits,
  NotSevenBit,
} from "../../src/mail/downgrade.ts";

const crlf = (text: string): Buffer => Buffer.from(text.replaceAll("\n", "\r\n"));
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

const plain = crlf(`Subject: hello
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

schön
.dot
From here
ends in a space 
`);

const mixed = crlf(`From: a@example.com
MIME-Version: 1.0
Content-Type: multipart/mixed;
 boundary="out er"
Content-Transfer-Encoding: 8bit

préamble
--out er
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Grüße
--inner
Content-Type: text/html; charset=iso-8859-1

<p>plain enough</p>

--inner--
--out er
Content-Type: application/octet-stream; name=x.bin
Content-Transfer-Encoding: binary
Content-Disposition: attachment; filename=x.bin

öctets
without a last line end
--out er
Content-Type: image/png; name=y.png
Content-Transfer-Encoding: base64
Content-Disposition: attachment; filename=y.png

aGVsbG8=
--out er
Content-Type: message/rfc822

Subject: within
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

innér
--out er--
épilogue
`);

describe("a message without octets above 127 is made of one with them", () => {
  for (const [name, message] of [
    ["text", plain],
    ["parts within parts", mixed],
  ] as const)
    test(name, async () => {
      const made = downgrade(message);
      expect(hasHighBits(message)).toBe(true);
      expect(hasHighBits(made)).toBe(false);
      for (const line of textOf(made).split("\r\n")) {
        expect(line.length).toBeLessThanOrEqual(998);
        expect(line).not.toContain("\n");
      }
      const [before, after] = await Promise.all([
        simpleParser(message),
        simpleParser(Buffer.from(made)),
      ]);
      expect(after.text).toBe(before.text);
      expect(after.html).toBe(before.html);
      expect(after.attachments.map((one) => one.filename)).toEqual(
        before.attachments.map((one) => one.filename),
      );
      const contents = (all: typeof after.attachments) =>
        all.filter((one) => one.contentType !== "message/rfc822").map((one) => one.content);
      expect(contents(after.attachments)).toEqual(contents(before.attachments));
    });
});

test("text stays readable, and what is encoded already stays as it is", () => {
  const made = textOf(downgrade(mixed));
  expect(made).toContain("Gr=C3=BC=C3=9Fe\r\n--inner\r\n");
  expect(made).toContain("\r\n\r\naGVsbG8=\r\n--out er\r\n");
  // RFC 2046 5.2.1: what is within a message is encoded, never the message.
  expect(made).toContain("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n");
  expect(made).toContain("inn=C3=A9r\r\n--out er--\r\n");
  expect(made.match(/Content-Transfer-Encoding: 8bit/g)).toBeNull();
});

test("text that says nothing of itself gets the names that MIME has for that", () => {
  expect(textOf(downgrade(crlf("Subject: old\n\nschön\n")))).toBe(
    "Subject: old\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n" +
      "Content-Transfer-Encoding: quoted-printable\r\n\r\nsch=C3=B6n\r\n",
  );
});

test("a part that stands alone and is no text becomes base64", async () => {
  const made = downgrade(crlf("MIME-Version: 1.0\nContent-Type: application/x-y\n\nü\n"));
  expect(textOf(made)).toEndWith("Content-Transfer-Encoding: base64\r\n\r\nw7wNCg==\r\n");
});

for (const [what, message] of [
  ["DKIM covers it", `DKIM-Signature: v=1; a=x\n\nü\n`],
  ["it is signed", `Content-Type: multipart/signed; boundary=b\n\n--b\n\nü\n--b--\n`],
  [
    "a part of it is signed",
    `Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/signed; boundary=b\n\n--b\n`,
  ],
  ["a part's header is 8-bit", `Content-Type: multipart/mixed; boundary=a\n\n--a\nX: ü\n\nx\n`],
  ["it lies about base64", `Content-Transfer-Encoding: base64\n\nü\n`],
  ["its encoding is unknown", `Content-Transfer-Encoding: x-uue\n\nü\n`],
  ["it has no boundary", `Content-Type: multipart/mixed\n\nü\n`],
] as const)
  test(`nothing is changed when ${what}`, () => {
    expect(() => downgrade(crlf(message))).toThrow(NotSevenBit);
  });

test("borders of chunks never matter", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(plain, mixed),
      fc.array(fc.nat(), { maxLength: 12 }),
      async (message, cuts) => {
        const marks = [0, ...cuts.map((n) => n % message.length).sort((a, b) => a - b)];
        const source = async function* (): AsyncGenerator<Uint8Array> {
          for (const [i, mark] of marks.entries()) yield message.subarray(mark, marks[i + 1]);
        };
        const pieces: Uint8Array[] = [];
        for await (const piece of downgraded(source())) pieces.push(piece);
        expect(textOf(Buffer.concat(pieces))).toBe(textOf(downgrade(message)));
      },
    ),
    { numRuns: 100 },
  );
});

test("any octets either become 7-bit or are refused", () => {
  const words = fc.constantFrom(
    "Content-Type: multipart/mixed; boundary=b",
    "Content-Type: text/plain",
    "Content-Transfer-Encoding: 8bit",
    "\r\n",
    "\r\n\r\n",
    "--b",
    "--b--",
    "ü",
    "x",
    ":",
    " ",
  );
  fc.assert(
    fc.property(fc.array(words, { maxLength: 40 }), (parts) => {
      try {
        expect(hasHighBits(downgrade(Buffer.from(parts.join(""))))).toBe(false);
      } catch (error) {
        expect(error).toBeInstanceOf(NotSevenBit);
      }
    }),
    { numRuns: 500 },
  );
});

test("a line without an end is not gathered for ever", () => {
  const downgrader = createDowngrader();
  const piece = Buffer.alloc(40_000, 120);
  downgrader.push(piece);
  expect(() => downgrader.push(piece)).toThrow(NotSevenBit);
});
