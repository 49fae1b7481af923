// What a site, a group or a connection may do next, by the limits, the shares and who else waits. Nothing here changes anything.
import type { Link } from "./open.ts";
import type { PoolState } from "./poolState.ts";
import { atWork, type Group, type Site, slotMask } from "./site.ts";

/** Jobs that wait for each connection before a further one pays: 611 carried 500 sites as fast as 5,136 (DESIGN 6). */
const BACKLOG_PER_CONNECTION = 8;
/** So many jobs a connection carries while others have none; then its place goes to the next of them. */
const TURN_JOBS = 20;
/** Sites that accept and say nothing may hold this part of all places; the rest is for those that have answered before. */
const STRANGERS_SHARE = 3 / 4;

/** - `blocked`: the site as a whole has too little of something; it is looked at again when something comes free. */
export type Growth = "open" | "blocked" | "enough";

/** Whether a further connection pays for what waits, and may be had. */
export function growthOf(state: PoolState, group: Group): Growth {
  const { site, lanes, links, opening } = group;
  const waiting = lanes.size();
  if (waiting === 0 || state.draining) return "enough";
  const own = links.size + opening;
  const busy = own - group.idle.length;
  if (busy > 0) {
    if (state.clock.monotonicMs() < group.openAfter) return "enough";
    // A person waits for what is in the first lane: it opens at once what it needs.
    if (lanes.sizeOf(0) <= opening && waiting <= BACKLOG_PER_CONNECTION * own) return "enough";
    // No number that the site could come to would let it have more.
    if (site.links + site.opening >= site.pace.limits().connections) return "enough";
  }
  if (!lanes.has(slotMask(site, site.opening))) return "blocked";
  return group.idle.length > 0 ? "blocked" : "open";
}

/** It has carried what one connection may, or its place is needed elsewhere. */
export function isSpent(state: PoolState, group: Group, link: Link): boolean {
  if (link.served === 0) return false;
  const { pace, turns } = group.site;
  // Where only the usual number says so, a connection goes on until a new one may be opened: the rate of connecting never holds up
  // mail that has a connection.
  if (link.served >= pace.limits().connectionMessages)
    if (pace.isStrict() || pace.connectWaitMs(state.clock.monotonicMs()) === 0) return true;
  if (othersWait(state.hungry, group)) return group.links.size > 1 || link.served % TURN_JOBS === 0;
  return othersWait(turns, group) && link.served % TURN_JOBS === 0;
}

/** The first that waits has no connection at all. */
function othersWait(line: ReadonlySet<Group>, group: Group): boolean {
  if (line.size === 0) return false;
  for (const first of line) return first !== group && first.links.size + first.opening === 0;
  return false;
}

/** More connections than may work: a limit has become tighter, or the site bears fewer. */
export function hasTooMany({ links, opening, pace }: Site): boolean {
  return links + opening > pace.window();
}

/** The window has no place for a further connection unless an idle one goes. */
export function isFull({ links, opening, pace }: Site): boolean {
  return links + opening >= pace.window();
}

/** A place among those that sites without a name for themselves may hold. */
export function mayStrangerOpen({ strangers, settings }: PoolState): boolean {
  return strangers < Math.max(1, Math.floor(settings.maxConnections * STRANGERS_SHARE));
}

/** Connections that work or are about to. */
export function busyAt(site: Site): number {
  return atWork(site) + site.opening;
}
