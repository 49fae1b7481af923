// What is said of mail that others composed: text in octets that nobody names, boundaries that some servers stumble over.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { judgeRaw } from "../../src/mail/raw/judge.ts";

const HEAD = "From: a@example.com\r\nSubject: x\r\n";
const codesOf = (text: string): readonly string[] =>
  [...judgeRaw(Buffer.from(text, "utf8")).codes].sort();
const mixed = (boundary: string, ...parts: readonly string[]): string =>
  `${HEAD}Content-Type: multipart/mixed; boundary="${boundary}"\r\n\r\n` +
  parts.map((part) => `--${boundary}\r\n${part}\r\n`).join("") +
  `--${boundary}--\r\n`;

describe("one part", () => {
  test.each([
    ["plain ASCII", `${HEAD}\r\nhello\r\n`, []],
    ["8-bit that says nothing", `${HEAD}\r\nÜ\r\n`, ["no_transfer_encoding", "undeclared_8bit"]],
    [
      "8-bit with a charset alone",
      `${HEAD}Content-Type: text/plain; charset=utf-8\r\n\r\nÜ\r\n`,
      ["no_transfer_encoding"],
    ],
    [
      "8-bit that says 7bit",
      `${HEAD}Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\nÜ`,
      ["no_transfer_encoding"],
    ],
    [
      "8-bit with an encoding alone",
      `${HEAD}Content-Type: text/html\r\nContent-Transfer-Encoding: 8bit\r\n\r\nÜ\r\n`,
      ["undeclared_8bit"],
    ],
    [
      "8-bit that says all, in folded fields",
      `${HEAD}Content-Type: text/plain;\r\n\tcharset="utf-8"\r\ncontent-transfer-encoding:\r\n 8BIT\r\n\r\nÜ`,
      [],
    ],
    ["a header alone", HEAD, []],
    ["nothing", "", []],
  ])("%s", (_, source, codes) => {
    expect(codesOf(source)).toEqual([...codes]);
  });
});

describe("several parts", () => {
  test("each is judged by its own header", () => {
    const good =
      "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nÜ";
    expect(codesOf(mixed("b", good, good))).toEqual([]);
    expect(codesOf(mixed("b", good, "\r\nÜ"))).toEqual(["no_transfer_encoding", "undeclared_8bit"]);
    expect(codesOf(mixed("b", good, "\r\nplain"))).toEqual([]);
  });

  test("a picture in octets needs no charset, but an encoding", () => {
    expect(codesOf(mixed("b", "Content-Type: image/png\r\n\r\nÜ"))).toEqual([
      "no_transfer_encoding",
    ]);
  });

  test("parts within parts, also when one boundary begins as another does", () => {
    const inner =
      'Content-Type: multipart/alternative; boundary="b1"\r\n\r\n--b1\r\n\r\nÜ\r\n--b1--\r\n';
    expect(codesOf(mixed("b", inner))).toEqual(["no_transfer_encoding", "undeclared_8bit"]);
  });

  test("what stands before the first part and behind the last is read by nobody", () => {
    const source = `${HEAD}Content-Type: multipart/mixed; boundary=b\r\n\r\nÜ\r\n--b\r\n\r\nx\r\n--b--\r\nÜ`;
    expect(codesOf(source)).toEqual([]);
  });

  test("a boundary with a space in it", () => {
    expect(codesOf(mixed("a b", "\r\nx"))).toEqual(["boundary_with_space"]);
    expect(codesOf(mixed("ab", "\r\nx"))).toEqual([]);
  });
});

test("the beginning of a message is enough to be judged by", () => {
  const whole = mixed("b", "\r\nÜ", `\r\n${"x".repeat(500)}`);
  expect(codesOf(whole.slice(0, 150))).toEqual(["no_transfer_encoding", "undeclared_8bit"]);
});

test("whatever comes, it is judged and quickly", () => {
  const piece = fc.oneof(
    fc.constantFrom("\r\n", "--b", "--b--", "\r\n\r\n", "--", ";", '"', "Content-Type: "),
    fc.constantFrom("multipart/mixed; boundary=b", "text/plain; charset=", "\\", "Ü"),
    fc.string({ maxLength: 8 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      expect(Array.isArray(codesOf(pieces.join("")))).toBe(true);
    }),
    { numRuns: 300 },
  );
  codesOf(mixed("b", "--b\r\n".repeat(10_000)));
  codesOf(`${HEAD}Content-Type: text/plain; ${"a;".repeat(20_000)}\r\n\r\nÜ`);
  codesOf(`${HEAD}Content-Type: text/plain; x="${"\\".repeat(60_000)}\r\n\r\nÜ`);
  codesOf(`${HEAD}Content-Type: text/plain; x=${" ".repeat(60_000)}\r\n\r\nÜ`);
});
