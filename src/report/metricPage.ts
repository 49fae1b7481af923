// Metrics as text: for Prometheus (text 0.0.4) or as OpenMetrics 1.0, whose buckets have exemplars. Written piece by piece, since the
// thread that does it has requests to answer.
import type { Labels } from "../base/meter.ts";
import { boundsOf } from "../mail/metrics.ts";
import type { MetricRow } from "../mail/metricsRow.ts";
import type { Family, Point, PointExemplar } from "./metricFamily.ts";

export const PROMETHEUS_TYPE = "text/plain; version=0.0.4; charset=utf-8";
export const OPEN_METRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/** Lines of one piece, roughly: a fraction of a millisecond. */
const PIECE_LINES = 500;
/** An older exemplar leads to a trace that hardly anybody keeps. */
const EXEMPLAR_KEPT_MS = 3_600_000;
const LABEL_MAX = 200;

export interface PageOptions {
  readonly open: boolean;
  readonly now: number;
}

export function* pageOf(families: Iterable<Family>, options: PageOptions): Generator<string> {
  let text = "";
  let lines = 0;
  for (const family of families) {
    const { row } = family;
    let headed = false;
    for (const point of family.points()) {
      if (!headed) text += headOf(row, options.open);
      headed = true;
      text += pointText(row, point, options);
      lines += point.counts.length + 1;
      if (lines < PIECE_LINES) continue;
      yield text;
      text = "";
      lines = 0;
    }
  }
  yield options.open ? `${text}# EOF\n` : text;
}

/** OpenMetrics names a counter's family without the suffix that its sample has. */
function headOf({ name, kind, help }: MetricRow, open: boolean): string {
  const family = open && kind === "counter" ? name.replace(/_total$/, "") : name;
  const harmless = help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  // OpenMetrics escapes quotes there too.
  const escaped = open ? harmless.replaceAll('"', '\\"') : harmless;
  return `# HELP ${family} ${escaped}\n# TYPE ${family} ${kind}\n`;
}

function pointText(row: MetricRow, point: Point, options: PageOptions): string {
  const labels = labelText(row.labels, point.labels);
  if (row.kind === "histogram") return histogramText(row, point, labels, options);
  return `${row.name}${labels === "" ? "" : `{${labels}}`} ${number(point.value)}\n`;
}

/** Bounds are cumulative in both formats, and the last is +Inf. */
function histogramText(row: MetricRow, point: Point, labels: string, options: PageOptions): string {
  const { value, counts, exemplars } = point;
  const starts = startsOf(row.name);
  const before = labels === "" ? "" : `${labels},`;
  const braced = labels === "" ? "" : `{${labels}}`;
  const hasExamples = options.open && exemplars.length > 0;
  let text = "";
  let total = 0;
  for (let i = 0; i < counts.length; i++) {
    total += counts[i] as number;
    const example = hasExamples ? exampleText(exemplars[i], options.now) : "";
    text += `${row.name}_bucket{${before}${starts[i]}${total}${example}\n`;
  }
  return `${text}${row.name}_sum${braced} ${number(value)}\n${row.name}_count${braced} ${total}\n`;
}

const startsByName = new Map<string, readonly string[]>();

/** `le="0.5"} ` of each bucket of a metric, made once. */
function startsOf(name: string): readonly string[] {
  let starts = startsByName.get(name);
  if (starts === undefined) {
    starts = [...boundsOf(name).map(boundText), "+Inf"].map((bound) => `le="${bound}"} `);
    startsByName.set(name, starts);
  }
  return starts;
}

/** OpenMetrics wants a float, so that both formats name the same bound the same. */
function boundText(bound: number): string {
  return Number.isInteger(bound) ? `${bound}.0` : String(bound);
}

/** Labels and values of an exemplar may have 128 characters in all; these have 40. */
function exampleText(exemplar: PointExemplar | undefined, now: number): string {
  if (exemplar === undefined || now - exemplar.at > EXEMPLAR_KEPT_MS) return "";
  const { traceId, value, at } = exemplar;
  return ` # {trace_id="${traceId}"} ${number(value)} ${at / 1000}`;
}

/** Of a series that lives on, made once: its labels never change. */
const labelTexts = new WeakMap<Labels, string>();

function labelText(names: readonly string[], labels: Labels): string {
  if (names.length === 0) return "";
  let text = labelTexts.get(labels);
  if (text === undefined) {
    text = names.map((name) => `${name}="${escapeLabel(labels[name] ?? "")}"`).join(",");
    labelTexts.set(labels, text);
  }
  return text;
}

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
