// Schedules, as an operator would read them.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { siteBackoff } from "../../src/queue/pace.ts";
import {
  DAY_MS,
  defaultRetry,
  expiryOf,
  lossWaitMs,
  scheduleTable,
  waitMs,
} from "../../src/queue/retry.ts";

const minutes = (ms: number): number => ms / 60_000;

describe("schedules", () => {
  test("p0 is tried at once, then closely, past the usual greylist of five minutes", () => {
    const table = scheduleTable(defaultRetry, 0).map(minutes);
    expect(table.slice(0, 9)).toEqual([0, 0.25, 1, 3, 5.25, 10.25, 20.25, 35.25, 50.25]);
    expect(table.at(-1)).toBeLessThan(5 * 24 * 60);
    expect(table.at(-1)).toBeGreaterThan(5 * 24 * 60 - 16);
  });

  test("p1 is tried after a minute, then past a greylist, then hourly", () => {
    const table = scheduleTable(defaultRetry, 1).map(minutes);
    expect(table.slice(0, 8)).toEqual([0, 1, 5.25, 15.25, 35.25, 75.25, 135.25, 195.25]);
    expect(table).toHaveLength(124);
  });

  test("p2 waits long and lives three days", () => {
    const table = scheduleTable(defaultRetry, 2).map(minutes);
    expect(table.slice(0, 6)).toEqual([0, 10, 40, 100, 340, 580]);
    expect(table.at(-1)).toBeLessThan(3 * 24 * 60);
  });

  test("jitter only adds, at most 15 %", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0 as const, 1 as const, 2 as const),
        fc.integer({ min: 1, max: 200 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (priority, attempts, roll) => {
          const failed = { priority, attempts, class: "other", retryAfterMs: undefined } as const;
          const least = waitMs(defaultRetry, failed, 0);
          const drawn = waitMs(defaultRetry, failed, roll);
          expect(drawn).toBeGreaterThanOrEqual(least);
          expect(drawn).toBeLessThanOrEqual(Math.round(least * 1.15));
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe("hints", () => {
  const greylisted = (retryAfterMs: number | undefined): number =>
    waitMs(defaultRetry, { priority: 0, attempts: 1, class: "greylist", retryAfterMs }, 0);

  test("a greylister without a hint is asked again after 305 s, whatever the priority", () => {
    expect(greylisted(undefined)).toBe(305_000);
  });

  test("a greylister's hint is taken between ten seconds and an hour", () => {
    expect([1_000, 90_000, 9e9].map(greylisted)).toEqual([10_000, 90_000, 3_600_000]);
  });

  test("another server's hint never makes a retry earlier than the schedule", () => {
    const wait = (retryAfterMs: number): number =>
      waitMs(defaultRetry, { priority: 1, attempts: 1, class: "rate", retryAfterMs }, 0);
    expect([wait(15_000), wait(120_000)]).toEqual([60_000, 120_000]);
  });
});

test("the sender's own limit goes before the lifetime", () => {
  const message = { priority: 2, acceptedAt: 1000, expiresAt: null } as const;
  expect(expiryOf(defaultRetry, message)).toBe(1000 + 3 * DAY_MS);
  expect(expiryOf(defaultRetry, { ...message, expiresAt: 5000 })).toBe(5000);
});

test("two lost leases come back at once, a third waits as after a failure", () => {
  const waits = [1, 2, 3, 4].map((attempts) => lossWaitMs(defaultRetry, 1, attempts, 0));
  expect(waits).toEqual([0, 0, 600_000, 1_200_000]);
});

test("a site's pauses grow to half an hour, and a server's wish is heard up to an hour", () => {
  const pauses = Array.from({ length: 10 }, (_, level) => siteBackoff(level, undefined, 0) / 1000);
  expect(pauses).toEqual([15, 30, 60, 120, 300, 600, 900, 1800, 1800, 1800]);
  expect(siteBackoff(0, 600_000, 0)).toBe(600_000);
  expect(siteBackoff(0, 9e9, 0)).toBe(3_600_000);
});
