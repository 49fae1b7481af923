import { expect, test } from "bun:test";
import type { Span } from "../../src/report/span.ts";
import {
  BATCH_MS,
  BATCH_SPANS,
  createSpanQueue,
  type Sent,
  type SpanResult,
  SPANS_MAX,
  TRIES_MAX,
} from "../../src/report/spanQueue.ts";
import { createSimClock } from "../sim/time.ts";

const SPAN: Span = {
  ...{ traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", parentId: null },
  ...{ isRemoteParent: false, state: "", name: "a", kind: "internal", startAt: 0, endAt: 1 },
  ...{ attributes: {}, error: null, events: [] },
};
const spans = (count: number): Span[] => Array.from({ length: count }, () => SPAN);
const taken: Sent = { kind: "sent", rejected: 0, text: "" };

function createRig(answer: (request: number, signal: AbortSignal) => Sent | Promise<Sent>) {
  const clock = createSimClock(0);
  const sent: { readonly at: number; readonly spans: number }[] = [];
  const counted: Record<SpanResult, number> = { exported: 0, dropped: 0, failed: 0, rejected: 0 };
  const lines: string[] = [];
  const queue = createSpanQueue({
    clock,
    log: (level, event) => lines.push(`${level} ${event}`),
    roll: () => 0,
    send: async (batch, signal) => {
      sent.push({ at: clock.monotonicMs(), spans: batch.length });
      return answer(sent.length, signal);
    },
    count: (result, count) => void (counted[result] += count),
  });
  /** Turns of the event loop go on between the steps of the clock. */
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
  return { clock, queue, sent, counted, lines, pass };
}

test("spans wait for company, but not for long", async () => {
  const { queue, sent, counted, pass } = createRig(() => taken);
  queue.add(spans(3));
  await pass(BATCH_MS / 2);
  queue.add(spans(2));
  expect(sent).toEqual([]);
  await pass(BATCH_MS);
  expect(sent).toEqual([{ at: BATCH_MS, spans: 5 }]);
  expect(counted.exported).toBe(5);
});

test("a full batch leaves at once", async () => {
  const { queue, sent, pass } = createRig(() => taken);
  queue.add(spans(BATCH_SPANS + 1));
  await pass(1);
  expect(sent).toEqual([{ at: 0, spans: BATCH_SPANS }]);
  await pass(BATCH_MS);
  expect(sent.map((one) => one.spans)).toEqual([BATCH_SPANS, 1]);
});

test("a collector that is down is tried again with longer waits, and then the batch is lost and counted", async () => {
  const { queue, sent, counted, lines, pass } = createRig(() => {
    return { kind: "later", afterMs: undefined, text: "refused" };
  });
  queue.add(spans(7));
  await pass(120_000);
  expect(sent.map(({ at }) => at)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000]);
  expect(sent).toHaveLength(TRIES_MAX);
  expect(counted).toEqual({ exported: 0, dropped: 0, failed: 7, rejected: 0 });
  expect(lines).toEqual(["warn otlp.failing"]);
});

test("what the collector asks for is waited", async () => {
  const { queue, sent, counted, lines, pass } = createRig((request) =>
    request === 1 ? { kind: "later", afterMs: 5_000, text: "503" } : taken,
  );
  queue.add(spans(7));
  await pass(10_000);
  expect(sent.map(({ at }) => at)).toEqual([1_000, 6_000]);
  expect(counted.exported).toBe(7);
  expect(lines).toEqual(["warn otlp.failing", "info otlp.recovered"]);
});

test("a collector may not ask for more than the bound", async () => {
  const { queue, sent, pass } = createRig((request) =>
    request === 1 ? { kind: "later", afterMs: 86_400_000, text: "503" } : taken,
  );
  queue.add(spans(1));
  await pass(60_000);
  expect(sent.map(({ at }) => at)).toEqual([1_000, 31_000]);
});

test("what is refused for good is not tried again", async () => {
  const { queue, sent, counted, pass } = createRig(() => ({ kind: "refused", text: "400" }));
  queue.add(spans(7));
  await pass(60_000);
  expect(sent).toHaveLength(1);
  expect(counted.failed).toBe(7);
});

test("of a partial success what was rejected is counted", async () => {
  const { queue, counted, lines, pass } = createRig(() => {
    return { kind: "sent", rejected: 2, text: "too old" };
  });
  queue.add(spans(7));
  await pass(5_000);
  expect(counted).toEqual({ exported: 5, dropped: 0, failed: 0, rejected: 2 });
  expect(lines).toEqual(["warn otlp.failing"]);
});

test("while a collector hangs the line fills to its bound, and the rest is dropped and counted", async () => {
  const { queue, counted, pass } = createRig(() => new Promise<Sent>(() => {}));
  queue.add(spans(BATCH_SPANS));
  await pass(10);
  expect(queue.hasRoom(false)).toBe(true);
  queue.add(spans(SPANS_MAX - 10));
  expect([queue.hasRoom(false), queue.hasRoom(true)]).toEqual([false, true]);
  queue.add(spans(20));
  expect(queue.hasRoom(true)).toBe(false);
  queue.add(spans(1));
  expect(counted.dropped).toBe(11);
});

test("at the end what waits is sent", async () => {
  const { queue, sent, counted, pass } = createRig(() => taken);
  queue.add(spans(BATCH_SPANS - 1));
  queue.add(spans(2));
  const closed = queue.close(2_000);
  await pass(10);
  await closed;
  expect(sent.map((one) => one.spans)).toEqual([BATCH_SPANS, 1]);
  expect(counted.exported).toBe(BATCH_SPANS + 1);
  queue.add(spans(1));
  expect(counted.dropped).toBe(1);
});

test("the end does not wait for a collector that hangs", async () => {
  const { queue, counted, pass } = createRig((_, signal) => {
    return new Promise<Sent>((resolve) => {
      const text = "given up";
      signal.addEventListener("abort", () => resolve({ kind: "later", afterMs: 1, text }));
    });
  });
  queue.add(spans(BATCH_SPANS + 3));
  const closed = queue.close(2_000);
  await pass(2_001);
  await closed;
  expect(counted).toEqual({ exported: 0, dropped: 3, failed: BATCH_SPANS, rejected: 0 });
});

test("the end does not wait for the next try either", async () => {
  const { queue, counted, pass } = createRig(() => {
    return { kind: "later", afterMs: 30_000, text: "503" };
  });
  queue.add(spans(3));
  await pass(1_500);
  const closed = queue.close(2_000);
  await pass(10);
  await closed;
  expect(counted.failed).toBe(3);
});
