// Due work on its way out of the store: claims by lane and weight, within the window of its site, and one probe for a site that is paused.
import { priorities, type Priority } from "../mail/message.ts";
import type { Flights } from "./flight.ts";
import { isOpen, windowNow, type Turn } from "./launch.ts";
import type { Placing } from "./placing.ts";
import type { QueuePolicy } from "./policy.ts";
import { longestWaitMs } from "./retry.ts";
import type { Candidate, Routes } from "./routing.ts";
import type { Site, Sites } from "./site.ts";
import type { ClaimRequest, QueueStore } from "./store.ts";
import { isHungry, roomOf, sharesOf } from "./window.ts";

export interface DispatchDeps {
  readonly store: Pick<QueueStore, "claim" | "nextDue">;
  readonly sites: Pick<Sites, "unrouted">;
  readonly flights: Flights;
  readonly routes: Pick<Routes, "find" | "waiting">;
  readonly policy: QueuePolicy;
  readonly expect: (site: Site) => void;
  /** Lines of paused domains. */
  readonly parked: () => ClaimRequest["parked"];
  readonly placing: Placing;
}

export interface Dispatcher {
  /** Looks at one site and claims what its window has room for. Inside a transaction. */
  pump(turn: Turn, site: Site): void;
}

/** A paused site's line is searched so far for a recipient that still lives; the rest follows in the next transaction. */
const PROBE_SEARCH_MAX = 50;

export function createDispatcher(deps: DispatchDeps): Dispatcher {
  const { store, sites, flights, routes, policy, expect, placing } = deps;

  /** Claims from one lane; what is due there next is known afterwards. */
  const claimLane = (turn: Turn, site: Site, priority: Priority, limit: number): number => {
    if (site.id === undefined) {
      // No row names it: what would have was rolled back.
      site.dueAt[priority] = Infinity;
      return 0;
    }
    if (limit <= 0) return 0;
    const { now, leaseUntil } = turn;
    const bytesMax = Math.max(1, policy.flightBytesMax - flights.bytes());
    const parked = deps.parked();
    const wanted = { site: site.id, priority, limit, bytesMax, now: now.due, leaseUntil };
    const request: ClaimRequest = parked === undefined ? wanted : { ...wanted, parked };
    let rows = store.claim(request);
    if (rows.length < limit) {
      const nextAt = store.nextDue(site.id, priority) ?? Infinity;
      const waits = nextAt === Infinity ? 0 : nextAt - now.due;
      const frozen = waits > longestWaitMs(policy.retry) && site !== sites.unrouted;
      // No schedule waits so long: the clock went back while nobody watched. They are due, and so are those behind them.
      if (frozen && rows.length === 0) rows = store.claim({ ...request, now: nextAt });
      site.dueAt[priority] = frozen ? now.due : nextAt;
    }
    turn.claimsLeft -= rows.length;
    for (const claimed of rows) {
      const candidate: Candidate = { claimed, from: site };
      if (!placing.ends(turn, candidate))
        placing.place(turn, candidate, routes.find(candidate, now.due));
    }
    return rows.length;
  };

  const probe = (turn: Turn, site: Site): void => {
    for (let searched = 0; searched < PROBE_SEARCH_MAX && !site.probing; searched++) {
      const lane = priorities.find((one) => isHungry(site, one, turn.now.due));
      if (lane === undefined) return;
      claimLane(turn, site, lane, 1);
    }
  };

  const roomFor = (turn: Turn, site: Site, lane: Priority): number => {
    const room =
      site === sites.unrouted
        ? policy.routingMax - routes.waiting()
        : roomOf(site, lane, windowNow(flights, policy));
    return Math.min(room, turn.claimsLeft);
  };

  /** Two rounds: by weight, and then what some lanes left of their shares to those that have more. */
  const fill = (turn: Turn, site: Site): void => {
    const { due } = turn.now;
    const canTake = (lane: Priority): boolean =>
      isHungry(site, lane, due) && roomFor(turn, site, lane) > 0;
    const shares = sharesOf([canTake(0), canTake(1), canTake(2)], roomFor(turn, site, 0));
    for (const lane of priorities)
      claimLane(turn, site, lane, Math.min(shares[lane], roomFor(turn, site, lane)));
    for (const lane of priorities)
      if (canTake(lane)) claimLane(turn, site, lane, roomFor(turn, site, lane));
  };

  return {
    pump(turn, site) {
      const { due } = turn.now;
      if (!isOpen(site, due)) return expect(site);
      turn.pumped.push(site);
      site.starving = false;
      if (site.level > 0) probe(turn, site);
      else fill(turn, site);
      expect(site);
    },
  };
}
