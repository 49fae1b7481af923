// What the queue counts. Series are looked up once and kept; labels of sites are bounded.
import type { Meter } from "../base/meter.ts";
import { priorities, type Priority } from "../mail/message.ts";
import { isFinal } from "../mail/state.ts";
import { troubleClasses, type Verdict } from "../mail/verdict.ts";
import type { QueueStore } from "./store.ts";

/** So many sites have series of their own, the first that are met; the rest share `other`. */
const SITE_LABELS_MAX = 100;

type Final = "delivered" | "bounced" | "expired" | "canceled" | "suppressed";

export interface Measure {
  committed(durationMs: number, messages: number): void;
  verdict(site: string, verdict: Verdict): void;
  ended(result: Final): void;
  delivered(priority: Priority, tookMs: number): void;
  /** So many leases ended without a verdict. */
  lost(leases: number): void;
  paused(site: string, isPaused: boolean): void;
  /** Gauges, from counts that the store keeps anyway: called before the meter is drained. */
  gauges(): void;
}

export function createMeasure(meter: Meter, store: QueueStore): Measure {
  const commitSeconds = meter.histogram("postrider_commit_duration_seconds");
  const commitMessages = meter.histogram("postrider_commit_batch_messages");
  const doubts = meter.counter("postrider_doubts_total");
  const results = (result: Final) => meter.counter("postrider_recipients_total", { result });
  const ends = {
    delivered: results("delivered"),
    bounced: results("bounced"),
    expired: results("expired"),
    canceled: results("canceled"),
    suppressed: results("suppressed"),
  };
  // All of them from the start: the first refusal of a class must be a step that a rate can see.
  const alerts = new Map(
    troubleClasses.map((name) => [name, meter.counter("postrider_alerts_total", { class: name })]),
  );
  const took = priorities.map((priority) =>
    meter.histogram("postrider_accept_to_delivered_seconds", { priority: `p${priority}` }),
  );
  const attempts = new Map<string, Map<string, ReturnType<Meter["counter"]>>>();
  const shown = new Map<string, ReturnType<Meter["gauge"]>>();

  const attemptsOfSite = (name: string): Map<string, ReturnType<Meter["counter"]>> => {
    const site = attempts.has(name) || attempts.size < SITE_LABELS_MAX ? name : "other";
    let series = attempts.get(site);
    if (series === undefined) {
      series = new Map();
      attempts.set(site, series);
    }
    return series;
  };

  return {
    committed(durationMs, messages) {
      commitSeconds.observe(durationMs / 1000);
      if (messages > 0) commitMessages.observe(messages);
    },
    verdict(name, verdict) {
      const series = attemptsOfSite(name);
      const key = verdict.kind + verdict.class;
      let counter = series.get(key);
      if (counter === undefined) {
        const site = attempts.get(name) === series ? name : "other";
        const labels = { site, result: verdict.kind, class: verdict.class };
        counter = meter.counter("postrider_attempts_total", labels);
        series.set(key, counter);
      }
      counter.add();
      if (verdict.doubt) doubts.add();
      if (verdict.alert !== undefined) alerts.get(verdict.class)?.add();
    },
    ended: (result) => ends[result].add(),
    delivered: (priority, tookMs) => took[priority]?.observe(Math.max(0, tookMs) / 1000),
    lost: (leases) => doubts.add(leases),
    paused(name, isPaused) {
      // Sites without a series of their own are not told: one gauge cannot speak for many.
      if (attemptsOfSite(name) !== attempts.get(name)) return;
      meter.gauge("postrider_site_paused", { site: name }).set(isPaused ? 1 : 0);
    },
    gauges() {
      const counts = new Map<string, number>();
      for (const { state, priority, recipients } of store.tally())
        if (!isFinal(state)) counts.set(`${state} p${priority}`, recipients);
      for (const key of counts.keys()) {
        const [state = "", priority = ""] = key.split(" ");
        if (shown.has(key)) continue;
        shown.set(key, meter.gauge("postrider_queue_recipients", { state, priority }));
      }
      for (const [key, gauge] of shown) gauge.set(counts.get(key) ?? 0);
    },
  };
}
