// Adds up what every thread counted and writes it for Prometheus (text 0.0.4) or as OpenMetrics. Names, help and labels come from
// the one table in mail/metrics.ts; a sample that the table does not know is a bug of its sender.
import type { Labels, Sample } from "../base/meter.ts";
import { unreachable } from "../base/unreachable.ts";
import { type MetricRow, boundsOf, metricTable } from "../mail/metrics.ts";

/** Sites with a series of their own; the rest is told as one. The first ones seen stay, so a series never changes its meaning. */
export const SITES_MAX = 100;
/** Series of one metric, whatever its labels: a bound against a mistake, not a plan. */
const SERIES_MAX = 5000;
const OTHER = "other";

export interface MetricsPage {
  readonly type: string;
  readonly text: string;
}

export interface Metrics {
  /** `source` names the thread: its gauges replace those it told before. */
  add(source: string, samples: readonly Sample[]): void;
  /** A thread is gone, and with it what its gauges said; what it counted stays. */
  forget(source: string): void;
  /** The page in the format that the `Accept` header asks for. */
  render(accept: string): MetricsPage;
}

/** What a process says of itself, read when somebody asks. */
export interface ProcessFigures {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly startSeconds: number;
  readonly openFiles: number | null;
  readonly maxFiles: number | null;
}

interface Series {
  readonly labels: Labels;
  /** Counters: the sum. Gauges: a value by source, which are added. Histograms: the sum of the observations. */
  value: number;
  readonly bySource: Map<string, number>;
  readonly counts: number[];
}

type Family = Map<string, Series>;

export function createMetrics(figures: () => ProcessFigures): Metrics {
  const rows = new Map(metricTable.map((row) => [row.name, row]));
  const families = new Map<string, Family>(metricTable.map((row) => [row.name, new Map()]));
  const sites = new Set<string>();

  const find = (row: MetricRow, given: Labels): Series => {
    const family = families.get(row.name) as Family;
    let labels = bounded(row, given, sites);
    let key = keyOf(row, labels);
    if (family.size >= SERIES_MAX && !family.has(key)) {
      labels = Object.fromEntries(row.labels.map((name) => [name, OTHER]));
      key = keyOf(row, labels);
    }
    const found = family.get(key);
    if (found !== undefined) return found;
    const made: Series = { labels, value: 0, bySource: new Map(), counts: [] };
    family.set(key, made);
    return made;
  };

  return {
    add(source, samples) {
      for (const sample of samples) {
        const row = rows.get(sample.name);
        if (row === undefined) throw new Error(`metric ${sample.name} is not in the table`);
        addSample(find(row, sample.labels), source, sample);
      }
    },
    forget(source) {
      for (const family of families.values())
        for (const series of family.values()) series.bySource.delete(source);
    },
    render(accept) {
      const open = accept.includes("application/openmetrics-text");
      let text = "";
      for (const row of metricTable)
        text += renderFamily(row, families.get(row.name) as Family, open);
      text += renderProcess(figures(), open);
      return open
        ? { type: OPEN_METRICS_TYPE, text: `${text}# EOF\n` }
        : { type: PROMETHEUS_TYPE, text };
    },
  };
}

const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8";

function addSample(series: Series, source: string, sample: Sample): void {
  switch (sample.kind) {
    case "counter":
      series.value += sample.delta;
      return;
    case "gauge":
      series.bySource.set(source, sample.value);
      return;
    case "histogram":
      series.value += sample.sum;
      for (const [i, count] of sample.counts.entries())
        series.counts[i] = (series.counts[i] ?? 0) + count;
      return;
    default:
      return unreachable(sample);
  }
}

/** Only the labels of the table, with the sites bounded. */
function bounded(row: MetricRow, given: Labels, sites: Set<string>): Labels {
  if (!row.labels.includes("site")) return given;
  const site = given["site"] ?? "";
  if (!sites.has(site)) {
    if (sites.size >= SITES_MAX) return { ...given, site: OTHER };
    sites.add(site);
  }
  return given;
}

function keyOf(row: MetricRow, labels: Labels): string {
  return row.labels.map((name) => labels[name] ?? "").join("\0");
}

function renderFamily(row: MetricRow, family: Family, open: boolean): string {
  if (family.size === 0) return "";
  let text = head(row.name, row.kind, row.help, open);
  for (const series of family.values()) {
    const labels = labelText(row.labels, series.labels);
    if (row.kind === "histogram") text += renderHistogram(row, series, labels);
    else text += `${row.name}${braced(labels)} ${number(valueOf(row, series))}\n`;
  }
  return text;
}

function valueOf(row: MetricRow, series: Series): number {
  if (row.kind === "counter") return series.value;
  let sum = 0;
  for (const value of series.bySource.values()) sum += value;
  return sum;
}

/** Bounds are cumulative in both formats, and the last is +Inf. */
function renderHistogram(row: MetricRow, series: Series, labels: string): string {
  const bounds = boundsOf(row.name);
  const before = labels === "" ? "" : `${labels},`;
  let text = "";
  let total = 0;
  for (let i = 0; i <= bounds.length; i++) {
    total += series.counts[i] ?? 0;
    const bound = bounds[i];
    const le = bound === undefined ? "+Inf" : bucketBound(bound);
    text += `${row.name}_bucket{${before}le="${le}"} ${total}\n`;
  }
  text += `${row.name}_sum${braced(labels)} ${number(series.value)}\n`;
  return `${text}${row.name}_count${braced(labels)} ${total}\n`;
}

/** OpenMetrics wants a float, so that both formats name the same bound the same. */
function bucketBound(bound: number): string {
  return Number.isInteger(bound) ? `${bound}.0` : String(bound);
}

/** OpenMetrics names a counter's family without the suffix that its sample has. */
function head(name: string, kind: string, help: string, open: boolean): string {
  const family = open && kind === "counter" ? name.replace(/_total$/, "") : name;
  const escaped = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return `# HELP ${family} ${escaped}\n# TYPE ${family} ${kind}\n`;
}

function labelText(names: readonly string[], labels: Labels): string {
  return names.map((name) => `${name}="${escapeLabel(labels[name] ?? "")}"`).join(",");
}

function braced(labels: string): string {
  return labels === "" ? "" : `{${labels}}`;
}

const LABEL_MAX = 200;

/** A label may hold what a remote server chose, such as a host name. */
function escapeLabel(value: string): string {
  return value
    .slice(0, LABEL_MAX)
    .toWellFormed()
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll("\n", "\\n");
}

function number(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}

function renderProcess(figures: ProcessFigures, open: boolean): string {
  const one = (name: string, kind: string, help: string, value: number | null): string =>
    value === null ? "" : `${head(name, kind, help, open)}${name} ${number(value)}\n`;
  return (
    one("process_cpu_seconds_total", "counter", "CPU time, all threads.", figures.cpuSeconds) +
    one("process_resident_memory_bytes", "gauge", "Resident memory.", figures.residentBytes) +
    one("process_start_time_seconds", "gauge", "Start, since 1970.", figures.startSeconds) +
    one("process_open_fds", "gauge", "Open file descriptors.", figures.openFiles) +
    one("process_max_fds", "gauge", "Limit of file descriptors.", figures.maxFiles)
  );
}
