// Percentiles from counts are the exact ones, within half a percent.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { createSpread } from "../../src/base/spread.ts";

/** Of all values, the nearest rank: the smallest that so many of them do not exceed. */
function exact(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1] as number;
}

/** From a tenth of a microsecond to an hour, as many small ones as large ones. */
const duration = fc.double({ min: -4, max: 6.5, noNaN: true }).map((power) => 10 ** power);

test("every percentile of any durations is true within half a percent and a microsecond", () => {
  fc.assert(
    fc.property(
      fc.array(duration, { minLength: 1, maxLength: 300 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (values, share) => {
        const spread = createSpread();
        for (const value of values) spread.add(value);
        const found = spread.quantileMs(share) ?? NaN;
        const wanted = exact(values, share);
        expect(Math.abs(found - wanted)).toBeLessThanOrEqual(wanted * 0.005 + 0.001);
        expect(found).toBeLessThanOrEqual(Math.max(...values));
        expect(found).toBeGreaterThanOrEqual(Math.min(...values));
      },
    ),
    { numRuns: 300 },
  );
});

test("percentiles grow with their share, and the whole of it is the maximum", () => {
  fc.assert(
    fc.property(fc.array(duration, { minLength: 1, maxLength: 200 }), (values) => {
      const spread = createSpread();
      for (const value of values) spread.add(value);
      const shares = [0, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 1];
      const found = shares.map((share) => spread.quantileMs(share) ?? NaN);
      expect(found).toEqual([...found].sort((a, b) => a - b));
      expect(spread.summary()?.max_ms).toBeCloseTo(Math.max(...values), 2);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      expect(spread.summary()?.mean_ms).toBeCloseTo(mean, 2);
    }),
    { numRuns: 200 },
  );
});

test("one slow thing among a thousand is the maximum and not the 99th percentile", () => {
  const spread = createSpread();
  for (let i = 0; i < 999; i++) spread.add(2);
  spread.add(5_000);
  const { p99_ms: p99, ...rest } = spread.summary() ?? { p99_ms: NaN };
  expect(p99).toBeCloseTo(2, 1);
  expect(rest).toMatchObject({ count: 1000, mean_ms: 6.998, max_ms: 5000 });
});

test("of nothing there is no percentile", () => {
  expect(createSpread().quantileMs(0.5)).toBeNull();
  expect(createSpread().summary()).toBeNull();
});

test("a clock that went back counts as no time, and what took longer than an hour keeps its maximum", () => {
  const spread = createSpread();
  spread.add(-5);
  expect(spread.summary()?.max_ms).toBe(0);
  spread.add(7_200_000);
  expect(spread.summary()?.max_ms).toBe(7_200_000);
  expect(spread.quantileMs(1)).toBeGreaterThan(3_500_000);
});
