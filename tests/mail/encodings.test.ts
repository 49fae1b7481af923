// Quoted-printable and base64 against the rules of RFC 2045 6.7 and 6.8, and against decoders that are not ours.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { base64Length, base64Lines, createBase64Stream } from "../../src/mail/compose/base64.ts";
import { quotedPrintable } from "../../src/mail/compose/quotedPrintable.ts";
import { latin1 } from "./build.ts";

const encoded = (text: string): string => latin1(quotedPrintable(Buffer.from(text)));

function decoded(text: string): Buffer {
  const joined = text.replace(/=\r\n/g, "");
  const plain = joined.replace(/=([0-9A-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  );
  return Buffer.from(plain, "latin1");
}

test.each([
  ["", ""],
  ["a=b", "a=3Db"],
  ["é", "=C3=A9"],
  ["a \r\nb\t\r\n c", "a=20\r\nb=09\r\n c"],
  ["a ", "a=20"],
  ["\r\n\r\n", "\r\n\r\n"],
  ["From me\r\n.\r\n>.", "=46rom me\r\n=2E\r\n>."],
  ["x".repeat(76), "x".repeat(76)],
  ["x".repeat(77), `${"x".repeat(75)}=\r\nxx`],
  [`${"x".repeat(75)}é`, `${"x".repeat(75)}=\r\n=C3=A9`],
  [`${"x".repeat(76)}\r\ny`, `${"x".repeat(76)}\r\ny`],
])("%j in quoted-printable", (text, expected) => {
  expect(encoded(text)).toBe(expected);
});

test("any text is decoded to itself, in lines of at most 76 that end in no space", () => {
  const units = fc.constantFrom(
    "\r\n",
    " ",
    "\t",
    "=",
    ".",
    "F",
    "x",
    "word",
    "é",
    "李",
    "\0",
    "\r",
    "\n",
  );
  fc.assert(
    fc.property(fc.string({ unit: units, maxLength: 300 }), (text) => {
      const out = encoded(text);
      for (const line of out.split("\r\n")) {
        expect(line.length).toBeLessThanOrEqual(76);
        expect(line).toMatch(/^(|[\t -~]*[!-~])$/);
      }
      expect(decoded(out).toString()).toBe(text);
    }),
    { numRuns: 500 },
  );
});

test("base64 is the runtime's in lines of 76, however the chunks fall", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 12 }), (chunks) => {
      const whole = Buffer.concat(chunks);
      const expected = whole.toString("base64").replace(/.{1,76}/g, "$&\r\n");
      expect(latin1(base64Lines(whole))).toBe(expected);
      expect(base64Length(whole.length)).toBe(expected.length);
      const stream = createBase64Stream();
      const pieces = [...chunks.flatMap((chunk) => [...stream.push(chunk)]), stream.end()];
      expect(latin1(Buffer.concat(pieces))).toBe(expected);
    }),
    { numRuns: 300 },
  );
});

test("a chunk may be overwritten by its source as soon as it was taken", () => {
  const stream = createBase64Stream();
  const chunk = Buffer.from("hello");
  const taken = [...stream.push(chunk)];
  chunk.fill(0);
  expect(latin1(Buffer.concat([...taken, stream.end()]))).toBe("aGVsbG8=\r\n");
});
