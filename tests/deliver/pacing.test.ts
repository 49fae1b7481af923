// The arithmetic of pacing: buckets, shares of lanes, and a concurrency that learns. Pure functions, without a server.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { burstOf, fullBucket, takeOne, waitMs } from "../../src/deliver/bucket.ts";
import {
  type Concurrency,
  failed,
  startOf,
  succeeded,
  windowOf,
} from "../../src/deliver/concurrency.ts";
import { createPace, type Pace } from "../../src/deliver/pace.ts";
import { openLanes, slotsOf, type Running } from "../../src/deliver/shares.ts";
import type { Priority } from "../../src/mail/message.ts";
import { limitsOf, type Rate } from "../../src/route/limits.ts";
import { deliverDefaults } from "../../src/deliver/settings.ts";

const MINUTE = 60_000;

describe("a token bucket", () => {
  const anyRate: fc.Arbitrary<Rate> = fc.record({
    count: fc.integer({ min: 1, max: 10_000 }),
    perMs: fc.constantFrom(1000, MINUTE, 60 * MINUTE, 24 * 60 * MINUTE),
  });

  test("lets a few pass at once, and then as many as the rate says", () => {
    const rate = { count: 100, perMs: MINUTE };
    expect(burstOf(rate)).toBeCloseTo(16.7, 1);
    let bucket = fullBucket(rate, 0);
    for (let i = 0; i < 16; i++) {
      expect(waitMs(bucket, rate, 0)).toBe(0);
      bucket = takeOne(bucket, rate, 0);
    }
    expect(waitMs(bucket, rate, 0)).toBe(200);
    expect(waitMs(bucket, rate, 200)).toBe(0);
    expect(burstOf({ count: 1, perMs: MINUTE })).toBe(1);
    expect(burstOf({ count: 5, perMs: 1000 })).toBe(5);
  });

  test("never gives more than the burst and the rate, whenever it is asked", () => {
    const gaps = fc.array(fc.nat({ max: 120_000 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(anyRate, gaps, (rate, list) => {
        let bucket = fullBucket(rate, 0);
        let now = 0;
        let taken = 0;
        for (const gap of list) {
          now += gap;
          if (waitMs(bucket, rate, now) > 0) continue;
          bucket = takeOne(bucket, rate, now);
          taken++;
          expect(taken).toBeLessThanOrEqual(
            burstOf(rate) + (now * rate.count) / rate.perMs + 1e-6 * taken,
          );
        }
      }),
    );
  });

  test("has a token once the wait that it named is over, and not at a time that went back", () => {
    fc.assert(
      fc.property(anyRate, fc.nat({ max: 1e9 }), fc.nat({ max: 50 }), (rate, now, takes) => {
        let bucket = fullBucket(rate, now);
        for (let i = 0; i < takes && waitMs(bucket, rate, now) === 0; i++)
          bucket = takeOne(bucket, rate, now);
        const wait = waitMs(bucket, rate, now);
        expect(waitMs(bucket, rate, now + wait)).toBe(0);
        expect(waitMs(bucket, rate, now - 1000)).toBeGreaterThanOrEqual(wait);
      }),
    );
  });
});

const mayRun = (running: Running, lane: Priority, window: number): boolean =>
  (openLanes(running, window) & (1 << lane)) !== 0;

describe("shares of the lanes", () => {
  test("leave a slot to codes, and a quarter to normal mail", () => {
    expect(slotsOf(10)).toEqual([10, 9, 7]);
    expect(slotsOf(4)).toEqual([4, 3, 3]);
    expect(slotsOf(2)).toEqual([2, 1, 1]);
    expect(slotsOf(1)).toEqual([1, 1, 1]);
  });

  const slots = fc.integer({ min: 1, max: 50 });
  const lane = fc.constantFrom(0 as const, 1 as const, 2 as const);

  test("are kept in whatever order jobs begin and end", () => {
    const acts = fc.array(fc.tuple(lane, fc.boolean()), { maxLength: 200 });
    fc.assert(
      fc.property(slots, acts, (window, list) => {
        const running: [number, number, number] = [0, 0, 0];
        for (const [one, begins] of list) {
          if (!begins) running[one] = Math.max(0, running[one] - 1);
          else if (mayRun(running, one, window)) running[one]++;
          const [all, low, bulk] = slotsOf(window);
          expect(running[0] + running[1] + running[2]).toBeLessThanOrEqual(all);
          expect(running[1] + running[2]).toBeLessThanOrEqual(low);
          expect(running[2]).toBeLessThanOrEqual(bulk);
        }
        const onlyLow = running[0] === 0 && window > 1;
        if (onlyLow) expect(mayRun(running, 0, window)).toBe(true);
      }),
    );
  });

  test("let anyone begin where nothing runs", () => {
    fc.assert(
      fc.property(slots, lane, (window, one) => expect(mayRun([0, 0, 0], one, window)).toBe(true)),
    );
  });
});

describe("a concurrency", () => {
  const at = (busy: number, nowMs = 0, limit = 10) => ({ limit, busy, usable: busy, nowMs });
  const grow = (from: Concurrency, times: number, nowMs = 0): Concurrency => {
    let state = from;
    for (let i = 0; i < times; i++) state = succeeded(state, at(state.window, nowMs));
    return state;
  };

  test("grows by one for each round of successes, up to the limit", () => {
    let state = startOf(2);
    expect(grow(state, 1).window).toBe(2);
    expect(grow(state, 2).window).toBe(3);
    expect(grow(state, 5).window).toBe(4);
    state = grow(state, 1000);
    expect(state.window).toBe(10);
  });

  test("does not grow by what it does not use", () => {
    let state = startOf(2);
    for (let i = 0; i < 100; i++) state = succeeded(state, { ...at(1), usable: 2 });
    expect(state.window).toBe(2);
  });

  test("shrinks by one for each failure, never below one", () => {
    let state = grow(startOf(2), 1000);
    for (const expected of [9, 8, 7]) {
      state = failed(state, at(1, 120_000));
      expect(state.window).toBe(expected);
    }
    for (let i = 0; i < 20; i++) state = failed(state, at(1, 120_000));
    expect(state.window).toBe(1);
  });

  test("remembers the number at which a site refused while it served, and asks for more ever less often", () => {
    let state = grow(startOf(2), 5);
    expect(state.window).toBe(4);
    state = failed(state, at(4));
    expect(state).toMatchObject({ window: 3, ceiling: 3, heldMs: MINUTE });
    state = grow(state, 1000, MINUTE - 1);
    expect(state.window).toBe(3);
    state = grow(state, 3, MINUTE + 1);
    expect(state.window).toBe(4);
    state = failed(state, at(4, MINUTE + 1));
    expect(state).toMatchObject({ window: 3, ceiling: 3, heldMs: 2 * MINUTE });
  });

  test("learns no ceiling from connections that are lost at work, and grows again at once", () => {
    let state = grow(startOf(2), 1000);
    expect(state.window).toBe(10);
    state = failed(state, { ...at(10), lost: true });
    expect(state).toMatchObject({ window: 9, ceiling: Infinity });
    expect(grow(state, 20).window).toBe(10);
  });

  test("learns no ceiling from a site that is down", () => {
    let state = grow(startOf(2), 1000, 0);
    for (let i = 0; i < 5; i++) state = failed(state, at(5, MINUTE));
    expect(state.ceiling).toBe(Infinity);
  });

  test("stays between one and its limit, whatever happens", () => {
    const happening = fc.record({
      good: fc.boolean(),
      busy: fc.integer({ min: 1, max: 60 }),
      later: fc.nat({ max: 600_000 }),
      limit: fc.integer({ min: 1, max: 50 }),
    });
    fc.assert(
      fc.property(fc.array(happening, { maxLength: 200 }), (list) => {
        let state = startOf(2);
        let nowMs = 0;
        for (const { good, busy, later, limit } of list) {
          nowMs += later;
          const before = windowOf(state, limit);
          const present = { limit, busy, usable: busy, nowMs };
          state = good ? succeeded(state, present) : failed(state, present);
          const after = windowOf(state, limit);
          expect(after).toBeGreaterThanOrEqual(1);
          expect(after).toBeLessThanOrEqual(limit);
          if (good) expect(after - before).toBeLessThanOrEqual(1);
          if (good) expect(after).toBeGreaterThanOrEqual(before);
          else expect(after).toBeLessThanOrEqual(Math.max(1, before - 1));
        }
      }),
    );
  });
});

test("new limits hold at once, and forget neither what was learned nor what was spent", () => {
  const site = { site: "mx.a.test", via: "mx" } as const;
  const rate = { count: 1, perMs: MINUTE };
  const pace = createPace(limitsOf({ ...deliverDefaults, messageRate: rate }, site), 2);
  pace.sending(0);
  for (let i = 0; i < 5; i++) pace.good({ busy: pace.window(), usable: 1, nowMs: 0 });
  pace.bad({ busy: 4, nowMs: 0 });
  expect([pace.window(), pace.ceiling(), pace.messageWaitMs(0)]).toEqual([3, 3, MINUTE]);
  pace.configure(limitsOf({ ...deliverDefaults, siteConnections: 2, messageRate: rate }, site));
  expect([pace.window(), pace.ceiling(), pace.messageWaitMs(0)]).toEqual([2, 3, MINUTE]);
  pace.configure(limitsOf(deliverDefaults, site));
  expect([pace.window(), pace.messageWaitMs(0)]).toEqual([3, 0]);
  pace.configure(limitsOf({ ...deliverDefaults, messageRate: rate }, site));
  expect(pace.messageWaitMs(0)).toBe(MINUTE);
});

test("what begins without anything in hand may have a burst once one would have grown", () => {
  const rates = {
    messageRate: { count: 60, perMs: MINUTE },
    connectRate: { count: 6, perMs: MINUTE },
  };
  const inForce = limitsOf({ ...deliverDefaults, ...rates }, { site: "mx.a.test", via: "mx" });
  const pace = createPace(inForce, 2, 1000);
  expect([pace.connectWaitMs(1000), pace.messageWaitMs(1000)]).toEqual([10_000, 1000]);
  for (let i = 0; i < 10; i++) {
    expect(pace.messageWaitMs(11_000)).toBe(0);
    pace.sending(11_000);
  }
  expect([pace.connectWaitMs(11_000), pace.messageWaitMs(11_000)]).toEqual([0, 1000]);
});

test("what goes to another thread goes on there as it would have here", () => {
  const site = { site: "mx.a.test", via: "mx" } as const;
  const rates = {
    messageRate: { count: 60, perMs: MINUTE },
    connectRate: { count: 6, perMs: MINUTE },
  };
  const made = (): Pace => createPace(limitsOf({ ...deliverDefaults, ...rates }, site), 2);
  const step = fc.constantFrom("good", "bad", "connect", "send", "wait");
  fc.assert(
    fc.property(fc.array(step), fc.array(step), (before, after) => {
      const here = made();
      let nowMs = 1000;
      const run = (pace: Pace, steps: readonly string[], from: number): number => {
        let at = from;
        for (const one of steps) {
          const busy = pace.window();
          if (one === "good") pace.good({ busy, usable: 1, nowMs: at });
          else if (one === "bad") pace.bad({ busy, nowMs: at });
          else if (one === "connect" && pace.connectWaitMs(at) === 0) pace.connecting(at);
          else if (one === "send" && pace.messageWaitMs(at) === 0) pace.sending(at);
          else at += 7_000;
        }
        return at;
      };
      nowMs = run(here, before, nowMs);
      const there = made();
      // Another clock, by a million.
      const fromThere = nowMs + 1e6;
      there.takeOver(structuredClone(here.handOver(nowMs)), fromThere);
      const [endHere, endThere] = [run(here, after, nowMs), run(there, after, fromThere)];
      expect(endThere - fromThere).toBe(endHere - nowMs);
      const told = (pace: Pace, at: number): unknown[] => [
        pace.window(),
        pace.ceiling(),
        pace.isKnown(),
        Math.round(pace.connectWaitMs(at) / 10),
        Math.round(pace.messageWaitMs(at) / 10),
      ];
      expect(told(there, endThere)).toEqual(told(here, endHere));
    }),
  );
});
