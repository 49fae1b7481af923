// What becomes of a recipient that was claimed: it leaves along its domain's route, waits in another line or for another time, or has come
// to its end already. All of it inside the transaction of the claim or of the resolver's answer.
import { unreachable } from "../base/unreachable.ts";
import type { BodyPlace } from "../mail/message.ts";
import { isAttempt, lastHeard, packStep, unroutedSince } from "../mail/timeline.ts";
import type { Route, Routing } from "../route/route.ts";
import type { Deadlines } from "./deadlines.ts";
import { type Depart, isStranded } from "./departure.ts";
import type { DueTime } from "./duetime.ts";
import type { Flights } from "./flight.ts";
import { hasBytes, isOpen, launch, sameRoute, windowNow, type Turn } from "./launch.ts";
import { type Happening, isWaiting } from "./lifecycle.ts";
import type { Lulls } from "./lulls.ts";
import type { QueuePolicy } from "./policy.ts";
import type { Candidate, Found, Routes, Untried } from "./routing.ts";
import { HOUR_MS } from "./retry.ts";
import { livesUntil, note, settlementOf } from "./settlement.ts";
import type { Site, Sites } from "./site.ts";
import type { Departing, Stranded } from "./sources.ts";
import type { Claimed, QueueStore } from "./store.ts";
import type { Suppressing } from "./suppress.ts";
import { isHungry, noteDue, roomOf } from "./window.ts";

export interface PlacingDeps {
  readonly store: Pick<QueueStore, "settle" | "body" | "timeline">;
  readonly sites: Sites;
  readonly flights: Flights;
  readonly routes: Pick<Routes, "roadOf" | "restsUntil" | "silent">;
  readonly policy: QueuePolicy;
  readonly dueTime: Pick<DueTime, "jumpedAtMono">;
  readonly roll: () => number;
  readonly expect: (site: Site) => void;
  readonly lulls: Pick<Lulls, "since" | "leapt">;
  readonly deadlines: Pick<Deadlines, "add">;
  /** Our own line is down: what the resolver does not say is not held against a domain. */
  readonly held: () => boolean;
  readonly depart: Depart;
  /** For mail that must be encrypted. */
  readonly insist: (route: Route) => Route;
  readonly suppressing: Suppressing;
  /** The bytes of a message are not where they must be. */
  readonly bodyMissing: (claimed: Claimed) => void;
  readonly untried: Untried | undefined;
}

export interface Placing {
  /** True: it is suppressed or has lived, and is settled so. */
  ends(turn: Turn, candidate: Candidate): boolean;
  /** Settles where it goes, now that its domain's route is known. */
  place(turn: Turn, candidate: Candidate, found: Found): void;
  /** To the line that it came from, untried. */
  giveBack(turn: Turn, candidate: Candidate): void;
}

export function createPlacing(deps: PlacingDeps): Placing {
  const { store, sites, flights, routes, policy, dueTime, roll, expect, suppressing } = deps;
  const roadOf = ({ address, from, capture }: Claimed): string =>
    routes.roadOf(address, from, capture);
  const expiryOf = (turn: Turn, claimed: Claimed): number =>
    livesUntil(policy.retry, deps.lulls, claimed, turn.now.wall);
  const end = (
    turn: Turn,
    { claimed, lookup }: Candidate,
    happening: Happening,
    step: string | null,
    target?: Site,
  ): void => {
    const site = target === undefined ? undefined : sites.idOf(target);
    const settlement = settlementOf(claimed, happening, step, turn.now.wall, { site });
    store.settle(settlement);
    if (isWaiting(settlement.next)) deps.deadlines.add(claimed.message, claimed.expiresAt);
    const { untried } = deps;
    if (untried === undefined || step === null) return;
    if (!isAttempt(step) && happening.kind !== "expired") return;
    const kind = happening.kind === "deferred" ? "deferred" : "failed";
    turn.afterwards.push(() => untried(claimed, lookup, { kind, step }));
  };

  const putBack = (turn: Turn, candidate: Candidate, dueAt: number, target: Site): void => {
    const { claimed } = candidate;
    const leftMs = expiryOf(turn, claimed) - turn.now.wall;
    const at = leftMs > 0 ? Math.min(dueAt, turn.now.due + leftMs) : dueAt;
    end(turn, candidate, { kind: "returned", dueAt: at }, null, target);
    noteDue(target, claimed.priority, at);
    expect(target);
  };

  /**
   * The sender's own limit is kept, whatever has failed. A lifetime ends only with a failure that this process saw since the clock last
   * jumped: its own attempt's, or that of its site or domain. A clock set forward by a year then costs one more attempt, no mail.
   */
  const hasLived = (turn: Turn, { claimed, from }: Candidate): boolean => {
    if (expiryOf(turn, claimed) > turn.now.wall) return false;
    if (claimed.expiresAt !== null) return true;
    if (deps.held()) return false;
    if (routes.restsUntil(roadOf(claimed)) > turn.now.due) return true;
    return from.level > 0 && from.failedAtMono > dueTime.jumpedAtMono();
  };

  const expire = (turn: Turn, candidate: Candidate): void => {
    const { wall } = turn.now;
    const happening: Happening = { kind: "expired", at: wall, counted: false };
    end(
      turn,
      candidate,
      happening,
      note(wall, "expired", "4.4.7 not delivered within its lifetime"),
    );
    turn.ended.push("expired");
  };

  /** Its address came onto the list while it waited. */
  const bar = (turn: Turn, candidate: Candidate): boolean => {
    const { wall } = turn.now;
    const step = suppressing.barOf(candidate.claimed.address, wall);
    if (step === undefined) return false;
    end(turn, candidate, { kind: "suppressed", at: wall }, step);
    turn.ended.push("suppressed");
    return true;
  };

  /** Without an attempt that counts, and no longer than it lives. */
  const rest = (
    turn: Turn,
    candidate: Candidate,
    { until, step, target }: { until: number; step: string; target: Site },
  ): void => {
    const { claimed } = candidate;
    const { wall, due } = turn.now;
    const leftMs = expiryOf(turn, claimed) - wall;
    if (leftMs <= 0) {
      end(turn, candidate, { kind: "expired", at: wall, counted: false }, step);
      turn.ended.push("expired");
      return;
    }
    const dueAt = Math.min(until, due + leftMs);
    end(turn, candidate, { kind: "deferred", dueAt, counted: false }, step, target);
    noteDue(target, claimed.priority, dueAt);
    expect(target);
  };

  const refuse = (
    turn: Turn,
    candidate: Candidate,
    refusal: Pick<Extract<Routing, { kind: "refused" }>, "enhanced" | "text">,
  ): void => {
    const step = routeStep(turn.now.wall, "failed", refusal.enhanced, refusal.text);
    end(turn, candidate, { kind: "bounced", at: turn.now.wall }, step);
    turn.ended.push("bounced");
  };

  /** The DNS has said for hours that mail leads nowhere. */
  const hasStayed = (turn: Turn, { message, n }: Claimed, enhanced: string): boolean => {
    const since = unroutedSince(store.timeline(message, n), enhanced);
    if (since === undefined) return false;
    const { wall } = turn.now;
    return wall - since - deps.lulls.since(since, wall) >= NOWHERE_MS;
  };

  /** Nothing is known of the domain, so nothing is decided: it rests, and no attempt is counted. */
  const unknown = (
    turn: Turn,
    candidate: Candidate,
    found: Extract<Routing, { kind: "unknown" }>,
  ): void => {
    const { claimed, from } = candidate;
    const { wall, due } = turn.now;
    if (deps.held()) return putBack(turn, candidate, due, from);
    const { bounces, text } = found;
    if (bounces !== undefined && hasStayed(turn, claimed, forNow(bounces)))
      return refuse(turn, candidate, { enhanced: bounces, text });
    const silent = found.class === undefined ? DIRECTORY_FAILED : "";
    const enhanced = bounces === undefined ? silent : forNow(bounces);
    const step = routeStep(wall, "deferred", enhanced, text, found.class);
    const road = roadOf(claimed);
    const restsUntil = routes.restsUntil(road);
    const until = restsUntil > due ? restsUntil : routes.silent(road, due, roll());
    rest(turn, candidate, { until, step, target: from });
  };

  /** Our settings reach no host of it: they may change, or its addresses. */
  const strand = (turn: Turn, candidate: Candidate, target: Site, stranded: Stranded): void => {
    const { wall, due } = turn.now;
    const { text, forMs } = stranded;
    const step = routeStep(wall, "deferred", "", text, "local");
    rest(turn, candidate, { until: due + forMs, step, target });
  };

  const hold = (turn: Turn, candidate: Candidate): void => {
    const text = "the bytes of this message are missing from the store";
    end(turn, candidate, { kind: "held" }, note(turn.now.wall, "held", text));
    deps.bodyMissing(candidate.claimed);
  };

  const depart = (turn: Turn, candidate: Candidate, site: Site, route: Route): void => {
    const { claimed } = candidate;
    const { message, n, address, claim, attempts } = claimed;
    const recipient = { n, address, claim, attempts };
    const { last } = turn;
    if (
      last !== null &&
      last.flight.message === message &&
      !last.flight.probe &&
      last.flight.recipients.length < policy.jobRecipientsMax &&
      sameRoute(last.route, route)
    ) {
      flights.extend(last.flight, recipient);
      return;
    }
    const bytes = claimed.spool === null ? store.body(message) : null;
    if (bytes === null && claimed.spool === null) return hold(turn, candidate);
    const launchable = {
      ...claimed,
      lookup: candidate.lookup,
      body: placeOfBody(claimed),
      livesUntil: expiryOf(turn, claimed),
    };
    const flight = launch(flights, turn, launchable, site, route, [recipient], bytes);
    turn.last = { flight, route };
  };

  /** A greylist wants to see the same address again, whoever else has room by then. */
  const departingOf = ({ message, n, from, attempts }: Claimed): Departing => {
    if (attempts === 0) return { message, from };
    return { message, from, before: () => lastHeard(store.timeline(message, n)) };
  };

  const follow = (turn: Turn, candidate: Candidate, route: Route): void => {
    const { claimed, from } = candidate;
    const { due } = turn.now;
    const target = sites.named(route.site);
    if (!turn.dispatching) return putBack(turn, candidate, due, target);
    if (!isOpen(target, due))
      return putBack(turn, candidate, Math.max(due, target.pausedUntil), target);
    const sizeBytes = claimed.spool === null ? claimed.sizeBytes : 0;
    if (target !== from && isHungry(target, claimed.priority, due))
      return putBack(turn, candidate, due, target);
    const room = roomOf(target, claimed.priority, windowNow(flights, policy)) > 0;
    if (!room || !hasBytes(flights, policy, target, sizeBytes)) {
      sites.starve(target);
      return putBack(turn, candidate, due, target);
    }
    const asked = claimed.requireTls ? deps.insist(route) : route;
    const leaving = deps.depart(turn.now, target, asked, departingOf(claimed));
    if (typeof leaving === "number") return putBack(turn, candidate, leaving, target);
    if (isStranded(leaving)) return strand(turn, candidate, target, leaving);
    depart(turn, candidate, target, leaving);
  };

  const place = (turn: Turn, candidate: Candidate, found: Found): void => {
    switch (found.kind) {
      case "asked":
        turn.asked.push(candidate);
        return;
      case "later":
        return putBack(turn, candidate, found.dueAt, candidate.from);
      case "refused":
        return refuse(turn, candidate, found);
      case "unknown":
        return unknown(turn, candidate, found);
      case "route":
        return follow(turn, candidate, found.route);
      default:
        return unreachable(found);
    }
  };

  return {
    ends(turn, candidate) {
      if (suppressing.isNeeded() && bar(turn, candidate)) return true;
      const lived = hasLived(turn, candidate);
      if (lived) expire(turn, candidate);
      return lived;
    },
    place,
    giveBack: (turn, candidate) => putBack(turn, candidate, turn.now.due, candidate.from),
  };
}

function placeOfBody(claimed: Claimed): BodyPlace {
  return claimed.spool === null
    ? { kind: "inline", length: claimed.sizeBytes }
    : { kind: "spool", file: claimed.spool };
}

/** Whoever looks after a domain has so long to mend its records, at about ten looks; RFC 5321 5.1 wants an error, and a sender to hear of it. */
const NOWHERE_MS = 4 * HOUR_MS;
/** RFC 3463 2: the same trouble, while it may pass. */
const forNow = (enhanced: string): string => `4${enhanced.slice(1)}`;
/** RFC 3463 3.5: the servers that were to tell the route did not. */
const DIRECTORY_FAILED = "4.4.3";

/** The DNS has the word of the remote side: this attempt never came to a connection. */
function routeStep(
  at: number,
  outcome: "failed" | "deferred",
  enhanced: string,
  text: string,
  trouble: "dns" | "tls" | "local" = "dns",
): string {
  return packStep({
    kind: "attempt",
    at,
    durationMs: 0,
    outcome,
    class: trouble,
    doubt: false,
    via: "mx",
    site: "",
    host: "",
    address: "",
    source: "",
    session: "",
    phase: "route",
    code: 0,
    enhanced,
    text,
    tls: null,
  });
}
