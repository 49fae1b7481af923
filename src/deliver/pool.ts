// The connections of one sender: which site has how many, who waits for one, and what a connection does next. What is allowed is
// decided in decide.ts; here it is done.
import type { Parted } from "../mail/handover.ts";
import type { Late, Recall } from "../mail/recall.ts";
import type { AttemptEnd, Trial, Work } from "./attempt.ts";
import { busyAt, growthOf, hasTooMany, isFull, isSpent, mayStrangerOpen } from "./decide.ts";
import { hear, learn } from "./feedback.ts";
import { groupOf, tidy } from "./groups.ts";
import { lookSoon, mayBegin, mayConnect, mayReopen } from "./looking.ts";
import type { Link, Opened, Unopened } from "./open.ts";
import {
  createPoolState,
  gaugesOf,
  type PoolDeps,
  type PoolGauges,
  type PoolState,
} from "./poolState.ts";
import { partFrom, tellGone } from "./parting.ts";
import { RECALLED, recallFrom } from "./recall.ts";
import type { DeliverSettings } from "./settings.ts";
import { avoid, avoidedUntil, type Group, mostUrgent, type Site, slotMask } from "./site.ts";
import { type SenderSite, viewOf } from "./siteBook.ts";
import { isAtRest, rest, RESTS } from "./siteRest.ts";
import { isOver, SWEEP_MS } from "./waiting.ts";

export interface Pool {
  submit(work: Work): void;
  recall(recall: Recall): readonly Late[];
  /** Ends what is idle there or on its way; `gone` is told once nothing is. */
  part(sites: readonly string[], gone: (parted: readonly Parted[]) => void): void;
  /** They were another sender's. */
  adopt(parted: readonly Parted[]): void;
  /** Work waits for a free place among all connections. */
  isFull(): boolean;
  /** New limits, while mail flows; what was learned and spent stays. */
  configure(settings: DeliverSettings): void;
  gauges(): PoolGauges;
  sites(): readonly SenderSite[];
  /** Takes all waiting work out; idle connections are ended, busy ones end after their job. */
  drain(): Work[];
  /** Breaks what still runs. */
  abort(): void;
  /** Resolves when nothing is open any more. */
  empty(): Promise<void>;
}

const REOPEN_MS = 5_000;
/** Behind a slower dot a job would wait that another connection could take. */
const AHEAD_DOT_MS = 1_000;
const OVERSTAYED = "no connection was free for it in time";
const STOPS = "the daemon stops";

export function createPool(deps: PoolDeps): Pool {
  const { clock } = deps;
  const state: PoolState = createPoolState(deps, {
    pump: (group) => pump(state, group),
    heard: (site, verdict) => void (hear(site, verdict) && rest(state, site, verdict)),
  });
  return {
    submit: (work) => submit(state, work),
    recall(recall) {
      const late = recallFrom(state, recall);
      for (const group of [...state.groups.values()]) pump(state, group);
      return late;
    },
    part(sites, gone) {
      for (const site of partFrom(state.book, sites, gone))
        for (const [link, group] of [...site.resting]) evict(state, group, link);
    },
    adopt: state.book.takeOver,
    isFull: () => state.hungry.size > 0,
    configure: (next) => configure(state, next),
    gauges: () => gaugesOf(state),
    sites: () => state.book.active().map((site) => viewOf(site, clock.monotonicMs())),
    drain: () => drain(state),
    abort: () => abort(state),
    empty: () =>
      new Promise((resolve) => {
        state.emptied.push(resolve);
        tellEmpty(state);
      }),
  };
}

function submit(state: PoolState, work: Work): void {
  const group = groupOf(state, work.route);
  if (isAtRest(state, group.site)) {
    state.interrupted(work, RESTS);
    return tidy(state, group);
  }
  group.lanes.push(work.job.priority, work);
  state.sweeping ??= state.clock.after(SWEEP_MS, () => sweep(state));
  pump(state, group);
}

/** Gives waiting work to idle connections, and opens one more if that pays. */
function pump(state: PoolState, group: Group): void {
  const { site, lanes } = group;
  site.turns.delete(group);
  while (group.idle.length > 0 && lanes.has(slotMask(site))) {
    const link = group.idle.at(-1);
    if (link === undefined || !mayBegin(state, site)) break;
    group.idle.pop();
    leaveRest(state, group, link);
    serve(state, group, link);
  }
  const growth = growthOf(state, group);
  if (growth === "open") openOne(state, group);
  else if (growth === "blocked") site.turns.add(group);
  else tidy(state, group);
}

/** The link takes one job after another while there are any. A loop, since a stand-in for a network may answer at once. */
function serve(state: PoolState, group: Group, link: Link): void {
  const { site } = group;
  for (;;) {
    const begun = state.ahead.get(link) ?? null;
    state.ahead.delete(link);
    const work = begun?.work ?? nextWork(state, group, link);
    if (work === undefined) return retire(state, group, link);
    if (begun !== null && work.recalled === true) {
      state.interrupted(work, RECALLED);
      return drop(state, group, link);
    }
    const { priority } = work.job;
    let ended: AttemptEnd | undefined;
    let returned = false;
    state.running++;
    site.running[priority]++;
    const done = (end: AttemptEnd): void => {
      state.running--;
      site.running[priority]--;
      state.working.delete(link);
      ended = end;
      const broke = !end.clean && end.end !== "stale" && end.spent !== true;
      if (begun !== null && broke) state.shy.add(link.target.host);
      if (returned && after(state, group, { link, work, end })) serve(state, group, link);
    };
    const ahead = (): Trial | null => goAhead(state, group, { link, work });
    state.working.set(link, work);
    site.hands.attempt(link, { work, begun }, { meter: site.meter, ahead, done });
    returned = true;
    if (ended === undefined || !after(state, group, { link, work, end: ended })) return;
  }
}

function nextWork(state: PoolState, group: Group, link: Link): Work | undefined {
  const { site, lanes } = group;
  if (state.draining || lanes.size() === 0 || isSpent(state, group, link)) return undefined;
  while (mayBegin(state, site)) {
    const work = lanes.take(slotMask(site));
    if (work === undefined) return undefined;
    if (isOver(work.patience, state.clock)) state.interrupted(work, OVERSTAYED);
    else {
      site.pace.sending(state.clock.monotonicMs());
      return work;
    }
  }
  return undefined;
}

/** No connection may come to take what waits, so that it is looked at from here too. */
function sweep(state: PoolState): void {
  let waiting = false;
  for (const group of [...state.groups.values()]) {
    const over = group.lanes.takeHeads((work) => isOver(work.patience, state.clock));
    for (const work of over) state.interrupted(work, OVERSTAYED);
    if (over.length > 0) pump(state, group);
    waiting ||= group.lanes.size() > 0;
  }
  state.sweeping = waiting ? state.clock.after(SWEEP_MS, () => sweep(state)) : null;
}

/** The job that follows on this link, so that its first commands can leave with the dot of the present one. */
function goAhead(
  state: PoolState,
  group: Group,
  { link, work: present }: { readonly link: Link; readonly work: Work },
): Trial | null {
  const { site, lanes } = group;
  if (!link.offer.pipelining || !state.settings.sendAhead || hasTooMany(site)) return null;
  // A person's mail goes to whichever connection is free first.
  if (lanes.sizeOf(0) > 0 || state.hungry.size > 0) return null;
  if (!link.talk.answersWithin(AHEAD_DOT_MS) || state.shy.has(link.target.host)) return null;
  // It takes the slot of the present one.
  site.running[present.job.priority]--;
  const work = nextWork(state, group, link);
  site.running[present.job.priority]++;
  if (work === undefined) return null;
  const trial = site.hands.prepare(link, work);
  if (trial === null) lanes.putBack(work.job.priority, work);
  else state.ahead.set(link, trial);
  return trial;
}

/** True when the link may go on. */
function after(
  state: PoolState,
  group: Group,
  { link, work, end }: { readonly link: Link; readonly work: Work; readonly end: AttemptEnd },
): boolean {
  const nowMs = state.clock.monotonicMs();
  learn(group.site, work, end, nowMs);
  if (end.end === "broken") avoid(group, link.target.address, nowMs);
  if (end.pauseMs !== undefined)
    group.round = { untilMs: nowMs + end.pauseMs, urgency: work.job.priority };
  // Where one kept connection was dead, its idle neighbours are no better.
  if (end.end === "stale") for (const other of group.idle.splice(0)) drop(state, group, other);
  if (end.end !== "done") giveBack(state, group, work);
  lookSoon(state, group.site);
  if (end.clean) return true;
  drop(state, group, link);
  return false;
}

function giveBack(state: PoolState, group: Group, work: Work): void {
  if (work.recalled === true) state.interrupted(work, RECALLED);
  else if (state.draining) state.interrupted(work, STOPS);
  else if (isAtRest(state, group.site) || work.patience.cameAtMs <= group.site.restedAtMs)
    state.interrupted(work, RESTS);
  else group.lanes.putBack(work.job.priority, work);
}

/** A link without a job waits for one, unless its time is over. */
function retire(state: PoolState, group: Group, link: Link): void {
  const { site } = group;
  const isNeeded = state.hungry.size > 0 || hasTooMany(site) || site.parting !== null;
  if (state.draining || isNeeded || isSpent(state, group, link)) return drop(state, group, link);
  group.idle.push(link);
  state.resting.set(link, group);
  site.resting.set(link, group);
  if (group.lanes.size() > 0) site.turns.add(group);
  link.talk.rest(state.settings.idleMs, () => evict(state, group, link));
}

function leaveRest(state: PoolState, { site }: Group, link: Link): void {
  state.resting.delete(link);
  site.resting.delete(link);
}

/** Ends a link, whatever state it is in. */
function drop(state: PoolState, group: Group, link: Link): void {
  if (!group.links.delete(link)) return;
  const { site } = group;
  site.links--;
  state.total--;
  leaveRest(state, group, link);
  const ahead = state.ahead.get(link);
  if (ahead !== undefined) {
    state.ahead.delete(link);
    state.shy.add(link.target.host);
    giveBack(state, group, ahead.work);
  }
  link.talk.quit();
  state.meter.sessions(-1);
  site.meter.connections(site.links);
  if (group.lanes.size() > 0) site.turns.add(group);
  else tidy(state, group);
  oneLess(state, site);
}

/** A connection has ended, or did not come to be. */
function oneLess(state: PoolState, site: Site): void {
  lookSoon(state, site);
  tellGone(site);
  tellEmpty(state);
}

function openOne(state: PoolState, group: Group): void {
  const { site, route } = group;
  const { pace } = site;
  if (!mayReopen(state, group)) return void site.turns.add(group);
  if (!mayConnect(state, site) || (isFull(site) && !evictOldest(state, site.resting)))
    return void site.turns.add(group);
  const isStranger = !pace.isKnown();
  if ((isStranger && !mayStrangerOpen(state)) || !hasPlace(state))
    return void state.hungry.add(group);
  state.hungry.delete(group);
  state.total++;
  site.opening++;
  group.opening++;
  if (isStranger) state.strangers++;
  pace.connecting(state.clock.monotonicMs());
  const request = {
    route,
    urgency: mostUrgent(group.lanes),
    signal: site.stop.signal,
    avoidedUntil: (address: string) => avoidedUntil(group, address, state.clock.monotonicMs()),
  };
  void state.open(request).then((opened) => {
    site.opening--;
    group.opening--;
    if (isStranger) state.strangers--;
    came(state, group, opened);
  });
}

function came(state: PoolState, group: Group, opened: Opened): void {
  if (opened.kind === "failed") return missed(state, group, opened);
  const { site } = group;
  group.links.add(opened.link);
  site.links++;
  site.meter.connections(site.links);
  serve(state, group, opened.link);
  pump(state, group);
  lookSoon(state, site);
}

function missed(state: PoolState, group: Group, why: Unopened): void {
  const { site } = group;
  const nowMs = state.clock.monotonicMs();
  group.openAfter = nowMs + REOPEN_MS;
  if (site.hands.blames(why)) site.pace.bad({ busy: busyAt(site) + 1, nowMs });
  if (group.links.size + group.opening === 0)
    for (const work of group.lanes.takeAll()) site.hands.unopened(work, why);
  site.heard = "nothing";
  state.total--;
  pump(state, group);
  oneLess(state, site);
}

/** False when all places are taken by connections at work. Else the one that has been idle longest makes room. */
function hasPlace(state: PoolState): boolean {
  return state.total < state.settings.maxConnections || evictOldest(state, state.resting);
}

function evictOldest(state: PoolState, resting: ReadonlyMap<Link, Group>): boolean {
  for (const [link, group] of resting) {
    evict(state, group, link);
    return true;
  }
  return false;
}

/** Ends a link that waits for mail. */
function evict(state: PoolState, group: Group, link: Link): void {
  const at = group.idle.indexOf(link);
  if (at !== -1) group.idle.splice(at, 1);
  drop(state, group, link);
}

function configure(state: PoolState, settings: DeliverSettings): void {
  state.settings = settings;
  state.book.configure(settings);
  for (const [link, group] of [...state.resting])
    if (hasTooMany(group.site) || state.total > settings.maxConnections) evict(state, group, link);
  for (const site of state.book.active()) lookSoon(state, site);
}

function drain(state: PoolState): Work[] {
  state.draining = true;
  state.sweeping?.cancel();
  const waiting = [...state.groups.values()].flatMap((group) => group.lanes.takeAll());
  for (const [link, group] of [...state.resting]) evict(state, group, link);
  // Nothing waits for a connection any more.
  for (const site of state.book.active()) site.stop.abort();
  return waiting;
}

function abort(state: PoolState): void {
  for (const site of state.book.active()) site.stop.abort();
  for (const { links } of [...state.groups.values()])
    for (const link of [...links]) link.talk.close("stopped", STOPS);
}

function tellEmpty(state: PoolState): void {
  if (state.total > 0) return;
  for (const resolve of state.emptied.splice(0)) resolve();
}
