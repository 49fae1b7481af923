import { expect, test } from "bun:test";
import fc from "fast-check";
import { capOf, coldOn, ladder, onDay, type Warmth } from "../../src/route/warmup.ts";

const sent = (warmth: Warmth, count: number): Warmth => ({ ...warmth, sent: count, heard: count });

test("a new address climbs a rung after each day that used at least half of its cap, until it is warm", () => {
  let warmth = coldOn(100);
  const caps: number[] = [];
  for (let day = 100; day < 100 + ladder.length; day++) {
    warmth = onDay(warmth, day);
    caps.push(capOf(warmth));
    warmth = sent(warmth, capOf(warmth) / 2);
  }
  expect(caps).toEqual([...ladder]);
  warmth = onDay(warmth, 100 + ladder.length);
  expect(capOf(warmth)).toBe(Infinity);
  expect(onDay(sent(warmth, 10), 111).rung).toBe(ladder.length);
});

test("a day with less earns nothing, and takes nothing away", () => {
  const third = sent({ ...coldOn(100), rung: 2 }, 249);
  expect(capOf(onDay(third, 101))).toBe(500);
  expect(capOf(onDay(onDay(third, 101), 120))).toBe(500);
});

test("what was set aside for a day and never heard of earns nothing", () => {
  const first = { ...coldOn(100), sent: 50, heard: 24 };
  expect(onDay(first, 101)).toEqual({ ...coldOn(100), day: 101 });
  expect(onDay({ ...first, heard: 25 }, 101).rung).toBe(1);
});

test("after 30 days without mail an address is as new", () => {
  const warm = sent({ firstDay: 1, day: 100, rung: ladder.length, sent: 0, heard: 0 }, 5_000);
  expect(capOf(onDay(warm, 130))).toBe(Infinity);
  expect(onDay(warm, 131)).toEqual(coldOn(131));
});

test("however days come, also backwards, a day's count never falls on the same day", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 40 }), (days) => {
      let warmth = coldOn(30);
      for (const day of days) {
        const next = onDay(warmth, day);
        expect(next.day).toBe(Math.max(warmth.day, day));
        if (next.day === warmth.day) expect(next).toBe(warmth);
        expect(next.rung - warmth.rung).toBeLessThanOrEqual(1);
        warmth = sent(next, Math.min(capOf(next), next.sent + 20));
      }
    }),
  );
});
