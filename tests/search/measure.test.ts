// What the reader tells of the queue as metrics.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { createMeter } from "../../src/base/meter.ts";
import { boundsOf } from "../../src/mail/metrics.ts";
import { createSeldom } from "../../src/search/ages.ts";
import { attempt, createStage, NOW, type Stage } from "./stage.ts";

let stage: Stage;
beforeEach(() => {
  stage = createStage();
});
afterEach(() => stage.remove());

test("the gauges tell the age of the oldest message that waits, and how far the index lags", async () => {
  const { id } = stage.accept({ priority: 0 });
  stage.accept();
  expect(gauges()).toEqual({ lag: 2, p0: 0, p1: 0, p2: 0 });
  await stage.reader.ask({ ask: "queue" });
  expect(gauges()).toEqual({ lag: 0, p0: 60, p1: 60, p2: 0 });
  stage.settle(id, { step: attempt() });
  expect(gauges()).toEqual({ lag: 1, p0: 0, p1: 60, p2: 0 });
});

function gauges(): Record<string, number> {
  const values = samples().flatMap((one) => {
    if (one.name === "postrider_search_lag_events") return [["lag", one.value] as const];
    if (one.name !== "postrider_queue_oldest_age_seconds") return [];
    return [[one.labels["priority"] ?? "", one.value] as const];
  });
  return Object.fromEntries(values);
}

function samples() {
  const meter = createMeter(boundsOf);
  stage.reader.measure(meter);
  return meter.drain().flatMap((one) => (one.kind === "gauge" ? [one] : []));
}

/** `p1 5m`: how many. */
function ages(): Record<string, number> {
  return Object.fromEntries(
    samples()
      .filter((one) => one.name === "postrider_queue_age_messages" && one.value > 0)
      .map(({ labels, value }) => [`${labels["priority"]} ${labels["age"]}`, value]),
  );
}

test("what waits is counted by its age and priority, and what is final is not", async () => {
  const MINUTE_MS = 60_000;
  for (const minutes of [0, 2, 3, 50, 60 * 24 * 30])
    stage.accept({ at: NOW + 30_000 - minutes * MINUTE_MS });
  const { id } = stage.accept({ priority: 0, at: NOW - 20 * MINUTE_MS });
  await stage.reader.ask({ ask: "queue" });
  expect(ages()).toEqual({ "p1 1m": 1, "p1 5m": 2, "p1 1h": 1, "p1 older": 1, "p0 1h": 1 });
  stage.settle(id, { step: attempt() });
  // What was just counted is not counted again at once; a new reader counts anew.
  stage.reopenReader();
  await stage.reader.ask({ ask: "queue" });
  expect(ages()["p0 1h"]).toBeUndefined();
});

test("much is counted seldom", () => {
  let counted = 0;
  const count = createSeldom(
    () => ++counted,
    () => 1_000_000,
  );
  for (const now of [0, 1000, 14_000, 15_000, 16_000]) count(now);
  expect(counted).toBe(2);
});
