// What one sender keeps for a site, and within it for each group of mail that may share connections. Limits, rates and what was
// learned belong to the site, since a provider judges a sender as a whole. Connections belong to a group: mail shares them only if
// its routes name the same hosts in the same order, and speak to them in the same way. Every tenant of a big provider may have an MX
// name of its own; a host that was never named for a domain has not agreed to take that domain's mail.
import type { Timer } from "../base/clock.ts";
import { keepNewest } from "../base/keepNewest.ts";
import type { Priority } from "../mail/message.ts";
import type { Route } from "../route/route.ts";
import type { AttemptOptions, Trial, Work } from "./attempt.ts";
import { createLanes, type Lanes } from "./lanes.ts";
import type { SiteMeter } from "./metering.ts";
import type { Link, Unopened } from "./open.ts";
import type { Pace } from "./pace.ts";
import { openLanes, type Running } from "./shares.ts";

/** How the attempts of a site are made, and whom their verdicts are told to. */
export interface Hands {
  prepare(link: Link, work: Work): Trial | null;
  attempt(
    link: Link,
    what: { readonly work: Work; readonly begun: Trial | null },
    options: AttemptOptions,
  ): void;
  /** No address of the route could be opened: what waited for it has its verdict. */
  unopened(work: Work, why: Unopened): void;
  /** True when that says something bad of the site. */
  blames(why: Unopened): boolean;
}

export interface Site {
  readonly name: string;
  readonly via: Route["via"];
  readonly meter: SiteMeter;
  readonly pace: Pace;
  readonly groups: Set<Group>;
  /** Groups whose mail waits for something that the site as a whole has too little of. */
  readonly turns: Set<Group>;
  /** Its idle connections, least recently used first. */
  readonly resting: Map<Link, Group>;
  /** Jobs at work, by lane. */
  readonly running: [number, number, number];
  hands: Hands;
  /** Connections, idle ones included, and those on their way. */
  links: number;
  opening: number;
  /** What the verdicts of the attempts that end say of the site; reset by each end. */
  heard: "nothing" | "good" | "lost" | "bad";
  /** Failures in a row that had a verdict. */
  streak: number;
  /** Nothing is begun before: the queue is about to hear that the site wants no more, and its jobs go back. */
  restsUntilMs: number;
  /** What came from the queue before it is not tried again: the queue counts on a paused site. */
  restedAtMs: number;
  /** Ends what is on its way. */
  stop: AbortController;
  /** It becomes another sender's: called once nothing is open or on its way. */
  parting: (() => void) | null;
  /** The next token of a rate. */
  wake: { readonly timer: Timer; readonly atMs: number } | null;
}

export interface Group {
  readonly key: string;
  readonly site: Site;
  readonly lanes: Lanes<Work>;
  readonly links: Set<Link>;
  /** Last in, first out: what is not needed grows old and is closed. */
  readonly idle: Link[];
  /** Addresses under which a connection broke, until when they are tried last. */
  readonly avoid: Map<string, number>;
  route: Route;
  opening: number;
  /** After a failure no further connection is tried while others stand. */
  openAfter: number;
  /** After a round of connections that broke under a job no further one is tried until then, but for more urgent mail. */
  round: { readonly untilMs: number; readonly urgency: Priority };
}

export function keyOf({ site, port, tls, implicitTls, login, hosts, source }: Route): string {
  const named = hosts.map(({ name, preference, endpoint }) => [name, preference, endpoint ?? null]);
  return JSON.stringify([site, port, tls, implicitTls, login, source ?? null, named]);
}

export function createSite(route: Route, made: Pick<Site, "meter" | "pace" | "hands">): Site {
  return {
    ...made,
    name: route.site,
    via: route.via,
    groups: new Set(),
    turns: new Set(),
    resting: new Map(),
    running: [0, 0, 0],
    links: 0,
    opening: 0,
    heard: "nothing",
    streak: 0,
    restsUntilMs: 0,
    restedAtMs: -Infinity,
    stop: new AbortController(),
    parting: null,
    wake: null,
  };
}

export function createGroup(key: string, site: Site, route: Route): Group {
  return {
    key,
    site,
    route,
    lanes: createLanes(),
    links: new Set(),
    idle: [],
    avoid: new Map(),
    opening: 0,
    openAfter: 0,
    round: { untilMs: 0, urgency: 0 },
  };
}

export function atWork({ running }: { readonly running: Running }): number {
  return running[0] + running[1] + running[2];
}

/** Lanes of which the shares let a further job begin, one bit each; `opening` connections will need work too. */
export function slotMask({ running, pace }: Site, opening = 0): number {
  return openLanes(running, pace.window(), opening);
}

export function mostUrgent(lanes: Lanes<Work>): Priority {
  if (lanes.sizeOf(0) > 0) return 0;
  return lanes.sizeOf(1) > 0 ? 1 : 2;
}

/** How long an address under which a connection broke is tried last, and how many such addresses are remembered. */
const AVOID_MS = 60_000;
const AVOID_MAX = 100;

export function avoid(group: Group, address: string, nowMs: number): void {
  group.avoid.set(address, nowMs + AVOID_MS);
  keepNewest(group.avoid, AVOID_MAX);
}

/** 0: nothing broke under it lately, so it has its turn by the route's order alone. */
export function avoidedUntil({ avoid: until }: Group, address: string, nowMs: number): number {
  const untilMs = until.get(address) ?? 0;
  return untilMs > nowMs ? untilMs : 0;
}
