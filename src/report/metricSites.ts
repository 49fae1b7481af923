// Which sites have series of their own. The world has more than a page can name, so that those with the most traffic are named and the
// rest is told as `other`. A counter never changes its meaning by that: `other` counts what was counted while a site had no name of its own,
// nothing is ever moved out of it or into it, and a site that comes to have a name begins at 0. Prometheus sees a series that begins, one
// that ends, and none that falls; the sum of all rates is right at every moment.

/** Sites with a name of their own. */
export const SITES_MAX = 100;
/** Unnamed sites whose traffic is watched; after an election fewer, so that there is room for new ones. */
const WATCHED_MAX = 2000;
const WATCHED_KEPT = 1000;
/** How often it is decided anew, and what traffic counts for that is that old: half as much after ten elections. */
const ELECT_EVERY_MS = 60_000;
const DECAY = 0.5 ** (1 / 10);
/** Names change only for somebody who is clearly larger, and few at a time: each change is a series that ends. */
const LARGER = 2;
const LARGER_BY = 10;
const CHANGES_MAX = 10;

export interface MetricSites {
  /** The first that come are named at once, while there is room. */
  isNamed(site: string): boolean;
  /** So many attempts more. */
  add(site: string, attempts: number): void;
  /** Sites that have lost their names since it was asked last; whoever took their places is named from now on. */
  elect(nowMs: number): readonly string[];
}

export function createMetricSites(max = SITES_MAX): MetricSites {
  const named = new Map<string, number>();
  let watched = new Map<string, number>();
  let electedAtMs = -Infinity;

  const byTraffic = (scores: ReadonlyMap<string, number>): [string, number][] =>
    [...scores].sort(([, a], [, b]) => b - a);

  const isNamed = (site: string): boolean => {
    if (named.has(site)) return true;
    if (named.size >= max) return false;
    named.set(site, watched.get(site) ?? 0);
    watched.delete(site);
    return true;
  };

  return {
    isNamed,
    add(site, attempts) {
      if (isNamed(site)) return void named.set(site, (named.get(site) ?? 0) + attempts);
      const score = watched.get(site);
      if (score === undefined && watched.size >= WATCHED_MAX) return;
      watched.set(site, (score ?? 0) + attempts);
    },
    elect(nowMs) {
      if (nowMs - electedAtMs < ELECT_EVERY_MS) return [];
      electedAtMs = nowMs;
      if (watched.size === 0) return [];
      const gone: string[] = [];
      const smallest = byTraffic(named).reverse();
      const largest = byTraffic(watched).slice(0, WATCHED_KEPT);
      watched = new Map(largest);
      for (let i = 0; i < CHANGES_MAX; i++) {
        const [candidate, holder] = [largest[i], smallest[i]];
        if (candidate === undefined || holder === undefined) break;
        if (candidate[1] < holder[1] * LARGER + LARGER_BY) break;
        named.delete(holder[0]);
        watched.delete(candidate[0]);
        named.set(...candidate);
        watched.set(...holder);
        gone.push(holder[0]);
      }
      for (const scores of [named, watched])
        for (const [site, score] of scores) scores.set(site, score * DECAY);
      return gone;
    },
  };
}
