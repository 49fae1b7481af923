// What the pool knows at one moment, and what it is given.
import type { Clock, Timer } from "../base/clock.ts";
import type { Verdict } from "../mail/verdict.ts";
import type { Route } from "../route/route.ts";
import type { Trial, Work } from "./attempt.ts";
import { createMemory, type Memory } from "./memory.ts";
import type { DeliverMeter } from "./metering.ts";
import type { Link, Open } from "./open.ts";
import type { DeliverSettings } from "./settings.ts";
import type { Group, Site } from "./site.ts";
import { createSiteBook, type SiteBook, type SiteBookDeps } from "./siteBook.ts";

export interface PoolDeps {
  readonly clock: Clock;
  readonly meter: DeliverMeter;
  readonly open: Open;
  readonly settings: DeliverSettings;
  readonly replaces: boolean;
  readonly handsFor: SiteBookDeps["handsFor"];
  /** Work goes back untried: it waited too long, the pool drains, or its site rests. */
  interrupted(work: Work, why: string): void;
}

/** What the parts of the pool ask of it. */
export interface PoolHooks {
  /** Gives waiting work of the group to its connections, or opens one. */
  readonly pump: (group: Group) => void;
  readonly heard: (site: Site, verdict: Verdict) => void;
}

export interface PoolState extends PoolDeps {
  readonly pump: PoolHooks["pump"];
  settings: DeliverSettings;
  readonly book: SiteBook;
  readonly groups: Map<string, Group>;
  readonly keys: WeakMap<Route, string>;
  /** Idle connections of all sites, least recently used first. */
  readonly resting: Map<Link, Group>;
  /** What was sent behind the dot of the job that a connection works on. */
  readonly ahead: Map<Link, Trial>;
  /** What each busy connection works on. */
  readonly working: Map<Link, Work>;
  /** Hosts whose connection broke with commands behind the dot. */
  readonly shy: Memory;
  /** Groups that wait for a free place among all connections. */
  readonly hungry: Set<Group>;
  /** Sites where something came free since the last look. */
  readonly moved: Set<Site>;
  readonly emptied: (() => void)[];
  /** Null while nothing waits. */
  sweeping: Timer | null;
  /** A look is on its way. */
  looking: boolean;
  /** Connections, and those on their way. */
  total: number;
  /** Those on their way to sites that have never answered. */
  strangers: number;
  running: number;
  draining: boolean;
}

const SHY = { keepMs: 86_400_000, entriesMax: 1000 };

export function createPoolState(deps: PoolDeps, { pump, heard }: PoolHooks): PoolState {
  const { clock, meter, handsFor, settings, replaces } = deps;
  return {
    ...deps,
    pump,
    book: createSiteBook({ clock, meter, handsFor, heard, replaces }, settings),
    groups: new Map(),
    keys: new WeakMap(),
    resting: new Map(),
    ahead: new Map(),
    working: new Map(),
    shy: createMemory(clock, SHY),
    hungry: new Set(),
    moved: new Set(),
    emptied: [],
    sweeping: null,
    looking: false,
    total: 0,
    strangers: 0,
    running: 0,
    draining: false,
  };
}

export interface PoolGauges {
  readonly sites: number;
  readonly connections: number;
  readonly idle: number;
  readonly opening: number;
  readonly waiting: number;
  readonly running: number;
}

export function gaugesOf(state: PoolState): PoolGauges {
  const { running } = state;
  let connections = 0;
  let opening = 0;
  let waiting = 0;
  for (const group of state.groups.values()) {
    connections += group.links.size;
    opening += group.opening;
    waiting += group.lanes.size();
  }
  const sites = state.book.active().length;
  return { sites, connections, idle: state.resting.size, opening, waiting, running };
}
