// What a thread tells of itself.
import { expect, test } from "bun:test";
import { createMeter } from "../../src/base/meter.ts";
import { boundsOf } from "../../src/mail/metrics.ts";
import { createThreadFigures } from "../../src/roles/threadFigures.ts";

test("a stall is told for as long as whoever scrapes may take to look, and then no more", () => {
  const meter = createMeter(boundsOf);
  let nowMs = 0;
  const tell = createThreadFigures(meter, { monotonicMs: () => nowMs }, "queue");
  const lags: number[] = [];
  for (let second = 0; second < 20; second++) {
    nowMs = second * 1000 + (second === 2 ? 700 : 1);
    tell(second * 1000);
    for (const sample of meter.drain())
      if (sample.name === "postrider_thread_lag_seconds" && sample.kind === "gauge")
        lags.push(sample.value);
  }
  // Only changes are told.
  expect(lags).toEqual([0.001, 0.7, 0.001]);
});

test("CPU time only grows, by what was used since", () => {
  const meter = createMeter(boundsOf);
  const tell = createThreadFigures(meter, { monotonicMs: () => 0 }, "door");
  let sum = 0;
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 1e6; i++) sum += Math.sqrt(i);
    tell(0);
    const cpu = meter.drain().find(({ name }) => name === "postrider_thread_cpu_seconds_total");
    expect(cpu?.kind === "counter" ? cpu.delta : -1).toBeGreaterThan(0);
  }
  expect(sum).toBeGreaterThan(0);
});
