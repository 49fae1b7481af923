// What one sender keeps for a site: its connections, what waits for them, and how many may work. Mail shares connections only if its
// site, ports, TLS policies and logins are the same.
import type { Priority } from "../mail/message.ts";
import type { Route } from "../route/route.ts";
import type { Work } from "./attempt.ts";
import { createLanes, type Lanes } from "./lanes.ts";
import type { SiteMeter } from "./metering.ts";
import type { Link } from "./open.ts";
import type { DeliverSettings } from "./settings.ts";

export interface Site {
  readonly key: string;
  readonly meter: SiteMeter;
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
}

export function keyOf({ site, port, tls, implicitTls, login, hosts }: Route): string {
  const endpoints = hosts.map((host) => host.endpoint ?? null);
  return JSON.stringify([site, port, tls, implicitTls, login, endpoints]);
}

export function createSite(key: string, route: Route, meter: SiteMeter): Site {
  return {
    key,
    route,
    meter,
    lanes: createLanes(),
    links: new Set(),
    idle: [],
    avoid: new Map(),
    opening: 0,
    openAfter: 0,
  };
}

export const busy = (site: Site): number => site.links.size - site.idle.length;

/**
 * How many connections may work for the most urgent of what waits: a code always finds a slot, normal mail leaves one, bulk leaves a
 * quarter (DESIGN 7).
 */
export function allowance(settings: DeliverSettings, { route, lanes }: Site): number {
  const { siteConnections, relayConnections } = settings;
  const all = route.via === "relay" ? relayConnections : siteConnections;
  if (lanes.sizeOf(0) > 0) return all;
  return Math.max(1, lanes.sizeOf(1) > 0 ? all - 1 : Math.floor((all * 3) / 4));
}

export function mostUrgent(lanes: Lanes<Work>): Priority {
  if (lanes.sizeOf(0) > 0) return 0;
  return lanes.sizeOf(1) > 0 ? 1 : 2;
}

/** How long an address under which a connection broke is tried last, and how many such addresses are remembered. */
const AVOID_MS = 60_000;
const AVOID_MAX = 100;

export function avoid(site: Site, address: string, nowMs: number): void {
  site.avoid.set(address, nowMs + AVOID_MS);
  const [oldest] = site.avoid.keys();
  if (site.avoid.size > AVOID_MAX && oldest !== undefined) site.avoid.delete(oldest);
}
