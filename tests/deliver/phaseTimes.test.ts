// How long a site's replies take: percentiles that are near the truth, that follow a change, and that are bounded in number.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { createPhaseTimes } from "../../src/deliver/phaseTimes.ts";

const near = (told: number, true_: number): boolean =>
  Math.abs(told - true_) <= true_ * 0.26 + 1 / 16 + 0.001;

test("percentiles are those of what was noted, within a quarter", () => {
  const some = fc.array(fc.double({ min: 0, max: 600_000, noNaN: true }), {
    minLength: 1,
    maxLength: 400,
  });
  fc.assert(
    fc.property(some, (durations) => {
      const times = createPhaseTimes();
      const site = times.of("mx.test");
      for (const ms of durations) site.note("rcpt", ms);
      const [rcpt] = times.view("mx.test");
      const sorted = durations.toSorted((a, b) => a - b);
      const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
      expect(rcpt?.replies).toBe(durations.length);
      expect([rcpt?.p50_ms, at(0.5), near(rcpt?.p50_ms ?? -1, at(0.5))]).toEqual([
        rcpt?.p50_ms,
        at(0.5),
        true,
      ]);
      expect(near(rcpt?.p95_ms ?? -1, at(0.95))).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test("the slowest phase stands first", () => {
  const times = createPhaseTimes();
  const site = times.of("mx.test");
  for (let i = 0; i < 20; i++) {
    site.note("mail", 3);
    site.note("rcpt", 2500);
    site.note("dot", 40);
  }
  expect(times.view("mx.test").map(({ phase }) => phase)).toEqual(["rcpt", "dot", "mail"]);
});

test("what was long ago fades", () => {
  const times = createPhaseTimes();
  const site = times.of("mx.test");
  for (let i = 0; i < 5000; i++) site.note("rcpt", 3000);
  for (let i = 0; i < 20_000; i++) site.note("rcpt", 5);
  const [rcpt] = times.view("mx.test");
  expect(rcpt?.p95_ms).toBeLessThan(10);
  expect(rcpt?.replies).toBeLessThan(3000);
});

test("of a busy site some quick replies stand for all, whatever the order of its commands", () => {
  for (const commands of [1, 2, 3, 4, 5, 7, 8, 16]) {
    const times = createPhaseTimes();
    const site = times.of("mx.test");
    for (let i = 0; i < 40_000; i++)
      site.note(`c${i % commands}`, i % (10 * commands) < commands ? 800 : 4);
    for (const { p50_ms, p95_ms } of times.view("mx.test")) {
      // Nine of ten are quick, one is slow.
      expect([commands, p50_ms < 5, p95_ms > 600]).toEqual([commands, true, true]);
    }
    expect(times.view("mx.test")).toHaveLength(commands);
  }
});

test("a thousand sites are remembered, the ones that were opened last", () => {
  const times = createPhaseTimes();
  for (let i = 0; i < 1001; i++) times.of(`mx${i}.test`).note("ehlo", 1);
  expect(times.view("mx0.test")).toEqual([]);
  expect(times.view("mx1.test")).toHaveLength(1);
});
