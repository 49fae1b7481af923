// The one table of metrics: name, kind, labels, help. It yields the text of /metrics and the README's section (INTERFACE 7).
import { secondsBounds } from "../base/meter.ts";
import { doorRows } from "./metricsDoor.ts";
import { queueRows } from "./metricsQueue.ts";
import type { MetricRow } from "./metricsRow.ts";
import { processRows, selfRows } from "./metricsSelf.ts";
import { smtpRows } from "./metricsSmtp.ts";

export const metricTable: readonly MetricRow[] = [
  ...doorRows,
  ...queueRows,
  ...smtpRows,
  ...selfRows,
  ...processRows,
];

const rowsByName = new Map(metricTable.map((row) => [row.name, row]));

export function rowOf(name: string): MetricRow {
  const row = rowsByName.get(name);
  if (row === undefined) throw new Error(`metric ${name} is not in the table`);
  return row;
}

export function boundsOf(name: string): readonly number[] {
  return rowOf(name).bounds ?? secondsBounds;
}

export function hasExemplars(name: string): boolean {
  return rowOf(name).exemplars === true;
}
