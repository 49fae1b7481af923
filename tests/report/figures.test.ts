// The last minutes in numbers: rates that are true however the reports of threads fall, percentiles, gauges, and points that never end.
import { expect, test } from "bun:test";
import type { Labels, Sample } from "../../src/base/meter.ts";
import { POINT_MS, POINTS_KEPT } from "../../src/mail/figures.ts";
import { boundsOf } from "../../src/mail/metrics.ts";
import { quantileMs } from "../../src/report/buckets.ts";
import { createFigures } from "../../src/report/figures.ts";
import { createSimClock } from "../sim/time.ts";

const START = Date.UTC(2026, 10, 23, 12);

function counter(name: string, delta: number, labels: Labels = {}): Sample {
  return { kind: "counter", name, labels, delta };
}
function gauge(name: string, value: number, labels: Labels = {}): Sample {
  return { kind: "gauge", name, labels, value };
}
const accepted = (delta: number): Sample =>
  counter("postrider_messages_accepted_total", delta, { door: "http" });
const ended = (result: string, delta: number): Sample =>
  counter("postrider_recipients_total", delta, { result });
const attempted = (site: string, result: string, delta: number): Sample =>
  counter("postrider_attempts_total", delta, { site, result, class: "none" });

function stage() {
  const clock = createSimClock(START);
  const figures = createFigures({ clock });
  const pass = (ms: number): void => {
    const until = clock.monotonicMs() + ms;
    while (clock.step(until));
  };
  const last = () => figures.points().at(-1);
  return { clock, figures, pass, last };
}

test("a rate is what was counted by the time that it was counted in", () => {
  const { figures, pass, last } = stage();
  // Reports fall three times into some points and twice or four times into others.
  const seen: number[] = [];
  for (let i = 0; i < 60; i++) {
    pass(637);
    figures.hear("door", [accepted(63.7)]);
    if (i > 8) seen.push(last()?.accepted_per_second ?? 0);
  }
  for (const rate of seen) expect(rate).toBeCloseTo(100, 1);
});

test("what ended is told by its end, and totals grow on", () => {
  const { figures, pass, last } = stage();
  pass(999);
  figures.hear("queue", [
    ...[ended("delivered", 8), ended("bounced", 2), ended("expired", 1), ended("canceled", 5)],
    ...[attempted("a.test", "deferred", 4), counter("postrider_doubts_total", 1)],
  ]);
  pass(1000);
  figures.hear("queue", []);
  pass(1);
  expect(last()?.delivered_per_second).toBeCloseTo(4, 1);
  expect(last()?.bounced_per_second).toBeCloseTo(1.5, 1);
  expect(last()?.deferred_per_second).toBeCloseTo(2, 1);
  expect(figures.totals()).toEqual({
    ...{ accepted: 0, delivered: 8, bounced: 2, expired: 1, deferrals: 4, doubts: 1 },
  });
});

test("a point without reports says nothing happened", () => {
  const { pass, last } = stage();
  pass(POINT_MS);
  expect(last()).toMatchObject({
    accepted_per_second: 0,
    accept_p50_ms: null,
    delivery_p99_ms: null,
    queued: 0,
  });
});

test("latencies are those of the point alone", () => {
  const { figures, pass, last } = stage();
  const name = "postrider_accept_duration_seconds";
  const bounds = boundsOf(name);
  const counts = bounds.map((bound) => (bound === 0.005 ? 98 : bound === 0.5 ? 2 : 0));
  figures.hear("door", [{ kind: "histogram", name, labels: {}, counts, sum: 1 }]);
  pass(POINT_MS);
  expect(last()?.accept_p50_ms).toBeGreaterThan(2.5);
  expect(last()?.accept_p50_ms).toBeLessThanOrEqual(5);
  expect(last()?.accept_p99_ms).toBeGreaterThan(250);
  pass(POINT_MS);
  expect(last()?.accept_p50_ms).toBeNull();
});

test("a percentile lies within its bucket, and beyond the last one it is the last bound", () => {
  expect(quantileMs([1, 2, 4], [0, 4, 0, 0], 0.5)).toBe(1500);
  expect(quantileMs([1, 2, 4], [0, 0, 0, 3], 0.99)).toBe(4000);
  expect(quantileMs([1, 2, 4], [], 0.5)).toBeNull();
});

test("the queue is told by state, by age and by its oldest, over all threads", () => {
  const { figures } = stage();
  figures.hear("queue", [
    gauge("postrider_queue_recipients", 7, { state: "queued", priority: "p1" }),
    gauge("postrider_queue_recipients", 2, { state: "deferred", priority: "p0" }),
  ]);
  figures.hear("reader", [
    gauge("postrider_queue_age_messages", 5, { priority: "p1", age: "1m" }),
    gauge("postrider_queue_age_messages", 3, { priority: "p0", age: "1m" }),
    gauge("postrider_queue_age_messages", 1, { priority: "p0", age: "older" }),
    gauge("postrider_queue_oldest_age_seconds", 120, { priority: "p1" }),
    gauge("postrider_queue_oldest_age_seconds", 0, { priority: "p0" }),
  ]);
  const queue = figures.queue();
  expect(queue.recipients).toBe(9);
  expect(queue.states).toContainEqual({ state: "queued", p0: 0, p1: 7, p2: 0 });
  expect(queue.states).toContainEqual({ state: "deferred", p0: 2, p1: 0, p2: 0 });
  expect(queue.oldest_age_seconds).toEqual({ p0: null, p1: 120, p2: null });
  expect(queue.ages[0]).toEqual({ up_to_seconds: 60, messages: 8 });
  expect(queue.ages.at(-1)).toEqual({ up_to_seconds: null, messages: 1 });
});

test("a thread that is gone takes its gauges along, and what it counted stays", () => {
  const { figures } = stage();
  figures.hear("sender-0", [gauge("postrider_thread_lag_seconds", 2, { thread: "sender-0" })]);
  figures.hear("sender-0", [ended("delivered", 3)]);
  expect(figures.threads()).toEqual([{ thread: "sender-0", lag_ms: 2000 }]);
  figures.forget("sender-0");
  expect(figures.threads()).toEqual([]);
  expect(figures.totals().delivered).toBe(3);
});

test("sites have rates of their own over ten seconds, then fade; what is counted as one is not told", () => {
  const { figures, pass } = stage();
  for (let i = 0; i < 5; i++) {
    pass(1000);
    figures.hear("queue", [attempted("a.test", "delivered", 10), attempted("a.test", "failed", 1)]);
    pass(1000);
    figures.hear("queue", [attempted("a.test", "delivered", 10)]);
  }
  pass(10);
  expect(figures.siteRates("a.test")?.delivered_per_second).toBeCloseTo(10, 0);
  expect(figures.siteRates("a.test")?.failed_per_second).toBeCloseTo(0.5, 0);
  expect(figures.siteRates("b.test")?.delivered_per_second).toBe(0);
  pass(7 * POINT_MS);
  expect(figures.siteRates("a.test")?.delivered_per_second).toBe(0);
  figures.hear("queue", [attempted("other", "delivered", 5)]);
  pass(POINT_MS);
  expect(figures.siteRates("b.test")).toBeNull();
});

test("five minutes are kept, by ids that grow by one, also over a restart", () => {
  const { figures, pass, clock } = stage();
  pass(POINT_MS * (POINTS_KEPT + 20));
  const points = figures.points();
  expect(points).toHaveLength(POINTS_KEPT);
  points.forEach(({ id }, i) => expect(id).toBe((points[0]?.id ?? 0) + i));
  const last = points.at(-1)?.id ?? 0;
  expect(figures.points(last - 3)).toHaveLength(3);
  expect(figures.points(last)).toEqual([]);
  expect(figures.points(last + 1000)).toHaveLength(POINTS_KEPT);
  expect(figures.points(1)).toHaveLength(POINTS_KEPT);
  pass(POINT_MS);
  const again = createFigures({ clock });
  pass(POINT_MS);
  expect(again.points()[0]?.id).toBeGreaterThan(last);
});

test("whoever listens is told of each point, and at last that there are no more", () => {
  const { figures, pass } = stage();
  const heard: boolean[] = [];
  const listening = figures.onPoint((more) => void heard.push(more));
  pass(POINT_MS * 2);
  expect(heard).toEqual([true, true]);
  listening?.close();
  figures.onPoint((more) => void heard.push(more));
  figures.stop();
  expect(heard).toEqual([true, true, false]);
  expect(figures.onPoint(() => {})).toBeNull();
  pass(POINT_MS * 2);
  expect(figures.points()).toHaveLength(2);
});
