// The sites of one sender. One that has nothing to do is kept for a while with what was learned of it and spent there, so that its
// rates hold although its connections have gone; the least recently used one is forgotten first.
import type { Clock } from "../base/clock.ts";
import { keepNewest } from "../base/keepNewest.ts";
import type { Parted, Standing } from "../mail/handover.ts";
import type { Verdict } from "../mail/verdict.ts";
import { type LimitsInForce, limitsOf, type SiteLimits } from "../route/limits.ts";
import type { Route } from "../route/route.ts";
import type { DeliverMeter } from "./metering.ts";
import { createPace } from "./pace.ts";
import type { DeliverSettings } from "./settings.ts";
import { atWork, createSite, type Hands, type Site } from "./site.ts";

export interface SiteBookDeps {
  readonly clock: Clock;
  readonly meter: DeliverMeter;
  readonly replaces: boolean;
  /** Attempts under these limits, whose verdicts are told to `heard` before anyone else. */
  handsFor(limits: SiteLimits, heard: (verdict: Verdict) => void): Hands;
  heard(site: Site, verdict: Verdict): void;
}

export interface SiteBook {
  at(route: Route): Site;
  /** It has no groups any more. */
  retire(site: Site): void;
  configure(settings: DeliverSettings): void;
  /** Without making it. */
  find(name: string): Site | undefined;
  /** Those with work or connections. */
  active(): readonly Site[];
  /** A site that goes to another sender, with what is known of it; and those that came from others. */
  handOver(name: string): Parted;
  takeOver(parted: readonly Parted[]): void;
}

/** Idle sites that are remembered. */
const KEPT_MAX = 2000;

export function createSiteBook(deps: SiteBookDeps, first: DeliverSettings): SiteBook {
  let settings = first;
  const sites = new Map<string, Site>();
  const idle = new Map<string, Site>();
  /** What others knew of sites that have had no mail here yet. */
  const known = new Map<string, { readonly standing: Standing; readonly atMs: number }>();

  const spentAtMs = deps.replaces ? deps.clock.monotonicMs() : null;

  const make = (route: Route): Site => {
    const inForce = limitsOf(settings, route);
    const start = route.via === "mx" ? settings.startConnections : inForce.limits.connections;
    const pace = createPace(inForce, start, spentAtMs);
    const before = known.get(route.site);
    if (before !== undefined) pace.takeOver(before.standing, before.atMs);
    known.delete(route.site);
    const heard = (verdict: Verdict): void => deps.heard(site, verdict);
    const hands = deps.handsFor(inForce.limits, heard);
    const site: Site = createSite(route, { meter: deps.meter.site(route.site), pace, hands });
    return site;
  };

  return {
    at(route) {
      const name = route.site;
      const found = sites.get(name);
      if (found !== undefined) {
        if (found.groups.size === 0) idle.delete(name);
        return found;
      }
      const site = make(route);
      sites.set(name, site);
      return site;
    },
    retire(site) {
      site.wake?.timer.cancel();
      site.wake = null;
      idle.delete(site.name);
      idle.set(site.name, site);
      const [oldest] = idle.keys();
      if (idle.size <= KEPT_MAX || oldest === undefined) return;
      idle.delete(oldest);
      sites.delete(oldest);
    },
    configure(next) {
      settings = next;
      for (const site of sites.values()) {
        const inForce = limitsOf(settings, { site: site.name, via: site.via });
        site.pace.configure(inForce);
        site.hands = deps.handsFor(inForce.limits, (verdict) => deps.heard(site, verdict));
      }
    },
    find: (name) => sites.get(name),
    active: () => [...sites.values()].filter((site) => site.groups.size > 0),
    handOver(name) {
      const nowMs = deps.clock.monotonicMs();
      const site = sites.get(name);
      // It may go on before it ever had mail here.
      const before = known.get(name);
      known.delete(name);
      if (site !== undefined) return { site: name, standing: site.pace.handOver(nowMs) };
      return { site: name, standing: before?.standing ?? null };
    },
    takeOver(parted) {
      const atMs = deps.clock.monotonicMs();
      for (const { site: name, standing } of parted) {
        if (standing === null) continue;
        const site = sites.get(name);
        if (site !== undefined) site.pace.takeOver(standing, atMs);
        else known.set(name, { standing, atMs });
      }
      keepNewest(known, KEPT_MAX);
    },
  };
}

/** A site as its sender sees it, for an operator. */
export interface SenderSite {
  readonly site: string;
  /** Open connections, and how many of them wait for mail. */
  readonly connections: number;
  readonly idle: number;
  readonly opening: number;
  readonly running: number;
  /** Jobs that wait for a connection. */
  readonly waiting: number;
  /** How many connections may work at the moment. */
  readonly concurrency: number;
  /** How many it was found to bear; null: not known. */
  readonly ceiling: number | null;
  readonly limits: SiteLimits;
  readonly from: LimitsInForce["from"];
  /** How long until a connection may be opened, or a message sent, by the rates. */
  readonly connect_wait_ms: number;
  readonly message_wait_ms: number;
  /** The reply that has been waited for longest, at this moment. */
  readonly waits: { readonly phase: string; readonly ms: number } | null;
}

function longestWait({ groups }: Site, nowMs: number): SenderSite["waits"] {
  let longest: SenderSite["waits"] = null;
  for (const { links } of groups)
    for (const { talk } of links) {
      const wait = talk.waits();
      if (wait === null || nowMs - wait.sinceMs <= (longest?.ms ?? -1)) continue;
      longest = { phase: wait.phase, ms: Math.round(nowMs - wait.sinceMs) };
    }
  return longest;
}

export function viewOf(site: Site, nowMs: number): SenderSite {
  const { pace, groups, opening, links } = site;
  const running = atWork(site);
  let waiting = 0;
  for (const { lanes } of groups) waiting += lanes.size();
  return {
    site: site.name,
    connections: links,
    idle: Math.max(0, links - running),
    opening,
    running,
    waiting,
    concurrency: pace.window(),
    ceiling: pace.ceiling(),
    limits: pace.limits(),
    from: pace.from(),
    connect_wait_ms: pace.connectWaitMs(nowMs),
    message_wait_ms: pace.messageWaitMs(nowMs),
    waits: longestWait(site, nowMs),
  };
}
