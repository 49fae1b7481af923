// Whom a load is sent to: shares that hold from the first messages on, addresses that tell their number.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { createAddresses, parseMix, type Share } from "../../src/stress/mix.ts";

const mixOf = (text: string): readonly Share[] => {
  const mix = parseMix(text);
  if (typeof mix === "string") throw new Error(mix);
  return mix;
};

test("each name has its share of any stretch of messages", () => {
  const { shareOf } = createAddresses(mixOf("ok:90,soft-rcpt:5,hard-rcpt:5"), "a.test", "tag");
  for (const from of [0, 977, 40_000]) {
    const counts = [0, 0, 0];
    for (let n = from; n < from + 1000; n++) counts[shareOf(n)]!++;
    expect(Math.abs(counts[0]! - 900)).toBeLessThanOrEqual(5);
    expect(Math.abs(counts[1]! - 50)).toBeLessThanOrEqual(5);
  }
});

test("an address gives back its number, and only to its own run", () => {
  const mix = mixOf("ok,drop-after-dot:2");
  const own = createAddresses(mix, "a.test", "abc123");
  const other = createAddresses(mix, "a.test", "zzz999");
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 999_999_999 }), (n) => {
      expect(own.numberIn(own.of(n))).toBe(n);
      expect(other.numberIn(own.of(n))).toBeUndefined();
      expect(own.of(n)).toMatch(/^(ok|drop-after-dot)\+abc123\d{9}@a\.test$/);
    }),
  );
});

test("without a share it is one", () => {
  expect(mixOf("ok, soft-rcpt:3")).toEqual([
    { name: "ok", weight: 1 },
    { name: "soft-rcpt", weight: 3 },
  ]);
});

for (const text of ["", "ok:", "ok:0", "ok:-1", "a b", "ok:1:2", "ok,ok", "ok:1.5", "o@k", "+x"])
  test(`"${text}" is no mix`, () => expect(typeof parseMix(text)).toBe("string"));

test("a mix of very many names is refused", () => {
  const text = Array.from({ length: 21 }, (_, i) => `a${i}`).join(",");
  expect(parseMix(text)).toBe("more than 20 names");
});
