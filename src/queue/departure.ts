// The last question before a lease becomes a job: from which of this host's addresses it leaves, or when to ask again.
import type { EpochMs } from "../base/clock.ts";
import type { Route } from "../route/route.ts";
import type { Instant } from "./duetime.ts";
import type { Site } from "./site.ts";
import type { Departing, Sources, Stranded } from "./sources.ts";

/** The route to take, charged to its address; or not before when. */
export type Depart = (
  now: Instant,
  site: Site,
  route: Route,
  departing: Departing,
) => Route | EpochMs | Stranded;

export function isStranded(leaving: Route | Stranded): leaving is Stranded {
  return "kind" in leaving;
}

export function createDepart(sources: Sources | undefined): Depart {
  if (sources === undefined) return (_now, _site, route) => route;
  return (now, site, route, departing) => {
    const assigned = sources.assign(route, departing, now.wall);
    if (assigned.kind === "route") return assigned.route;
    if (assigned.kind === "stranded") return assigned;
    const until = now.due + Math.max(0, assigned.until - now.wall);
    if (!assigned.site) return until;
    // The line as a whole waits, in its order, and opens at once when more may be sent.
    site.closedUntil = until;
    return now.due;
  };
}
