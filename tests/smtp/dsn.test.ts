import { expect, test } from "bun:test";
import fc from "fast-check";
import { mailParameters, rcptParameters, xtext } from "../../src/smtp/dsn.ts";

/** RFC 3461 4 read back. */
const unxtext = (text: string): string =>
  Buffer.from(
    text.replace(/\+([0-9A-F]{2})/g, (_, digits: string) =>
      String.fromCharCode(Number.parseInt(digits, 16)),
    ),
    "latin1",
  ).toString();

test("xtext is RFC 3461's examples", () => {
  expect(xtext("QQ314159")).toBe("QQ314159");
  expect(xtext("a+b=c d")).toBe("a+2Bb+3Dc+20d");
});

test("xtext never holds what would end a parameter, and can be read back", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      const made = xtext(text);
      expect(made).toMatch(/^[!-<>-~]*$/);
      expect(unxtext(made)).toBe(text);
    }),
  );
});

test("an address that is not ASCII is named as RFC 6533 wants it", () => {
  expect(rcptParameters({}, "用户@example.net")).toBe(" ORCPT=utf-8;用户@example.net");
  expect(rcptParameters({}, "é+a\\b@example.net")).toBe(
    " ORCPT=utf-8;é\\x{2B}a\\x{5C}b@example.net",
  );
});

test("NEVER stands alone, and words stand once", () => {
  expect(rcptParameters({ notify: ["failure", "never"] }, "a@b.test")).toBe(
    " NOTIFY=NEVER ORCPT=rfc822;a@b.test",
  );
  expect(rcptParameters({ notify: ["failure", "failure"] }, "a@b.test")).toContain(
    "NOTIFY=FAILURE ",
  );
  expect(mailParameters({ ret: "full" })).toBe(" RET=FULL");
  expect(mailParameters({})).toBe("");
});
