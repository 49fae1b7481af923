// Other senders than before: by rendezvous hashing few sites move, and each of those changes hands only when nothing of it is with its
// present sender any more, since its limits are kept by one thread without a lock (DESIGN 6).
import type { Recall } from "../mail/recall.ts";
import type { Pauses } from "./pauses.ts";
import type { Site, Sites } from "./site.ts";
import { workerOf } from "./worker.ts";

export interface Moves {
  begin(workers: number): void;
  /** After whatever may have ended a lease. */
  look(): void;
  /** Sites that still have to change hands. */
  count(): number;
}

export function createMoves(deps: {
  readonly sites: Sites;
  readonly pauses: Pick<Pauses, "stopsLine">;
  readonly expect: (site: Site) => void;
  /** What only waits in the old sender need not be waited for. */
  readonly recall: (worker: number, recall: Recall) => void;
}): Moves {
  const { sites, pauses, expect } = deps;
  const moving = new Set<Site>();

  const settle = (site: Site): void => {
    if (site.heir === null || site.leased > 0) return;
    site.worker = site.heir;
    site.heir = null;
    site.stopped = pauses.stopsLine(site.name);
    site.starving = false;
    moving.delete(site);
    expect(site);
  };

  return {
    begin(workers) {
      if (workers === sites.workers()) return;
      sites.spread(workers);
      for (const site of sites.all()) {
        const heir = workerOf(site.name, workers);
        if (heir === site.worker) {
          if (site.heir !== null) site.heir = heir;
          continue;
        }
        site.heir = heir;
        site.stopped = true;
        moving.add(site);
        if (site.leased > 0) deps.recall(site.worker, { by: "site", name: site.name, cut: false });
      }
      for (const site of [...moving]) settle(site);
    },
    look() {
      if (moving.size > 0) for (const site of [...moving]) settle(site);
    },
    count: () => moving.size,
  };
}
