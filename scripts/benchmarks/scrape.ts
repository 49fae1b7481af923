// Histograms of the daemon's own /metrics, read twice: what lies between is the run's.
import type { Daemon } from "../../tests/fixtures/daemon.ts";

/** Upper bound in seconds and the count of all observations up to it. */
export type Buckets = readonly (readonly [number, number])[];

export async function readHistogram(daemon: Daemon, name: string): Promise<Buckets> {
  const text = await (await daemon.request("/metrics")).text();
  return bucketsIn(text, name);
}

export function bucketsIn(text: string, name: string): Buckets {
  const rows = new RegExp(`^${name}_bucket\\{[^}]*le="([^"]+)"[^}]*\\}\\s+(\\d+)`, "gm");
  return [...text.matchAll(rows)].map(([, bound = "", count = ""]) => [
    bound === "+Inf" ? Infinity : Number(bound),
    Number(count),
  ]);
}

/** The upper bound of the bucket in which the quantile lies: never better than the truth. */
export function quantileBetween(before: Buckets, after: Buckets, quantile: number): number {
  const between = after.map(([bound, count], i): [number, number] => [
    bound,
    count - (before[i]?.[1] ?? 0),
  ]);
  const all = between.at(-1)?.[1] ?? 0;
  return between.find(([, count]) => count >= all * quantile)?.[0] ?? 0;
}
