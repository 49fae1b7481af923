// Percentiles of the histograms that threads report, over whatever time lies between two looks.
import { boundsOf } from "../mail/metrics.ts";

/** Adds up the buckets of one histogram until a point takes them. */
export function createBuckets(name: string) {
  const bounds = boundsOf(name);
  let counts: number[] = [];
  return {
    add(more: readonly number[]): void {
      more.forEach((count, i) => void (counts[i] = (counts[i] ?? 0) + count));
    },
    take() {
      const taken = counts;
      counts = [];
      return (share: number): number | null => quantileMs(bounds, taken, share);
    },
  };
}

/** As Prometheus' histogram_quantile: a straight line within the bucket. Null: nothing was observed. */
export function quantileMs(
  boundsS: readonly number[],
  counts: readonly number[],
  share: number,
): number | null {
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all === 0) return null;
  const rank = share * all;
  let below = 0;
  for (let i = 0; i < boundsS.length; i++) {
    const here = counts[i] ?? 0;
    const low = i === 0 ? 0 : (boundsS[i - 1] ?? 0);
    const high = boundsS[i] ?? 0;
    if (below + here >= rank && here > 0)
      return shown(low + ((high - low) * (rank - below)) / here);
    below += here;
  }
  return shown(boundsS.at(-1) ?? 0);
}

function shown(seconds: number): number {
  return Math.round(seconds * 1_000_000) / 1000;
}
