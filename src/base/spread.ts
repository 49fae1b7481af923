// How long many things took, in a few kilobytes however many they were: counts in buckets, of which each is narrower than one percent of
// what it holds (log-linear, as HdrHistogram has them). So a percentile is the true one within half a percent, and is not made of means.

export interface Spread {
  /** Below zero counts as zero; beyond an hour the percentiles say an hour, and the maximum the truth. */
  add(durationMs: number): void;
  count(): number;
  /** `share` from 0 to 1; null while there is nothing. */
  quantileMs(share: number): number | null;
  /** Null while there is nothing. */
  summary(): SpreadSummary | null;
}

export interface SpreadSummary {
  readonly count: number;
  readonly mean_ms: number;
  readonly p50_ms: number;
  readonly p95_ms: number;
  readonly p99_ms: number;
  readonly max_ms: number;
}

/** Buckets in each doubling; the first two doublings have one a microsecond. */
const STEPS = 128;
const STEPS_BITS = 7;
const MAX_US = 3_600_000_000;
const US = 1000;

export function createSpread(): Spread {
  const counts = new Float64Array(bucketOf(MAX_US) + 1);
  let count = 0;
  let sumMs = 0;
  let minMs = Infinity;
  let maxMs = 0;

  const quantileMs = (share: number): number | null => {
    if (count === 0) return null;
    const rank = Math.min(count, Math.max(1, Math.ceil(share * count)));
    let bucket = -1;
    for (let seen = 0; seen < rank; seen += counts[bucket] as number) bucket++;
    return Math.min(maxMs, Math.max(minMs, middleUs(bucket) / US));
  };

  return {
    add(durationMs) {
      const ms = Math.max(0, durationMs);
      const bucket = bucketOf(Math.min(MAX_US, Math.round(ms * US)));
      counts[bucket] = (counts[bucket] as number) + 1;
      count++;
      sumMs += ms;
      if (ms < minMs) minMs = ms;
      if (ms > maxMs) maxMs = ms;
    },
    count: () => count,
    quantileMs,
    summary() {
      const at = (share: number): number => shown(quantileMs(share) ?? 0);
      if (count === 0) return null;
      return {
        count,
        mean_ms: shown(sumMs / count),
        p50_ms: at(0.5),
        p95_ms: at(0.95),
        p99_ms: at(0.99),
        max_ms: shown(maxMs),
      };
    },
  };
}

const shown = (ms: number): number => Math.round(ms * US) / US;

function bucketOf(us: number): number {
  if (us < STEPS) return us;
  const shift = 31 - Math.clz32(us) - STEPS_BITS;
  return shift * STEPS + (us >>> shift);
}

function middleUs(bucket: number): number {
  if (bucket < 2 * STEPS) return bucket;
  const shift = Math.floor(bucket / STEPS) - 1;
  const low = (bucket - shift * STEPS) * 2 ** shift;
  return low + (2 ** shift - 1) / 2;
}
