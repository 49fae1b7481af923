// Routes on their way to a sender: each travels once, and is a place in a list afterwards. At many sites nearly every job of a batch has
// a route of its own, and a clone of it costs each thread 1 us a job, of a big provider's 2.
import type { Route } from "../route/route.ts";

/** As they are posted. */
export interface ToldRoutes {
  /** Where they stand in the list; what it held from there on is forgotten. */
  readonly from: number;
  readonly routes: readonly Route[];
}

/** Routes that either end remembers, and those of one batch; then the list begins anew. */
export const ROUTES_TOLD_MAX = 1000;

/** The queue's end. A route of the cache is the same object for as long as it holds. */
export interface RoutesTold {
  /** Those that are not told yet. */
  tell(routes: Iterable<Route>): ToldRoutes;
  /** Of one that was told. */
  placeOf(route: Route): number;
}

export function createRoutesTold(): RoutesTold {
  const places = new Map<Route, number>();
  return {
    tell(routes) {
      if (places.size >= ROUTES_TOLD_MAX) places.clear();
      const from = places.size;
      const fresh: Route[] = [];
      for (const route of routes) {
        if (places.has(route)) continue;
        places.set(route, places.size);
        fresh.push(route);
      }
      return { from, routes: fresh };
    },
    placeOf(route) {
      const place = places.get(route);
      if (place === undefined) throw new Error("a job leaves before its route");
      return place;
    },
  };
}

/** The sender's end: what it knows, by place. */
export function hearRoutes(known: Route[], { from, routes }: ToldRoutes): void {
  if (from > known.length) throw new Error(`routes came for place ${from} of ${known.length}`);
  known.length = from;
  for (const route of routes) known.push(route);
}
