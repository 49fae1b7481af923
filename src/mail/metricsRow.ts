// One row of the table of metrics, and the words to write it with.
import type { Labels } from "../base/meter.ts";

export interface MetricRow {
  readonly name: string;
  readonly kind: "counter" | "gauge" | "histogram";
  readonly labels: readonly string[];
  readonly help: string;
  /** Histograms only; seconds unless said. */
  readonly bounds?: readonly number[];
  /** Its buckets lead to messages (OpenMetrics). */
  readonly exemplars?: true;
  /** Series that are there with 0 from the start: the rate of one that is absent is no number, and no alert follows from it. */
  readonly zeros?: readonly Labels[];
}

/** Sites without a series of their own. */
export const OTHER_SITES = "other";

/** Every combination of these values. */
export function each(values: Readonly<Record<string, readonly string[]>>): readonly Labels[] {
  let all: readonly Labels[] = [{}];
  for (const [name, options] of Object.entries(values))
    all = all.flatMap((labels) => options.map((value) => ({ ...labels, [name]: value })));
  return all;
}
