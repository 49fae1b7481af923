import { expect, test } from "bun:test";
import { warm, type Warmth, type WarmResult } from "../../src/dns/warm.ts";
import { handClock } from "./lab.ts";

const results: readonly WarmResult[] = ["found", "none", "unknown", "found"];

test("each name counts once by what was found, a few at a time", async () => {
  const clock = handClock();
  let open = 0;
  let most = 0;
  const names = Array.from({ length: 400 }, (_, i) => `n${i % 200}.test`);
  const warmth = await warm(names, {
    clock,
    atOnceMax: 7,
    async find(name) {
      most = Math.max(most, ++open);
      await Promise.resolve();
      open--;
      return results[Number(/\d+/.exec(name)?.[0]) % 4] ?? "unknown";
    },
  });
  expect(warmth).toMatchObject({ total: 200, done: 200, found: 100, none: 50, unknown: 50 });
  expect(most).toBe(7);
});

test("it tells how far it is about twice a second, and stops when it is told to", async () => {
  const clock = handClock();
  const told: Warmth[] = [];
  const stop = new AbortController();
  const warmth = await warm(
    Array.from({ length: 100 }, (_, i) => `n${i}.test`),
    {
      clock,
      atOnceMax: 1,
      signal: stop.signal,
      progress: (now) => void told.push(now),
      async find(name): Promise<WarmResult> {
        await clock.advance(100);
        if (name === "n29.test") stop.abort();
        return "found";
      },
    },
  );
  expect(told.map(({ done }) => done)).toEqual([5, 10, 15, 20, 25, 30]);
  expect(warmth).toMatchObject({ total: 100, done: 30, tookMs: 3_000 });
});

test("an empty list is done at once", async () => {
  const find = (): WarmResult => "found";
  expect(await warm([], { clock: handClock(), find })).toMatchObject({ total: 0, done: 0 });
});
