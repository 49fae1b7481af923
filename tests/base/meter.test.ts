// Counting within one thread: what is told, when, and what is not.
import { expect, test } from "bun:test";
import { createMeter } from "../../src/base/meter.ts";
import { boundsOf, hasExemplars } from "../../src/mail/metrics.ts";

const createMeasure = () => createMeter(boundsOf, { hasExemplars });

test("tells each series once as it is made, and then only what changed", () => {
  const meter = createMeasure();
  const counter = meter.counter("postrider_doubts_total");
  meter.gauge("smtp_sessions_active");
  expect(meter.drain()).toHaveLength(2);
  expect(meter.drain()).toEqual([]);
  counter.add(2);
  expect(meter.drain()).toMatchObject([{ name: "postrider_doubts_total", delta: 2 }]);
});

test("off, it counts nothing, and tells what is all the same", () => {
  const meter = createMeasure();
  const counter = meter.counter("postrider_doubts_total");
  const gauge = meter.gauge("smtp_sessions_active");
  meter.drain();
  meter.turn(false);
  counter.add(5);
  gauge.set(3);
  expect(meter.drain()).toMatchObject([{ name: "smtp_sessions_active", value: 3 }]);
  expect(meter.drain()).toEqual([]);
  meter.turn(true);
  expect(meter.drain()).toEqual([]);
});

test("off, series that are made do not pile up", () => {
  const meter = createMeter(boundsOf, { on: false });
  meter.apart.counter("smtp_session_errors_total", { site: "a", phase: "rcpt", reason: "closed" });
  expect(meter.drain()).toHaveLength(1);
  expect(meter.drain()).toEqual([]);
});

test("a series apart is told although the meter does not remember it", () => {
  const meter = createMeasure();
  const labels = { site: "a.example" };
  meter.apart.gauge("postrider_site_paused", labels).set(1);
  meter.apart.gauge("postrider_site_paused", labels).set(2);
  expect(meter.drain()).toMatchObject([{ value: 1 }, { value: 2 }]);
});
