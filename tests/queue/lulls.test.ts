// Time that does not count.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { createLulls, within, withSpan, type Span } from "../../src/queue/lulls.ts";
import type { KeptAnswer } from "../../src/queue/store.ts";

function createBook() {
  const rows = new Map<string, KeptAnswer>();
  return {
    recallOne: (key: string) => rows.get(key),
    remember: (kept: readonly KeptAnswer[]) => kept.forEach((row) => void rows.set(row.key, row)),
  };
}

test("only what lies between acceptance and now is taken off", () => {
  const lulls = createLulls(createBook(), 1000);
  lulls.add(100, 200);
  expect([lulls.since(0, 1000), lulls.since(150, 1000), lulls.since(200, 1000)]).toEqual([
    100, 50, 0,
  ]);
  expect(lulls.since(0, 130)).toBe(30);
});

test("a clock that is set back has not been where it was", () => {
  const lulls = createLulls(createBook(), 0);
  lulls.add(1000, 9000);
  lulls.cut(3000, 6000);
  expect(lulls.since(0, 10_000)).toBe(2000);
});

test("they are kept through a restart, and what lies ahead of the clock then is not", () => {
  const book = createBook();
  const before = createLulls(book, 0);
  before.add(100, 500);
  before.add(800, 900);
  before.write();
  expect(createLulls(book, 1000).since(0, 1000)).toBe(500);
  expect(createLulls(book, 400).since(0, 1000)).toBe(300);
});

test("spans stay in order, apart and bounded, and together they hold no less than each", () => {
  const span = fc
    .tuple(fc.integer({ min: 0, max: 10_000 }), fc.integer({ min: 1, max: 30 }))
    .map(([from, length]): Span => [from, from + length]);
  fc.assert(
    fc.property(fc.array(span, { maxLength: 400 }), (added) => {
      const spans = added.reduce<readonly Span[]>(withSpan, []);
      expect(spans.length).toBeLessThanOrEqual(200);
      for (const [i, [from, to]] of spans.entries()) {
        expect(to).toBeGreaterThan(from);
        if (i > 0) expect(from).toBeGreaterThan(spans[i - 1]?.[1] ?? 0);
      }
      for (const [from, to] of added) expect(within(spans, from, to)).toBe(to - from);
    }),
    { numRuns: 50 },
  );
});

test("a leap of the clock counts against nobody, a sleep against a sender's own limit", () => {
  const [day, year] = [86_400_000, 365 * 86_400_000];
  const book = createBook();
  const lulls = createLulls(book, 0);
  lulls.jump(1000, 1000 + day);
  expect([lulls.since(0, year), lulls.leapt(0, year)]).toEqual([day, 0]);
  lulls.jump(2 * day, 2 * day + year);
  expect(lulls.leapt(0, 3 * year)).toBe(year);
  expect(lulls.leapt(3 * day + year, 3 * year)).toBe(0);
  lulls.write();
  expect(createLulls(book, 3 * year).leapt(0, 3 * year)).toBe(year);
  // Back by a part of it, and by the rest.
  lulls.cut(2 * day + 5000 + year / 2, year / 2);
  expect(lulls.leapt(0, 3 * year)).toBe(year / 2);
  lulls.cut(2 * day + 10_000, year / 2);
  expect(lulls.leapt(0, 3 * year)).toBe(0);
});
