// Which domains are worth being asked about before anybody waits: uses are counted, and what is not used any more fades.

export interface Busy {
  note(domain: string): void;
  /** The most used of the last while, most used first, at most `max`. */
  top(max: number): string[];
  /** Halves every count: called at even intervals. */
  fade(): void;
  size(): number;
}

/** Domains that are counted; when there are more, those that were used least go. */
const COUNTED_MAX = 20_000;

export function createBusy(countedMax = COUNTED_MAX): Busy {
  let counts = new Map<string, number>();
  return {
    note(domain) {
      counts.set(domain, (counts.get(domain) ?? 0) + 1);
      if (counts.size > countedMax) counts = new Map(mostUsed(counts, countedMax >> 1));
    },
    top: (max) => mostUsed(counts, max).map(([domain]) => domain),
    fade() {
      for (const [domain, count] of counts)
        if (count < 2) counts.delete(domain);
        else counts.set(domain, count >> 1);
    },
    size: () => counts.size,
  };
}

/** By a count that only the most used reach, since sorting all of them by name would hold up the mail. */
function mostUsed(counts: ReadonlyMap<string, number>, max: number): [string, number][] {
  const least = Float64Array.from(counts.values()).sort().at(-max) ?? 0;
  const most: [string, number][] = [];
  for (const entry of counts) if (entry[1] > least) most.push(entry);
  for (const entry of counts) {
    if (most.length >= max) break;
    if (entry[1] === least) most.push(entry);
  }
  return most.sort((a, b) => b[1] - a[1]).slice(0, max);
}
