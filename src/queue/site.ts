// The sites that the queue thread knows of: their window, their health and when to look at them next.
import type { EpochMs } from "../base/clock.ts";
import { createHeap } from "./heap.ts";
import { healthy } from "./pace.ts";
import { type QueueStore, type SiteId, UNROUTED } from "./store.ts";
import { earliestDue, type Window } from "./window.ts";
import { workerOf } from "./worker.ts";

/** Idle sites are forgotten above this number; one that is needed again is read from the store. */
const SITES_MAX = 20_000;
const STRUCK_MAX = 1000;

export interface Site extends Window {
  readonly name: string;
  /** Undefined until a row names it. */
  id: SiteId | undefined;
  worker: number;
  /** The sender that will have the site once nothing is with the present one; null: it stays. */
  heir: number | null;
  /** When the heap looks at it next; Infinity: not in the heap. */
  wakeAt: EpochMs;
  /** It stands in the line of sites that are looked at in the next transaction. */
  ready: boolean;
  /** An operator paused it: its line is not served. */
  stopped: boolean;
  /** Each of our addresses has sent there what it may today: none before this. */
  closedUntil: EpochMs;
  /** The window was full while work waited: the next settled half brings it back, or any room where it holds none. */
  starving: boolean;
}

export interface Sites {
  /** At start: what a line holds is read when its turn comes, and until then it counts as due. */
  load(): void;
  /** Recipients whose domain has no route yet. */
  readonly unrouted: Site;
  named(name: string): Site;
  /** Without making it. */
  find(name: string): Site | undefined;
  all(): Iterable<Site>;
  /** So many senders share all sites that are met from now on. */
  spread(workers: number): void;
  numbered(id: SiteId): Site;
  /** Inside a transaction: the number that rows carry. */
  idOf(site: Site): SiteId;
  /** The transaction did not stand, so numbers given in it do not either. */
  rolledBack(): void;
  committed(): void;
  /** Looks at the site no later than `at`. */
  wake(site: Site, at: EpochMs): void;
  /** Looks at the site in the next transaction. */
  hurry(site: Site): void;
  /** Moves sites whose time has come into the line. */
  due(now: EpochMs): void;
  /** When the next one's time comes; Infinity for none. */
  nextWake(): EpochMs;
  /** The next site to look at; the first that is `wanted`, if any is. */
  takeReady(wanted?: (site: Site) => boolean): Site | undefined;
  hasReady(): boolean;
  /** Before its turn. */
  takeOut(site: Site): void;
  /** There is no room for what waits at the site. */
  starve(site: Site): void;
  /** The next site that waits for room though it holds none. */
  takeCrowded(): Site | undefined;
  forgetIdle(): void;
}

export function createSites(
  store: QueueStore,
  isStopped: (name: string) => boolean = () => false,
): Sites {
  const byName = new Map<string, Site>();
  const byId = new Map<SiteId, Site>();
  const heap = createHeap<Site>();
  const line: Site[] = [];
  let lineHead = 0;
  const crowded = new Set<Site>();
  let interned: Site[] = [];
  let workers = 1;

  const make = (name: string, id: SiteId | undefined): Site => ({
    ...healthy(),
    name,
    id,
    worker: workerOf(name, workers),
    heir: null,
    leased: 0,
    leasedBy: [0, 0, 0],
    leasedBytes: 0,
    dueAt: [Infinity, Infinity, Infinity],
    wakeAt: Infinity,
    closedUntil: 0,
    ready: false,
    stopped: isStopped(name),
    starving: false,
  });

  const unrouted = make("", UNROUTED);
  byId.set(UNROUTED, unrouted);

  const hurry = (site: Site): void => {
    if (site.ready) return;
    site.ready = true;
    line.push(site);
  };

  const takeOut = (site: Site): void => {
    const at = line.indexOf(site, lineHead);
    if (at >= 0) line.splice(at, 1);
    site.ready = false;
  };

  const numbered = (id: SiteId): Site => {
    const known = byId.get(id);
    if (known !== undefined) return known;
    const name = store.siteName(id);
    const site = byName.get(name) ?? make(name, id);
    site.id = id;
    byName.set(name, site);
    byId.set(id, site);
    return site;
  };

  return {
    unrouted,
    load() {
      for (const id of store.sitesWaiting()) {
        const site = numbered(id);
        site.dueAt.fill(0);
        hurry(site);
      }
    },
    named(name) {
      const known = byName.get(name);
      if (known !== undefined) return known;
      const site = make(name, undefined);
      byName.set(name, site);
      return site;
    },
    find: (name) => byName.get(name),
    all: () => new Set([unrouted, ...byName.values()]),
    spread: (next) => void (workers = next),
    numbered,
    idOf(site) {
      if (site.id !== undefined) return site.id;
      const id = store.siteId(site.name);
      site.id = id;
      byId.set(id, site);
      interned.push(site);
      return id;
    },
    rolledBack() {
      for (const site of interned) {
        if (site.id !== undefined) byId.delete(site.id);
        site.id = undefined;
      }
      interned = [];
    },
    committed() {
      if (interned.length > 0) interned = [];
    },
    wake(site, at) {
      if (at >= site.wakeAt) return;
      site.wakeAt = at;
      heap.push(at, site);
    },
    hurry,
    due(now) {
      while (heap.earliest() <= now) {
        const at = heap.earliest();
        const site = heap.pop();
        // An earlier time replaced this one, or it has been served.
        if (site === undefined || site.wakeAt !== at) continue;
        site.wakeAt = Infinity;
        hurry(site);
      }
    },
    nextWake: () => heap.earliest(),
    takeReady(wanted) {
      const site = line[lineHead];
      if (site === undefined) return undefined;
      const rather = wanted?.(site) === false ? line.slice(lineHead).find(wanted) : undefined;
      if (rather !== undefined) {
        takeOut(rather);
        return rather;
      }
      lineHead++;
      if (lineHead === line.length) {
        line.length = 0;
        lineHead = 0;
      }
      site.ready = false;
      return site;
    },
    hasReady: () => lineHead < line.length,
    takeOut,
    starve(site) {
      site.starving = true;
      // Nothing of its own will come back to free it; what has no route yet waits for the DNS.
      if (site.leased === 0 && site !== unrouted) crowded.add(site);
    },
    takeCrowded() {
      for (const site of crowded) {
        crowded.delete(site);
        if (!site.starving) continue;
        site.starving = false;
        return site;
      }
      return undefined;
    },
    forgetIdle() {
      if (byName.size <= SITES_MAX) return;
      let struck = 0;
      for (const [name, site] of byName) {
        if (site.leased > 0 || site.level > 0 || site.ready || site.wakeAt !== Infinity) continue;
        if (site.starving || site.heir !== null) continue;
        // What a provider asked for lately is remembered, of so many sites.
        if (site.strikes > 0 && struck++ < STRUCK_MAX) continue;
        if (earliestDue(site) !== Infinity) continue;
        byName.delete(name);
        if (site.id !== undefined) byId.delete(site.id);
      }
    },
  };
}
