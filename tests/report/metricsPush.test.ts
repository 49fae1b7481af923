import { expect, test } from "bun:test";
import type { MetricsSnapshot } from "../../src/report/metrics.ts";
import { createMetricsPush, PUSH_EVERY_MS } from "../../src/report/metricsPush.ts";
import type { Sent } from "../../src/report/spanQueue.ts";
import { createSimClock } from "../sim/time.ts";

const taken: Sent = { kind: "sent", rejected: 0, text: "" };
const down: Sent = { kind: "later", afterMs: undefined, text: "refused" };

function createRig(answer: (push: number, signal: AbortSignal) => Sent | Promise<Sent>) {
  const clock = createSimClock(0);
  const sent: number[] = [];
  const lines: string[] = [];
  const snapshot = (): MetricsSnapshot => ({ at: clock.now(), startedAt: 0, families: [] });
  const push = createMetricsPush({
    ...{ clock, snapshot },
    log: (level, event, fields) => lines.push(`${level} ${event} ${String(fields?.["signal"])}`),
    send: async ({ at }, signal) => {
      sent.push(at);
      return answer(sent.length, signal);
    },
  });
  const pass = async (ms: number): Promise<void> => {
    let passed = false;
    const until = clock.monotonicMs() + ms;
    clock.after(ms, () => (passed = true));
    while (!passed) {
      for (let i = 0; i < 10; i++) await Promise.resolve();
      clock.step(until);
    }
    for (let i = 0; i < 10; i++) await Promise.resolve();
  };
  return { push, sent, lines, pass };
}

test("metrics leave at their interval, and once more at the end", async () => {
  const { push, sent, lines, pass } = createRig(() => taken);
  await pass(2 * PUSH_EVERY_MS + 1);
  const closed = push.close(2_000);
  await pass(1);
  await closed;
  await pass(2 * PUSH_EVERY_MS);
  expect(sent).toEqual([PUSH_EVERY_MS, 2 * PUSH_EVERY_MS, 2 * PUSH_EVERY_MS + 1]);
  expect(lines).toEqual([]);
});

test("a collector that is down is told of once, and so is its return", async () => {
  const { lines, pass } = createRig((push) => (push < 4 ? down : taken));
  await pass(6 * PUSH_EVERY_MS);
  expect(lines).toEqual(["warn otlp.failing metrics", "info otlp.recovered metrics"]);
});

test("a collector that is slower than the interval is asked again when it has answered", async () => {
  const answers: ((sent: Sent) => void)[] = [];
  const { sent, pass } = createRig(() => new Promise((resolve) => void answers.push(resolve)));
  await pass(3 * PUSH_EVERY_MS + 1);
  expect(sent).toHaveLength(1);
  answers[0]?.(taken);
  await pass(PUSH_EVERY_MS);
  expect(sent).toHaveLength(2);
});

test("the end does not wait for a collector that hangs", async () => {
  const { push, sent, pass } = createRig((_, signal) => {
    return new Promise((resolve) => signal.addEventListener("abort", () => resolve(down)));
  });
  await pass(PUSH_EVERY_MS + 1);
  const closed = push.close(2_000);
  await pass(2_001);
  await closed;
  expect(sent).toHaveLength(1);
});
