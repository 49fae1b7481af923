import { expect, test } from "bun:test";
import { noLog } from "../../src/base/log.ts";
import { createMeter } from "../../src/base/meter.ts";
import type { Config } from "../../src/config.ts";
import { boundsOf } from "../../src/mail/metrics.ts";
import type { Accept } from "../../src/mail/submission.ts";
import { createTelemetry } from "../../src/roles/telemetry.ts";
import { attempt, recipient, step, TAG } from "../report/spanStage.ts";

const off = {
  ...{ otlpEndpoint: null, otlpHeaders: null, otlpMetrics: false, tlsCaFile: null },
  ...{ traceSample: 1, traceSlowMs: 5_000, traceRecipients: "domain" },
} as unknown as Config;
/** Nobody listens there. */
const on = { ...off, otlpEndpoint: "http://127.0.0.1:1/" } as Config;

function create(config: Config) {
  const meter = createMeter(boundsOf);
  const telemetry = createTelemetry({
    ...{ config, log: noLog, meter, tag: TAG, version: "1.2.3" },
    metrics: { snapshot: () => ({ at: 0, startedAt: 0, families: [] }) },
    order: () => Promise.reject(new Error("a literal address needs no lookup")),
  });
  const counted = (): Record<string, number> =>
    Object.fromEntries(
      meter
        .drain()
        .filter(({ name }) => name === "postrider_trace_spans_total")
        .map((one) => [one.labels["result"] ?? "", one.kind === "counter" ? one.delta : 0]),
    );
  return { telemetry, counted };
}

const told = {
  say: "attempted",
  attempts: [attempt({ cameAt: 1, endedAt: 2 }, [recipient(step(1))])],
  dropped: 2,
} as const;

test("without a collector a call passes as it is, and what is told is let go", async () => {
  const { telemetry, counted } = create(off);
  const promise = Promise.resolve({ kind: "accepted" } as const);
  const accept: Accept = () => promise;
  expect(telemetry.watch(accept)([])).toBe(promise);
  telemetry.heard(told);
  await telemetry.close();
  expect(counted()).toEqual({});
});

test("a collector that comes and goes by a reload takes what was told between", async () => {
  const { telemetry, counted } = create(off);
  telemetry.configure(on);
  telemetry.heard(told);
  telemetry.configure(off);
  telemetry.heard(told);
  await telemetry.close();
  // Nobody was there: an attempt, its beginning and nothing else, and the two that the sender had no room for.
  expect(counted()).toEqual({ failed: 2, dropped: 2 });
});
