// Which sender thread has which site, when their number changes. By rendezvous hashing few sites move, and each of those changes hands only
// when nothing of it is with its present sender any more, since its limits are kept by one thread without a lock (DESIGN 6).
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Parted } from "../mail/handover.ts";
import type { Recall } from "../mail/recall.ts";
import { createCrew, type SenderLoad } from "./crew.ts";
import type { Pauses } from "./pauses.ts";
import type { Site, Sites } from "./site.ts";
import { workerOf } from "./worker.ts";

/** How long mail waits at most for its site to change hands: some server may take ten minutes for what it has. */
const PATIENCE_MS = 2_000;

export interface Moves {
  /** What a sender thread says of its last second: more of them begin to work, or fewer go on. True while sites move. */
  heard(worker: number, load: SenderLoad): boolean;
  /** There are so many threads; those above end, so what they have must go, however long it takes. */
  limit(threads: number): void;
  /** Nothing connects the sender to them any more, or to any site: it is gone. Another one may connect. */
  parted(worker: number, parted: readonly Parted[] | "all"): void;
  /** After whatever may have ended a lease. */
  look(): void;
}

export function createMoves(deps: {
  readonly workers: number;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly log: Log;
  readonly sites: Sites;
  readonly pauses: Pick<Pauses, "stopsLine">;
  readonly expect: (site: Site) => void;
  /** What only waits in the old sender need not be waited for. */
  readonly recall: (worker: number, recall: Recall) => void;
  /** Ends what is idle; answered by `parted`. */
  readonly part: (worker: number, sites: readonly string[]) => void;
  /** What the old sender had learned and spent there, before the new one's first job. */
  readonly adopt: (worker: number, parted: readonly Parted[]) => void;
  readonly onAtWork?: (workers: number) => void;
}): Moves {
  const { sites, pauses, expect, clock } = deps;
  const crew = createCrew(deps.workers);
  const moving = new Set<Site>();
  /** Those of them whose sender ends its connections: a site must not have more of them than its limit, whoever has them. */
  const parting = new Set<Site>();
  let threads = deps.workers;
  /** Sites that have not moved by then go on where they are, and move once they are idle. */
  let patientUntilMono = Infinity;

  const release = (site: Site): void => {
    site.stopped = pauses.stopsLine(site.name);
    site.starving = false;
    expect(site);
  };

  const arrive = (site: Site): void => {
    if (site.heir === null) throw new Error(`the site ${site.name} moves nowhere`);
    site.worker = site.heir;
    site.heir = null;
    parting.delete(site);
    moving.delete(site);
    release(site);
  };

  const settle = (): void => {
    const leaving = new Map<number, string[]>();
    for (const site of [...moving]) {
      if (site.leased > 0 || parting.has(site)) continue;
      site.stopped = true;
      parting.add(site);
      const names = leaving.get(site.worker) ?? [];
      names.push(site.name);
      leaving.set(site.worker, names);
    }
    for (const [worker, names] of leaving) deps.part(worker, names);
  };

  /** Where it is, and at every look anew: one that an operator resumes meanwhile is still closed by us. */
  const goesOn = (site: Site): boolean => {
    if (!site.stopped || parting.has(site) || pauses.stopsLine(site.name)) return false;
    // The thread of the others ends, so they must go.
    return site.worker < threads;
  };

  const begin = (site: Site, heir: number): void => {
    site.heir = heir;
    site.stopped = true;
    moving.add(site);
    if (site.leased > 0) deps.recall(site.worker, { by: "site", name: site.name, cut: false });
  };

  const tell = (): void => {
    const size = crew.size();
    deps.onAtWork?.(size);
    deps.log("info", "sender.at_work", { at_work: size, threads });
  };

  const spread = (): void => {
    const size = crew.size();
    sites.spread(size);
    for (const site of sites.all()) {
      // Its mail waits for the DNS and is with no sender.
      if (site === sites.unrouted) continue;
      const heir = workerOf(site.name, size);
      if (heir !== site.worker) begin(site, heir);
      else if (site.heir !== null) site.heir = heir;
    }
    patientUntilMono = clock.monotonicMs() + PATIENCE_MS;
    settle();
  };

  return {
    heard(worker, load) {
      if (crew.heard(worker, load, clock.monotonicMs())) {
        tell();
        spread();
      }
      return moving.size > 0;
    },
    limit(next) {
      if (next === threads) return;
      threads = next;
      if (crew.limit(threads)) tell();
      // Though the same are at work: what went on where it was may be with one of those that end.
      spread();
    },
    parted(worker, told) {
      const parted =
        told === "all" ? [...parting].map(({ name }) => ({ site: name, standing: null })) : told;
      for (const one of parted) {
        const site = sites.find(one.site);
        if (site === undefined || !parting.has(site) || site.worker !== worker) continue;
        arrive(site);
        if (one.standing !== null) deps.adopt(site.worker, [one]);
      }
    },
    look() {
      if (moving.size === 0) return;
      settle();
      if (clock.monotonicMs() < patientUntilMono) return;
      for (const site of moving) if (goesOn(site)) release(site);
    },
  };
}
