// The connections of one sender: which site has how many, who waits for one, and what a connection does next.
import type { Clock, Timer } from "../base/clock.ts";
import type { Late, Recall } from "../mail/recall.ts";
import type { Route } from "../route/route.ts";
import type { AttemptEnd, AttemptOptions, Trial, Work } from "./attempt.ts";
import { createMemory, type Memory } from "./memory.ts";
import type { DeliverMeter } from "./metering.ts";
import type { Link, Open, Unopened } from "./open.ts";
import { RECALLED, recallFrom } from "./recall.ts";
import type { DeliverSettings } from "./settings.ts";
import { allowance, avoid, busy, createSite, keyOf, mostUrgent, type Site } from "./site.ts";
import { isOver, SWEEP_MS } from "./waiting.ts";

export interface PoolDeps {
  readonly clock: Clock;
  readonly meter: DeliverMeter;
  readonly open: Open;
  readonly settings: DeliverSettings;
  prepare(link: Link, work: Work): Trial | null;
  attempt(
    link: Link,
    what: { readonly work: Work; readonly begun: Trial | null },
    options: AttemptOptions,
  ): void;
  /** Work goes back untried: it waited too long, or the pool drains. */
  interrupted(work: Work, why: string): void;
  /** No address of the route could be opened. */
  unopened(work: Work, why: Unopened): void;
}

export interface Pool {
  submit(work: Work): void;
  recall(recall: Recall): readonly Late[];
  gauges(): PoolGauges;
  /** Takes all waiting work out; idle connections are ended, busy ones end after their job. */
  drain(): Work[];
  /** Breaks what still runs. */
  abort(): void;
  /** Resolves when nothing is open any more. */
  empty(): Promise<void>;
}

export interface PoolGauges {
  readonly sites: number;
  readonly connections: number;
  readonly idle: number;
  readonly opening: number;
  readonly waiting: number;
  readonly running: number;
}

interface State extends PoolDeps {
  readonly sites: Map<string, Site>;
  readonly keys: WeakMap<Route, string>;
  /** Idle connections of all sites, least recently used first. */
  readonly resting: Map<Link, Site>;
  /** What was sent behind the dot of the job that a connection works on. */
  readonly ahead: Map<Link, Trial>;
  readonly working: Map<Link, Work>;
  readonly unwanted: WeakSet<Work>;
  /** Hosts whose connection broke with commands behind the dot. */
  readonly shy: Memory;
  /** Sites that wait for a free place among all connections. */
  readonly hungry: Set<Site>;
  readonly stop: AbortController;
  readonly emptied: (() => void)[];
  /** Null while nothing waits. */
  sweeping: Timer | null;
  total: number;
  running: number;
  draining: boolean;
}

/** Jobs that wait for each connection before a further one pays: 611 carried 500 sites as fast as 5,136 (DESIGN 6). */
const BACKLOG_PER_CONNECTION = 8;
const REOPEN_MS = 5_000;
const SHY = { keepMs: 86_400_000, entriesMax: 1000 };
/** Behind a slower dot a job would wait that another connection could take. */
const AHEAD_DOT_MS = 1_000;

export function createPool(deps: PoolDeps): Pool {
  const state: State = {
    ...deps,
    sites: new Map(),
    keys: new WeakMap(),
    resting: new Map(),
    ahead: new Map(),
    working: new Map(),
    unwanted: new WeakSet(),
    shy: createMemory(deps.clock, SHY),
    hungry: new Set(),
    stop: new AbortController(),
    emptied: [],
    sweeping: null,
    total: 0,
    running: 0,
    draining: false,
  };
  return {
    submit(work) {
      const site = siteOf(state, work.route);
      site.lanes.push(work.job.priority, work);
      state.sweeping ??= state.clock.after(SWEEP_MS, () => sweep(state));
      pump(state, site);
    },
    recall(recall) {
      const late = recallFrom(state, recall);
      for (const site of [...state.sites.values()]) pump(state, site);
      return late;
    },
    gauges: () => gaugesOf(state),
    drain: () => drain(state),
    abort: () => abort(state),
    empty: () =>
      new Promise((resolve) => {
        state.emptied.push(resolve);
        tellEmpty(state);
      }),
  };
}

function siteOf(state: State, route: Route): Site {
  let key = state.keys.get(route);
  if (key === undefined) {
    key = keyOf(route);
    state.keys.set(route, key);
  }
  const found = state.sites.get(key);
  if (found !== undefined) {
    found.route = route;
    return found;
  }
  const made = createSite(key, route, state.meter.site(route.site));
  state.sites.set(key, made);
  return made;
}

/** Gives waiting work to idle connections, and opens one more if that pays. */
function pump(state: State, site: Site): void {
  while (site.lanes.size() > 0 && busy(site) < allowance(state.settings, site)) {
    const link = site.idle.pop();
    if (link === undefined) break;
    state.resting.delete(link);
    serve(state, site, link);
  }
  if (wantsMore(state, site)) openOne(state, site);
  else if (site.links.size + site.opening === 0 && site.lanes.size() === 0) forget(state, site);
}

function wantsMore(state: State, site: Site): boolean {
  const waiting = site.lanes.size();
  if (waiting === 0 || state.draining) return false;
  const open = site.links.size + site.opening;
  if (open === 0) return true;
  if (open >= allowance(state.settings, site) || state.clock.monotonicMs() < site.openAfter)
    return false;
  // A person waits for what is in the first lane: it opens at once what it needs.
  const urgent = site.lanes.sizeOf(0) > site.opening;
  return urgent || waiting > BACKLOG_PER_CONNECTION * open;
}

/** The link takes one job after another while there are any. A loop, since a stand-in for a network may answer at once. */
function serve(state: State, site: Site, link: Link): void {
  for (;;) {
    const begun = state.ahead.get(link) ?? null;
    state.ahead.delete(link);
    const work = begun?.work ?? nextWork(state, site, link);
    if (work === undefined) return retire(state, site, link);
    if (begun !== null && state.unwanted.has(work)) {
      state.interrupted(work, RECALLED);
      return drop(state, site, link);
    }
    let ended: AttemptEnd | undefined;
    let returned = false;
    state.running++;
    const done = (end: AttemptEnd): void => {
      state.running--;
      state.working.delete(link);
      ended = end;
      if (begun !== null && !end.clean && end.end !== "stale") state.shy.add(link.target.host);
      if (returned && after(state, site, { link, work, end })) serve(state, site, link);
    };
    const ahead = (): Trial | null => goAhead(state, site, link);
    state.working.set(link, work);
    state.attempt(link, { work, begun }, { meter: site.meter, ahead, done });
    returned = true;
    if (ended === undefined || !after(state, site, { link, work, end: ended })) return;
  }
}

function nextWork(state: State, site: Site, link: Link): Work | undefined {
  if (state.draining || isSpent(state, site, link)) return undefined;
  // This link counts as busy here.
  if (busy(site) > allowance(state.settings, site)) return undefined;
  for (;;) {
    const work = site.lanes.take();
    if (work === undefined || !isOver(work.patience, state.clock)) return work;
    state.interrupted(work, OVERSTAYED);
  }
}

const OVERSTAYED = "no connection was free for it in time";

/** No connection may come to take what waits, so that it is looked at from here too. */
function sweep(state: State): void {
  let waiting = false;
  for (const site of [...state.sites.values()]) {
    const over = site.lanes.takeHeads((work) => isOver(work.patience, state.clock));
    for (const work of over) state.interrupted(work, OVERSTAYED);
    if (over.length > 0) pump(state, site);
    waiting ||= site.lanes.size() > 0;
  }
  state.sweeping = waiting ? state.clock.after(SWEEP_MS, () => sweep(state)) : null;
}

/** The job that follows on this link, so that its first commands can leave with the dot of the present one. */
function goAhead(state: State, site: Site, link: Link): Trial | null {
  if (!link.offer.pipelining || !state.settings.sendAhead) return null;
  // A person's mail goes to whichever connection is free first.
  if (site.lanes.sizeOf(0) > 0 || state.hungry.size > 0) return null;
  if (!link.talk.answersWithin(AHEAD_DOT_MS) || state.shy.has(link.target.host)) return null;
  const work = nextWork(state, site, link);
  if (work === undefined) return null;
  const trial = state.prepare(link, work);
  if (trial === null) site.lanes.putBack(work.job.priority, work);
  else state.ahead.set(link, trial);
  return trial;
}

/** True when the link may go on. */
function after(
  state: State,
  site: Site,
  { link, work, end }: { readonly link: Link; readonly work: Work; readonly end: AttemptEnd },
): boolean {
  if (end.end === "broken") avoid(site, link.target.address, state.clock.monotonicMs());
  // Where one kept connection was dead, its idle neighbours are no better.
  if (end.end === "stale") for (const other of site.idle.splice(0)) drop(state, site, other);
  if (end.end !== "done") giveBack(state, site, work);
  if (end.clean) return true;
  drop(state, site, link);
  return false;
}

function giveBack(state: State, site: Site, work: Work): void {
  if (state.draining) state.interrupted(work, "the daemon stops");
  else site.lanes.putBack(work.job.priority, work);
}

/** It has carried what one connection may, or its place is needed elsewhere. */
function isSpent(state: State, site: Site, link: Link): boolean {
  if (link.served >= state.settings.connectionMessages) return true;
  return state.hungry.size > 0 && !state.hungry.has(site) && site.links.size > 1;
}

/** A link without a job waits for one, unless its time is over. */
function retire(state: State, site: Site, link: Link): void {
  if (state.draining || isSpent(state, site, link) || state.hungry.size > 0)
    return drop(state, site, link);
  site.idle.push(link);
  state.resting.set(link, site);
  link.talk.rest(state.settings.idleMs, () => {
    state.resting.delete(link);
    const at = site.idle.indexOf(link);
    if (at !== -1) site.idle.splice(at, 1);
    drop(state, site, link);
  });
}

/** Ends a link, whatever state it is in. */
function drop(state: State, site: Site, link: Link): void {
  if (!site.links.delete(link)) return;
  state.resting.delete(link);
  const ahead = state.ahead.get(link);
  if (ahead !== undefined) {
    state.ahead.delete(link);
    state.shy.add(link.target.host);
    giveBack(state, site, ahead.work);
  }
  link.talk.quit();
  state.meter.sessions(-1);
  site.meter.connections(site.links.size);
  freed(state, site);
}

/** One connection less: others may open one now. */
function freed(state: State, site: Site): void {
  state.total--;
  const { total } = state;
  for (const waiting of state.hungry) {
    state.hungry.delete(waiting);
    pump(state, waiting);
    if (state.total > total) break;
  }
  pump(state, site);
  tellEmpty(state);
}

function openOne(state: State, site: Site): void {
  if (state.total >= state.settings.maxConnections && !evict(state)) {
    state.hungry.add(site);
    return;
  }
  state.hungry.delete(site);
  state.total++;
  site.opening++;
  const { route } = site;
  const now = (): number => state.clock.monotonicMs();
  const request = {
    route,
    urgency: mostUrgent(site.lanes),
    signal: state.stop.signal,
    avoid: (address: string) => (site.avoid.get(address) ?? 0) > now(),
  };
  void state.open(request).then((opened) => {
    site.opening--;
    if (opened.kind === "failed") {
      site.openAfter = now() + REOPEN_MS;
      if (site.links.size + site.opening === 0)
        for (const work of site.lanes.takeAll()) state.unopened(work, opened);
      return freed(state, site);
    }
    site.links.add(opened.link);
    site.meter.connections(site.links.size);
    serve(state, site, opened.link);
    pump(state, site);
  });
}

/** Closes the connection that has been idle longest. False when all are at work. */
function evict(state: State): boolean {
  for (const [link, site] of state.resting) {
    const at = site.idle.indexOf(link);
    if (at !== -1) site.idle.splice(at, 1);
    drop(state, site, link);
    return true;
  }
  return false;
}

function forget(state: State, site: Site): void {
  state.hungry.delete(site);
  if (state.sites.get(site.key) === site) state.sites.delete(site.key);
}

function drain(state: State): Work[] {
  state.draining = true;
  state.sweeping?.cancel();
  const waiting = [...state.sites.values()].flatMap((site) => site.lanes.takeAll());
  for (const [link, site] of [...state.resting]) {
    site.idle.length = 0;
    drop(state, site, link);
  }
  // Nothing waits for a connection any more.
  state.stop.abort();
  return waiting;
}

function abort(state: State): void {
  state.stop.abort();
  for (const site of [...state.sites.values()])
    for (const link of [...site.links]) link.talk.close("stopped", "the daemon stops");
}

function tellEmpty(state: State): void {
  if (state.total > 0) return;
  for (const resolve of state.emptied.splice(0)) resolve();
}

function gaugesOf(state: State): PoolGauges {
  let connections = 0;
  let opening = 0;
  let waiting = 0;
  for (const site of state.sites.values()) {
    connections += site.links.size;
    opening += site.opening;
    waiting += site.lanes.size();
  }
  const { running } = state;
  const idle = state.resting.size;
  return { sites: state.sites.size, connections, idle, opening, waiting, running };
}
