// The series of one metric, added up over threads: what a page or a push of metrics reads.
import type { Labels, Sample } from "../base/meter.ts";
import { unreachable } from "../base/unreachable.ts";
import { boundsOf } from "../mail/metrics.ts";
import { type MetricRow, OTHER_SITES } from "../mail/metricsRow.ts";
import type { MetricSites } from "./metricSites.ts";

/** One observation that a bucket leads to. */
export interface PointExemplar {
  readonly value: number;
  readonly traceId: string;
  /** When it was told, which is up to a second late. */
  readonly at: number;
}

/** One series at one moment. */
export interface Point {
  readonly labels: Labels;
  /** Counters and gauges: the value. Histograms: the sum of the observations. */
  readonly value: number;
  /** Histograms: one count per bound and one for all above, not cumulative; else empty. */
  readonly counts: readonly number[];
  /** By bucket; empty where there are none. */
  readonly exemplars: readonly (PointExemplar | undefined)[];
}

export interface Family {
  readonly row: MetricRow;
  add(source: string, sample: Sample): void;
  /** A thread is gone, and with it what its gauges said. */
  forget(source: string): void;
  /** The site has no name of its own any more. */
  drop(site: string): void;
  points(): Iterable<Point>;
}

export interface FamilyDeps {
  readonly sites: MetricSites;
  readonly now: () => number;
  /** Undefined: it cannot be told yet. */
  readonly traceId: (message: number, trace: string | undefined) => string | undefined;
}

/** Series of one metric, whatever its labels: a bound against a mistake, not a plan. */
const SERIES_MAX = 5000;

interface Series {
  readonly labels: Labels;
  value: number;
  readonly bySource: Map<string, number>;
  readonly counts: number[];
  exemplars: (PointExemplar | undefined)[];
}

export function createFamily(row: MetricRow, deps: FamilyDeps): Family {
  if (row.kind === "gauge" && row.labels.includes("site")) return createSiteGauges(row, deps.sites);
  const bySite = row.labels.includes("site");
  const all = new Map<string, Series>();
  const isHistogram = row.kind === "histogram";
  const slots = isHistogram ? boundsOf(row.name).length + 1 : 0;

  const make = (labels: Labels): Series => {
    const counts = new Array<number>(slots).fill(0);
    const made: Series = { labels, value: 0, bySource: new Map(), counts, exemplars: [] };
    all.set(keyOf(row, labels), made);
    return made;
  };
  const find = (given: Labels): Series => {
    const site = given["site"];
    const isOther = bySite && site !== undefined && !deps.sites.isNamed(site);
    const labels = isOther ? { ...given, site: OTHER_SITES } : given;
    const found = all.get(keyOf(row, labels));
    if (found !== undefined) return found;
    if (all.size < SERIES_MAX) return make(labels);
    const rest = Object.fromEntries(row.labels.map((name) => [name, OTHER_SITES]));
    return all.get(keyOf(row, rest)) ?? make(rest);
  };
  const zeros = row.zeros ?? (row.labels.length === 0 && row.kind !== "gauge" ? [{}] : []);
  for (const labels of zeros) make(labels);
  const always = new Set(all.keys());

  return {
    row,
    add(source, sample) {
      addSample(find(sample.labels), source, sample, deps);
    },
    forget(source) {
      for (const [key, series] of all) {
        if (!series.bySource.delete(source)) continue;
        series.value = sumOf(series.bySource);
        // Nobody speaks of it any more, such as of the lag of a thread that is gone.
        if (series.bySource.size === 0 && !always.has(key)) all.delete(key);
      }
    },
    drop(site) {
      if (!bySite) return;
      for (const [key, { labels }] of all) if (labels["site"] === site) all.delete(key);
    },
    points: () => all.values(),
  };
}

function keyOf(row: MetricRow, labels: Labels): string {
  let key = "";
  for (const name of row.labels) key += `${labels[name] ?? ""}\0`;
  return key;
}

function addSample(series: Series, source: string, sample: Sample, deps: FamilyDeps): void {
  switch (sample.kind) {
    case "counter":
      series.value += sample.delta;
      return;
    case "gauge":
      series.bySource.set(source, sample.value);
      series.value = sumOf(series.bySource);
      return;
    case "histogram": {
      series.value += sample.sum;
      const { counts } = series;
      for (let i = 0; i < counts.length; i++)
        counts[i] = (counts[i] as number) + (sample.counts[i] ?? 0);
      for (const { slot, value, message, trace } of sample.exemplars ?? []) {
        const traceId = deps.traceId(message, trace);
        if (traceId !== undefined) series.exemplars[slot] = { value, traceId, at: deps.now() };
      }
      return;
    }
    default:
      return unreachable(sample);
  }
}

/** Added anew each time: differences of floating numbers would drift. */
function sumOf(bySource: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const value of bySource.values()) sum += value;
  return sum;
}

/** Unnamed sites whose gauges are remembered; more are not counted among `other`. */
const HIDDEN_MAX = 5000;

/** A gauge, unlike a counter, is what it is at the moment: it moves between `other` and a name of its own. */
function createSiteGauges(row: MetricRow, sites: MetricSites): Family {
  const bySite = new Map<string, Map<string, number>>();
  const point = (site: string, value: number): Point => {
    return { labels: { site }, value, counts: [], exemplars: [] };
  };
  return {
    row,
    add(source, sample) {
      if (sample.kind !== "gauge") return;
      const site = sample.labels["site"] ?? "";
      const isNamed = sites.isNamed(site);
      let values = bySite.get(site);
      if (values === undefined) {
        if (!isNamed && (sample.value === 0 || bySite.size >= HIDDEN_MAX)) return;
        bySite.set(site, (values = new Map()));
      }
      values.set(source, sample.value);
      if (!isNamed && sumOf(values) === 0) bySite.delete(site);
    },
    forget(source) {
      for (const [site, values] of bySite)
        if (values.delete(source) && values.size === 0) bySite.delete(site);
    },
    drop() {},
    *points() {
      let rest = 0;
      for (const [site, values] of bySite) {
        const value = sumOf(values);
        if (sites.isNamed(site)) yield point(site, value);
        else rest += value;
      }
      yield point(OTHER_SITES, rest);
    },
  };
}

/** What somebody else knows, read when it is asked for. */
export function createFigure(row: MetricRow, read: () => number | undefined): Family {
  return {
    row,
    add() {},
    forget() {},
    drop() {},
    *points() {
      const value = read();
      if (value !== undefined) yield { labels: {}, value, counts: [], exemplars: [] };
    },
  };
}
