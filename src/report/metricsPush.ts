// All metrics, pushed to the collector now and then, for hosts that nobody can scrape. What one push misses the next one has, since
// everything is counted from the start: nothing is kept, and nothing is tried again.
import type { Clock, Timer } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { MetricsSnapshot } from "./metrics.ts";
import { createStanding } from "./otlpStanding.ts";
import type { Sent } from "./spanQueue.ts";

export interface MetricsPushDeps {
  readonly clock: Clock;
  readonly log: Log;
  snapshot(): MetricsSnapshot;
  send(snapshot: MetricsSnapshot, signal: AbortSignal): Promise<Sent>;
}

export interface MetricsPush {
  /** A last push within the time. */
  close(withinMs: number): Promise<void>;
}

export const PUSH_EVERY_MS = 15_000;

export function createMetricsPush(deps: MetricsPushDeps): MetricsPush {
  const { clock } = deps;
  const tell = createStanding(deps.log, "metrics");
  const closing = new AbortController();
  let pushing: Promise<void> | undefined;
  let timer: Timer;

  const push = async (): Promise<void> => {
    const sent = await deps.send(deps.snapshot(), closing.signal);
    tell(sent.kind === "sent" && sent.rejected === 0 ? null : sent.text);
  };
  const again = (): void => {
    // A collector that is slower than the interval is asked less often.
    pushing ??= push().finally(() => (pushing = undefined));
    timer = clock.after(PUSH_EVERY_MS, again);
  };
  timer = clock.after(PUSH_EVERY_MS, again);

  return {
    async close(withinMs) {
      timer.cancel();
      const late = clock.after(withinMs, () => closing.abort());
      await pushing;
      if (!closing.signal.aborted) await push();
      late.cancel();
    },
  };
}
