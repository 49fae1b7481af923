import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  decodeBase64,
  isHelloName,
  parsePath,
  passwordOf,
  sizeOf,
} from "../../../src/smtp/server/grammar.ts";
import { lineOf, said } from "../../../src/smtp/server/said.ts";

describe("a path is read:", () => {
  const good: readonly (readonly [string, "FROM" | "TO", string, Record<string, string>])[] = [
    ["FROM:<a@example.com>", "FROM", "a@example.com", {}],
    ["from: <a@example.com>", "FROM", "a@example.com", {}],
    ["FROM:<>", "FROM", "", {}],
    ["FROM:<a@b> SIZE=10 body=8BITMIME", "FROM", "a@b", { SIZE: "10", BODY: "8BITMIME" }],
    ["FROM:<a@b> SMTPUTF8", "FROM", "a@b", { SMTPUTF8: "" }],
    ['TO:<"a > b"@example.com>', "TO", '"a > b"@example.com', {}],
    ['TO:<"a\\"b"@example.com>', "TO", '"a\\"b"@example.com', {}],
    ["TO:<@relay.example,@other.example:a@example.com>", "TO", "a@example.com", {}],
  ];
  for (const [rest, keyword, address, parameters] of good)
    test(rest, () => {
      const path = parsePath(rest, keyword);
      expect(path?.address).toBe(address);
      expect(Object.fromEntries(path?.parameters ?? [])).toEqual(parameters);
    });
});

describe("no path:", () => {
  const bad: readonly string[] = [
    ...["FROM", "FROM:", "FROM:a@b", "FROM<a@b>", "TO:<a@b>", "FROM:<a@b", "FROM:<a@b>x"],
    ...["FROM:<a@b> SIZE=1 SIZE=2", "FROM:<a@b> =1", "FROM:<a b@c>", "FROM:<<a@b>>"],
    ...["FROM:<a@b> A=B=C", 'FROM:<"a@b>'],
  ];
  for (const rest of bad) test(rest, () => expect(parsePath(rest, "FROM")).toBeUndefined());
});

test("sizes are whole numbers of at most 20 digits", () => {
  expect(["1", "007", "12345678901234567890"].map(sizeOf)).toEqual([1, 7, 12345678901234567890]);
  expect(["", "-1", "1e3", "123456789012345678901"].map(sizeOf)).toEqual(
    Array.from({ length: 4 }, () => undefined),
  );
});

test("the key is the third part of PLAIN, whatever the names are", () => {
  expect(passwordOf("\0user\0key")).toBe("key");
  expect(passwordOf("other\0\0key")).toBe("key");
  expect(passwordOf("user\0key")).toBeUndefined();
  expect(passwordOf("\0user\0key\0more")).toBeUndefined();
});

test("only base64 is decoded", () => {
  expect(decodeBase64("YWI=")).toBe("ab");
  expect(["YWI", "YW I=", "*", "YWI=="].map(decodeBase64)).toEqual(
    Array.from({ length: 4 }, () => undefined),
  );
});

test("a name that could break out of a trace field is none", () => {
  expect(["a.example", "[127.0.0.1]", "[IPv6:::1]", "my_host"].every(isHelloName)).toBe(true);
  expect(["a b", "a;b", "(a)", "a\tb", "\u00e9", "a".repeat(256)].some(isHelloName)).toBe(false);
});

test("a reply is one line, whatever its text is made of", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 700 }), (text) => {
      expect(lineOf(said(550, "5.1.3", text))).toMatch(/^550 [ -~]{0,500}\r\n$/);
    }),
  );
});

test("no command line makes the grammar throw", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 80 }), (text) => {
      parsePath(`FROM:${text}`, "FROM");
      parsePath(text, "TO");
      decodeBase64(text);
    }),
    { numRuns: 2000 },
  );
});
