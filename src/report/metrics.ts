// Adds up what every thread counted, for the page of metrics and for whoever pushes them. Names, help and labels come from the one table
// in mail/metrics.ts; a sample that the table does not know is a bug of its sender.
import type { Clock, EpochMs } from "../base/clock.ts";
import type { Labels, Sample } from "../base/meter.ts";
import { boundsOf, metricTable } from "../mail/metrics.ts";
import type { MetricRow } from "../mail/metricsRow.ts";
import { processRows } from "../mail/metricsSelf.ts";
import { createFamily, createFigure, type Family, type Point } from "./metricFamily.ts";
import { createMetricSites } from "./metricSites.ts";
import { OPEN_METRICS_TYPE, pageOf, PROMETHEUS_TYPE } from "./metricPage.ts";

export interface MetricsPage {
  readonly type: string;
  readonly text: string;
}

/** All series at one moment; counters and histograms count since `startedAt`. */
export interface MetricsSnapshot {
  readonly at: EpochMs;
  readonly startedAt: EpochMs;
  readonly families: readonly MetricsFamily[];
}

export interface MetricsFamily {
  readonly row: MetricRow;
  /** Histograms: upper bounds; else empty. */
  readonly bounds: readonly number[];
  readonly points: readonly Point[];
}

export interface Metrics {
  /** `source` names the thread: its gauges replace those it told before. */
  add(source: string, samples: readonly Sample[]): void;
  /** A thread is gone, and with it what its gauges said; what it counted stays. */
  forget(source: string): void;
  /** The page in the format that the `Accept` header asks for, written in pieces between which the thread does other things. */
  page(accept: string): Promise<MetricsPage>;
  snapshot(): MetricsSnapshot;
}

/** What a process says of itself, read when somebody asks: values by the names of the table; null where the system does not say. */
export type ProcessFigures = Readonly<Record<string, number | null>>;

export interface MetricsDeps {
  readonly clock: Pick<Clock, "now" | "monotonicMs" | "soon">;
  readonly startedAt: EpochMs;
  readonly figures: () => ProcessFigures;
  /** The trace of an exemplar; undefined: it cannot be told yet. */
  readonly traceId: (message: number, trace: string | undefined) => string | undefined;
}

/** What a site's traffic is measured by. */
const TRAFFIC = "postrider_attempts_total";
const RENDERING = "postrider_metrics_render_seconds";

export function createMetrics(deps: MetricsDeps): Metrics {
  const { clock } = deps;
  const sites = createMetricSites();
  let figures: ProcessFigures = {};
  const readFigures = (): void => void (figures = deps.figures());
  const own = new Set<MetricRow>(processRows);
  const families = new Map<string, Family>(
    metricTable.map((row) => {
      if (own.has(row)) return [row.name, createFigure(row, () => figures[row.name] ?? undefined)];
      const { now } = clock;
      return [row.name, createFamily(row, { sites, now, traceId: deps.traceId })];
    }),
  );

  const elect = (): void => {
    for (const site of sites.elect(clock.monotonicMs()))
      for (const family of families.values()) family.drop(site);
  };
  const observe = (name: string, value: number, labels: Labels = {}): void => {
    const bounds = boundsOf(name);
    const slot = bounds.findIndex((bound) => value <= bound);
    const counts = new Array<number>(bounds.length + 1).fill(0);
    counts[slot === -1 ? bounds.length : slot] = 1;
    families.get(name)?.add("door", { kind: "histogram", name, labels, counts, sum: value });
  };

  return {
    add(source, samples) {
      for (const sample of samples) {
        const family = families.get(sample.name);
        if (family === undefined) throw new Error(`metric ${sample.name} is not in the table`);
        if (sample.name === TRAFFIC && sample.kind === "counter")
          sites.add(sample.labels["site"] ?? "", sample.delta);
        family.add(source, sample);
      }
      elect();
    },
    forget(source) {
      for (const family of families.values()) family.forget(source);
    },
    async page(accept) {
      readFigures();
      const open = accept.includes("application/openmetrics-text");
      const pieces = pageOf(families.values(), { open, now: clock.now() });
      let text = "";
      let tookMs = 0;
      for (;;) {
        const beganMs = clock.monotonicMs();
        const piece = pieces.next();
        tookMs += clock.monotonicMs() - beganMs;
        if (piece.done === true) break;
        text += piece.value;
        await new Promise<void>((resolve) => clock.soon(resolve));
      }
      observe(RENDERING, tookMs / 1000);
      return { type: open ? OPEN_METRICS_TYPE : PROMETHEUS_TYPE, text };
    },
    snapshot() {
      readFigures();
      return {
        at: clock.now(),
        startedAt: deps.startedAt,
        families: [...families.values()].map(({ row, points }) => ({
          row,
          bounds: row.kind === "histogram" ? boundsOf(row.name) : [],
          points: [...points()].map(copied),
        })),
      };
    },
  };
}

function copied({ labels, value, counts, exemplars }: Point): Point {
  return { labels, value, counts: [...counts], exemplars: [...exemplars] };
}
