// How fast mail flows to each site: attempts by result over the last ten seconds, point by point.

/** Points over which rates are told. */
const SITE_POINTS = 5;

export interface SiteRates {
  readonly delivered_per_second: number;
  readonly deferred_per_second: number;
  readonly failed_per_second: number;
}

/** Results of attempts (mail/verdict.ts), in the order in which they are counted here. */
export const siteResults: readonly string[] = ["delivered", "deferred", "failed"];

/** Rates of sites over the last few points. */
export function createSiteWindow() {
  const windows = new Map<string, { readonly points: [number, number, number][] }>();
  let isFull = false;
  return {
    /** A new point begins. */
    turn(): void {
      for (const [site, { points }] of windows) {
        points.push([0, 0, 0]);
        if (points.length > SITE_POINTS) points.shift();
        if (points.every((counts) => counts.every((rate) => rate === 0))) windows.delete(site);
      }
    },
    add(site: string, counts: readonly [number, number, number], seconds: number): void {
      isFull ||= site === "other";
      const window = windows.get(site) ?? { points: [[0, 0, 0]] };
      windows.set(site, window);
      const point = window.points.at(-1);
      if (point === undefined) return;
      counts.forEach((delta, i) => void (point[i as 0 | 1 | 2] += delta / seconds));
    },
    rates(site: string): SiteRates | null {
      const points = windows.get(site)?.points;
      // Beyond a number of sites the rest is counted as one.
      if (points === undefined && isFull) return null;
      const of = (i: 0 | 1 | 2): number =>
        rounded((points ?? []).reduce((all, counts) => all + counts[i], 0) / SITE_POINTS);
      return {
        delivered_per_second: of(0),
        deferred_per_second: of(1),
        failed_per_second: of(2),
      };
    },
  };
}

/** Three digits for what is slow, one for what is fast. */
export function rounded(rate: number): number {
  return rate >= 10 ? Math.round(rate * 10) / 10 : Math.round(rate * 1000) / 1000;
}
