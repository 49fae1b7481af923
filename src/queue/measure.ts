// What the queue counts. Series are looked up once and kept; which sites are told by name is decided where all threads are added up.
import { keepNewest } from "../base/keepNewest.ts";
import type { Counter, Gauge, Meter } from "../base/meter.ts";
import { priorities, type Priority } from "../mail/message.ts";
import { isFinal } from "../mail/state.ts";
import { troubleClasses, type Verdict } from "../mail/verdict.ts";
import type { QueuePolicy } from "./policy.ts";
import type { QueueStore } from "./store.ts";

/** Sites whose series are at hand; those of others are made anew when something happens there. */
const SITES_KEPT_MAX = 1000;

type Final = "delivered" | "bounced" | "expired" | "canceled" | "suppressed";

/** What is delivered, as far as it is measured. */
interface Delivered {
  readonly message: number;
  readonly priority: Priority;
  readonly trace: string | undefined;
}

export interface Measure {
  committed(durationMs: number, messages: number): void;
  /** The disk refused a transaction. */
  failed(): void;
  verdict(site: string, verdict: Verdict): void;
  ended(result: Final): void;
  delivered(what: Delivered, tookMs: number): void;
  /** So many leases ended without a verdict. */
  lost(leases: number): void;
  paused(site: string, isPaused: boolean): void;
  /** Gauges, from counts that are kept anyway: called before the meter is drained. */
  gauges(room: Room): void;
}

/** What is owed in bytes, the limits, and whether mail is taken. */
export interface Room {
  readonly bytes: number;
  readonly policy: Pick<QueuePolicy, "queueMessagesMax" | "queueBytesMax">;
  readonly isOpen: boolean;
}

interface SiteSeries {
  readonly attempts: Map<string, Counter>;
  paused: Gauge | undefined;
}

export function createMeasure(meter: Meter, store: QueueStore): Measure {
  const commitSeconds = meter.histogram("postrider_commit_duration_seconds");
  const commitMessages = meter.histogram("postrider_commit_batch_messages");
  const failures = meter.counter("postrider_commit_failures_total");
  const doubts = meter.counter("postrider_doubts_total");
  const results = (result: Final) => meter.counter("postrider_recipients_total", { result });
  const ends = {
    delivered: results("delivered"),
    bounced: results("bounced"),
    expired: results("expired"),
    canceled: results("canceled"),
    suppressed: results("suppressed"),
  };
  const alerts = new Map(
    troubleClasses.map((name) => [name, meter.counter("postrider_alerts_total", { class: name })]),
  );
  const took = priorities.map((priority) =>
    meter.histogram("postrider_accept_to_delivered_seconds", { priority: `p${priority}` }),
  );
  const sites = new Map<string, SiteSeries>();
  let last: { readonly name: string; readonly series: SiteSeries } | undefined;
  const room = {
    bytes: meter.gauge("postrider_queue_bytes"),
    maxRecipients: meter.gauge("postrider_queue_max_recipients"),
    maxBytes: meter.gauge("postrider_queue_max_bytes"),
    accepting: meter.gauge("postrider_accepting"),
  };
  const shown = new Map<string, Gauge>();

  /** The least recently met one is forgotten first; what it has not told yet, it still tells. */
  const seriesOf = (name: string): SiteSeries => {
    if (last?.name === name) return last.series;
    const series = sites.get(name) ?? { attempts: new Map(), paused: undefined };
    sites.delete(name);
    sites.set(name, series);
    keepNewest(sites, SITES_KEPT_MAX);
    last = { name, series };
    return series;
  };

  return {
    committed(durationMs, messages) {
      commitSeconds.observe(durationMs / 1000);
      if (messages > 0) commitMessages.observe(messages);
    },
    failed: () => failures.add(),
    verdict(site, verdict) {
      if (!meter.isOn()) return;
      const { attempts } = seriesOf(site);
      const key = verdict.kind + verdict.class;
      let counter = attempts.get(key);
      if (counter === undefined) {
        const labels = { site, result: verdict.kind, class: verdict.class };
        counter = meter.apart.counter("postrider_attempts_total", labels);
        attempts.set(key, counter);
      }
      counter.add();
      if (verdict.doubt) doubts.add();
      if (verdict.alert !== undefined) alerts.get(verdict.class)?.add();
    },
    ended: (result) => ends[result].add(),
    delivered({ message, priority, trace }, tookMs) {
      took[priority]?.observe(Math.max(0, tookMs) / 1000, message, trace);
    },
    lost: (leases) => void (leases > 0 && doubts.add(leases)),
    paused(site, isPaused) {
      const series = seriesOf(site);
      series.paused ??= meter.apart.gauge("postrider_site_paused", { site });
      series.paused.set(isPaused ? 1 : 0);
    },
    gauges({ bytes, policy, isOpen }) {
      const counts = new Map<string, number>();
      for (const { state, priority, recipients } of store.tally())
        if (!isFinal(state)) counts.set(`${state} p${priority}`, recipients);
      for (const key of counts.keys()) {
        const [state = "", priority = ""] = key.split(" ");
        if (shown.has(key)) continue;
        shown.set(key, meter.gauge("postrider_queue_recipients", { state, priority }));
      }
      for (const [key, gauge] of shown) gauge.set(counts.get(key) ?? 0);
      room.bytes.set(bytes);
      room.maxRecipients.set(policy.queueMessagesMax);
      room.maxBytes.set(policy.queueBytesMax);
      room.accepting.set(isOpen ? 1 : 0);
    },
  };
}
