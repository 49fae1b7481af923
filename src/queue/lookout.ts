// When to look at a site again: at once, when its next recipient is due, when its pause is over, or when its window has room.
import type { EpochMs } from "../base/clock.ts";
import { priorities } from "../mail/message.ts";
import type { Flights } from "./flight.ts";
import { hasBytes, windowNow } from "./launch.ts";
import type { QueuePolicy } from "./policy.ts";
import type { Site, Sites } from "./site.ts";
import { earliestDue, isHungry, roomOf } from "./window.ts";

export interface LookoutDeps {
  readonly sites: Sites;
  readonly flights: Flights;
  readonly policy: QueuePolicy;
  readonly dueNow: () => EpochMs;
  /** Recipients that wait for the DNS. */
  readonly routing: () => number;
}

export function createLookout(deps: LookoutDeps): (site: Site) => void {
  const { sites, flights, policy, dueNow, routing } = deps;

  const hasRoom = (site: Site): boolean => {
    if (site === sites.unrouted) return routing() < policy.routingMax;
    if (!hasBytes(flights, policy, site, 0)) return false;
    return priorities.some(
      (lane) =>
        isHungry(site, lane, dueNow()) && roomOf(site, lane, windowNow(flights, policy)) > 0,
    );
  };

  return (site) => {
    if (site.ready || site.starving || site.probing || site.stopped) return;
    const openAt = Math.max(site.closedUntil, site.level > 0 ? site.pausedUntil : 0);
    const dueAt = Math.max(earliestDue(site), openAt);
    if (dueAt > dueNow()) {
      if (dueAt !== Infinity) sites.wake(site, dueAt);
    } else if (hasRoom(site)) sites.hurry(site);
    else sites.starve(site);
  };
}
