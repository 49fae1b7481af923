// The last minutes in numbers: what threads report each second, kept as one point every two seconds in a ring. The dashboard and
// `postrider top` read it; nothing here is on the way of a message.
import { type Clock, iso, type Timer } from "../base/clock.ts";
import type { Sample } from "../base/meter.ts";
import { queueAges } from "../mail/age.ts";
import {
  type AgeFigure,
  type FigurePoint,
  type FiguresView,
  POINT_MS,
  POINTS_KEPT,
  type QueueFigures,
} from "../mail/figures.ts";
import { isFinal, recipientStates } from "../mail/state.ts";
import { createBuckets } from "./buckets.ts";
import { type Outcome, outcomeOf } from "./outcomes.ts";
import { createSiteWindow, rounded, siteResults, type SiteRates } from "./siteWindow.ts";

/** A thread reports each second; a longer silence is not spread over all that time. */
const REPORT_MAX_MS = 3 * POINT_MS;

export interface Figures {
  /** `thread` names who tells it. */
  hear(thread: string, samples: readonly Sample[]): void;
  /** A thread is gone, and with it what its gauges said. */
  forget(thread: string): void;
  /** Oldest first, those behind `after`; an id that never was is one from before a restart, and all are new to whoever has it. */
  points(after?: number): readonly FigurePoint[];
  totals(): FiguresView["totals"];
  queue(): QueueFigures;
  threads(): readonly { readonly thread: string; readonly lag_ms: number }[];
  /** The value of a gauge, added up over its series and threads; null: never told. */
  gauge(name: string): number | null;
  /** Null: it has no series of its own. */
  siteRates(site: string): SiteRates | null;
  /** Told after each point; false: there will be no more. Null: there will be none at all. */
  onPoint(hear: (more: boolean) => void): { close(): void } | null;
  stop(): void;
}

type Total = keyof FiguresView["totals"];
type Rate = "accepted" | "delivered" | "deferred" | "bounced" | "refused";

/** What is told a second, and what since the start. */
const rates: Partial<Record<Outcome, Rate>> = {
  ...{ accepted: "accepted", delivered: "delivered", deferred: "deferred", refused: "refused" },
  ...{ bounced: "bounced", expired: "bounced" },
};
const totalled: Partial<Record<Outcome, Total>> = {
  ...{ accepted: "accepted", delivered: "delivered", bounced: "bounced", expired: "expired" },
  ...{ deferred: "deferrals", doubtful: "doubts" },
};

const ACCEPT = "postrider_accept_duration_seconds";
const DELIVERY = "postrider_accept_to_delivered_seconds";
const QUEUED = "postrider_queue_recipients";
const AGES = "postrider_queue_age_messages";
const OLDEST = "postrider_queue_oldest_age_seconds";
const LAG = "postrider_thread_lag_seconds";
/** Gauges that somebody asks for by name. */
const GAUGES: ReadonlySet<string> = new Set([
  ...[QUEUED, AGES, OLDEST, LAG],
  "postrider_search_lag_events",
  "postrider_webhook_pending_events",
  "postrider_disk_free_bytes",
  "postrider_disk_reserve_bytes",
  "postrider_db_wal_bytes",
  "postrider_history_bytes",
  "postrider_clock_doubted",
  "postrider_config_last_reload_successful",
  "postrider_dkim_keys_unusable",
  "postrider_tls_cert_expiry_timestamp_seconds",
]);

interface Reports {
  /** When the thread reported last. */
  atMs: number;
  /** What the reports since the last point speak for. */
  coveredMs: number;
  readonly counts: Map<Rate, number>;
  readonly sites: Map<string, [number, number, number]>;
}

type GaugeKey = string;

export function createFigures(deps: {
  readonly clock: Pick<Clock, "now" | "monotonicMs" | "after">;
}): Figures {
  const { clock } = deps;
  const reports = new Map<string, Reports>();
  /** By name, then by thread and labels. */
  const gauges = new Map<string, Map<GaugeKey, { thread: string; sample: GaugeSample }>>();
  const totals: Record<Total, number> = {
    ...{ accepted: 0, delivered: 0, bounced: 0, expired: 0, deferrals: 0, doubts: 0 },
  };
  const accepting = createBuckets(ACCEPT);
  const delivering = createBuckets(DELIVERY);
  const sites = createSiteWindow();
  const ring: FigurePoint[] = [];
  const listeners = new Set<(more: boolean) => void>();
  let stopped = false;
  let nextId = Math.floor(clock.now() / POINT_MS);

  const reportsOf = (thread: string): Reports => {
    const known = reports.get(thread);
    if (known !== undefined) return known;
    const made: Reports = {
      ...{ atMs: clock.monotonicMs() - POINT_MS / 2, coveredMs: 0 },
      ...{ counts: new Map(), sites: new Map() },
    };
    reports.set(thread, made);
    return made;
  };
  const count = (report: Reports, sample: CounterSample): void => {
    const { delta, labels } = sample;
    if (delta === 0) return;
    const outcome = outcomeOf(sample);
    const rate = outcome && rates[outcome];
    if (rate !== undefined) report.counts.set(rate, (report.counts.get(rate) ?? 0) + delta);
    const total = outcome && totalled[outcome];
    if (total !== undefined) totals[total] += delta;
    if (sample.name !== "postrider_attempts_total") return;
    const at = siteResults.indexOf(labels["result"] ?? "");
    const site = labels["site"] ?? "";
    if (at < 0) return;
    const counts = report.sites.get(site) ?? [0, 0, 0];
    counts[at as 0 | 1 | 2] += delta;
    report.sites.set(site, counts);
  };
  const keep = (thread: string, sample: GaugeSample): void => {
    if (!GAUGES.has(sample.name)) return;
    const series = gauges.get(sample.name) ?? new Map();
    series.set(`${thread} ${JSON.stringify(sample.labels)}`, { thread, sample });
    gauges.set(sample.name, series);
  };
  /** Of a gauge with these labels, over all threads. */
  const sum = (name: string, labels: Sample["labels"] = {}): number | null => {
    let found: number | null = null;
    for (const { sample } of gauges.get(name)?.values() ?? [])
      if (Object.entries(labels).every(([label, value]) => sample.labels[label] === value))
        found = (found ?? 0) + sample.value;
    return found;
  };

  const close = (): FigurePoint => {
    const perSecond: Record<Rate, number> = {
      ...{ accepted: 0, delivered: 0, deferred: 0, bounced: 0, refused: 0 },
    };
    sites.turn();
    for (const report of reports.values()) {
      const seconds = report.coveredMs / 1000;
      if (seconds > 0) {
        for (const [rate, delta] of report.counts) perSecond[rate] += delta / seconds;
        for (const [site, counts] of report.sites) sites.add(site, counts, seconds);
      }
      report.coveredMs = 0;
      report.counts.clear();
      report.sites.clear();
    }
    const [accept, delivery] = [accepting.take(), delivering.take()];
    return {
      id: nextId++,
      at: iso(clock.now()),
      accepted_per_second: rounded(perSecond.accepted),
      delivered_per_second: rounded(perSecond.delivered),
      deferred_per_second: rounded(perSecond.deferred),
      bounced_per_second: rounded(perSecond.bounced),
      refused_per_second: rounded(perSecond.refused),
      accept_p50_ms: accept(0.5),
      accept_p99_ms: accept(0.99),
      delivery_p50_ms: delivery(0.5),
      delivery_p99_ms: delivery(0.99),
      queued: sum(QUEUED) ?? 0,
    };
  };
  const tick = (): void => {
    ring.push(close());
    if (ring.length > POINTS_KEPT) ring.shift();
    for (const hear of [...listeners]) hear(true);
    timer = clock.after(POINT_MS, tick);
  };
  let timer: Timer = clock.after(POINT_MS, tick);

  return {
    hear(thread, samples) {
      const report = reportsOf(thread);
      const nowMs = clock.monotonicMs();
      report.coveredMs += Math.max(1, Math.min(REPORT_MAX_MS, nowMs - report.atMs));
      report.atMs = nowMs;
      for (const sample of samples)
        if (sample.kind === "counter") count(report, sample);
        else if (sample.kind === "gauge") keep(thread, sample);
        else if (sample.name === ACCEPT) accepting.add(sample.counts);
        else if (sample.name === DELIVERY) delivering.add(sample.counts);
    },
    forget(thread) {
      reports.delete(thread);
      for (const series of gauges.values())
        for (const [key, one] of series) if (one.thread === thread) series.delete(key);
    },
    points(after) {
      const last = ring.at(-1)?.id ?? 0;
      return after === undefined || after > last ? [...ring] : ring.filter(({ id }) => id > after);
    },
    totals: () => ({ ...totals }),
    queue: () => ({
      recipients: sum(QUEUED) ?? 0,
      states: statesOf(sum),
      oldest_age_seconds: oldestOf(sum),
      ages: agesOf(sum),
    }),
    threads: () =>
      [...(gauges.get(LAG)?.values() ?? [])]
        .map(({ thread, sample }) => ({ thread, lag_ms: Math.round(sample.value * 1000) }))
        .sort((a, b) => (a.thread < b.thread ? -1 : 1)),
    gauge: sum,
    siteRates: sites.rates,
    onPoint(hear) {
      if (stopped) return null;
      listeners.add(hear);
      return { close: () => void listeners.delete(hear) };
    },
    stop() {
      stopped = true;
      timer.cancel();
      for (const hear of [...listeners]) hear(false);
      listeners.clear();
    },
  };
}

type CounterSample = Extract<Sample, { kind: "counter" }>;
type GaugeSample = Extract<Sample, { kind: "gauge" }>;
type Sum = (name: string, labels?: Sample["labels"]) => number | null;

const priorityNames = ["p0", "p1", "p2"] as const;

function statesOf(sum: Sum): QueueFigures["states"] {
  return recipientStates
    .filter((state) => !isFinal(state))
    .map((state) => {
      const [p0, p1, p2] = priorityNames.map((priority) => sum(QUEUED, { state, priority }) ?? 0);
      return { state, p0: p0 ?? 0, p1: p1 ?? 0, p2: p2 ?? 0 };
    });
}

function oldestOf(sum: Sum): QueueFigures["oldest_age_seconds"] {
  // The gauge says 0 where there is nothing.
  const of = (priority: string): number | null => sum(OLDEST, { priority }) || null;
  return { p0: of("p0"), p1: of("p1"), p2: of("p2") };
}

function agesOf(sum: Sum): readonly AgeFigure[] {
  return queueAges.map(({ name, upToS }) => ({
    up_to_seconds: upToS === Infinity ? null : upToS,
    messages: sum(AGES, { age: name }) ?? 0,
  }));
}
