import { expect, test } from "bun:test";
import fc from "fast-check";
import { createRecent } from "../../src/dns/recent.ts";

test("what was used since the hand came by outlives what was not", () => {
  const recent = createRecent<number>({ entriesMax: 3, weightMax: 100 });
  for (const key of ["a", "b", "c"]) recent.set(key, 1);
  recent.get("a");
  recent.set("d", 1);
  expect(["a", "b", "c", "d"].filter((key) => recent.get(key) !== undefined)).toEqual([
    "a",
    "c",
    "d",
  ]);
});

test("whatever is set and read, both limits hold, and what is there is what was set last", () => {
  const step = fc.record({
    key: fc.constantFrom(..."abcdefghij"),
    weight: fc.integer({ min: 1, max: 12 }),
    read: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const recent = createRecent<number>({ entriesMax: 5, weightMax: 20 });
      const last = new Map<string, { value: number; weight: number }>();
      for (const [value, { key, weight, read }] of steps.entries()) {
        if (read) {
          const got = recent.get(key);
          if (got !== undefined) expect(got).toBe(last.get(key)?.value ?? -1);
          continue;
        }
        recent.set(key, value, weight);
        last.set(key, { value, weight });
        expect(recent.get(key)).toBe(value);
        expect(recent.size()).toBeLessThanOrEqual(5);
        expect(recent.weight()).toBeLessThanOrEqual(20);
      }
      const there = [..."abcdefghij"].filter((key) => recent.get(key) !== undefined);
      const weight = there.reduce((sum, key) => sum + (last.get(key)?.weight ?? 0), 0);
      expect([recent.size(), recent.weight()]).toEqual([there.length, weight]);
    }),
    { numRuns: 300 },
  );
});

test("what is beyond smaller limits goes, and larger ones give room", () => {
  const recent = createRecent<number>({ entriesMax: 100, weightMax: 1_000 });
  for (let i = 0; i < 100; i++) recent.set(`k${i}`, i, 10);
  recent.resize({ entriesMax: 50, weightMax: 300 });
  expect([recent.size(), recent.weight()]).toEqual([30, 300]);
  recent.resize({ entriesMax: 40, weightMax: 1_000 });
  for (let i = 0; i < 100; i++) recent.set(`n${i}`, i, 10);
  expect(recent.size()).toBe(40);
});

test("what is heavier than the whole is not kept, and neither is what it replaced", () => {
  const recent = createRecent<number>({ entriesMax: 5, weightMax: 20 });
  recent.set("a", 1);
  recent.set("a", 2, 21);
  expect([recent.get("a"), recent.size(), recent.weight()]).toEqual([undefined, 0, 0]);
});

test("a hundred thousand names pass through without slowing down or growing", () => {
  const recent = createRecent<number>({ entriesMax: 1_000, weightMax: 1_000_000 });
  for (let i = 0; i < 100_000; i++) recent.set(`name${i}`, i);
  expect(recent.size()).toBe(1_000);
  expect(recent.get("name99999")).toBe(99_999);
});
