import { expect, test } from "bun:test";
import fc from "fast-check";
import { IDS_PER_MS } from "../../src/mail/id.ts";
import { type Ended, isSampled, keptWhy } from "../../src/report/sampling.ts";

const START = 1_800_000_000_000 * IDS_PER_MS;
const traceOf = (flags: string): string =>
  `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-${flags}`;

/** As ids are given out: several in some milliseconds, none in others. */
function idsOf(perMs: number, ms: number): number[] {
  return Array.from({ length: perMs * ms }, (_, i) => {
    return START + Math.floor(i / perMs) * IDS_PER_MS + (i % perMs);
  });
}

test.each([
  [1, 40_000],
  [14, 3_000],
  [400, 100],
])("at %i messages a millisecond the share is what was asked for", (perMs, ms) => {
  const ids = idsOf(perMs, ms);
  for (const share of [0.01, 0.1, 0.5]) {
    const kept = ids.filter((id) => isSampled(id, null, share)).length / ids.length;
    expect(Math.abs(kept - share)).toBeLessThan(0.15 * share + 0.002);
  }
});

test("none is kept at 0 % and all are at 100 %", () => {
  const ids = idsOf(3, 300);
  expect(ids.some((id) => isSampled(id, null, 0))).toBe(false);
  expect(ids.every((id) => isSampled(id, null, 1))).toBe(true);
});

test("what is kept at a share is kept at every larger one", () => {
  const shares = fc.tuple(
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.double({ min: 0, max: 1, noNaN: true }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 53 - 1 }), shares, (id, [a, b]) => {
      const [low, high] = [Math.min(a, b), Math.max(a, b)];
      if (isSampled(id, null, low)) expect(isSampled(id, null, high)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test("a request's own trace decides for itself, whatever the share", () => {
  expect(isSampled(START, traceOf("01"), 0)).toBe(true);
  expect(isSampled(START, traceOf("00"), 1)).toBe(false);
});

const ended = (change: Partial<Omit<Ended, "verdict">> & Partial<Ended["verdict"]> = {}): Ended => {
  const { message = START, kind = "delivered", doubt = false, ...rest } = change;
  return { trace: null, attempts: 0, tookMs: 10, ...rest, verdict: { message, kind, doubt } };
};

test.each<[string, string, Ended]>([
  ["a plain delivery", "nothing", ended()],
  ["a deferral", "error", ended({ kind: "deferred" })],
  ["a bounce", "error", ended({ kind: "failed" })],
  ["a bounce whose trace nobody wants", "error", ended({ kind: "failed", trace: traceOf("00") })],
  ["a doubt", "error", ended({ doubt: true })],
  ["what was given back untried", "nothing", ended({ kind: "interrupted" })],
  ["what took as long as the threshold", "slow", ended({ tookMs: 5000 })],
  ["a delivery after a deferral", "retry", ended({ attempts: 1 })],
  ["a caller's trace", "caller", ended({ trace: traceOf("01") })],
])("at a share of 0, of %s is told: %s", (_, why, what) => {
  expect(keptWhy(what, { share: 0, slowMs: 5000 }) ?? "nothing").toBe(why);
});

test("with 100 % a plain delivery is kept by share", () => {
  expect(keptWhy(ended(), { share: 1, slowMs: 5000 })).toBe("share");
});
