// What an operator has stopped. A paused site's line is not served. The recipients of a paused domain move, as they are, from whatever
// line they are met in to a line of their own, so that they stand in nobody's way; that line is served once the domain is resumed.
import type { EpochMs } from "../base/clock.ts";
import { type Hindrances, placeOfPause } from "./hindrances.ts";
import type { Pause, QueueStore, SiteId } from "./store.ts";

export type Paused = Pick<Pause, "kind" | "name">;

export interface Pauses {
  /** At the start. */
  load(): void;
  everything(): boolean;
  stopsLine(site: string): boolean;
  stopsDomain(domain: string): boolean;
  /** The lines of the paused domains; undefined while there are none. */
  parked(): ReadonlyMap<string, SiteId> | undefined;
  /** After the commit. `line`: that of a domain. */
  set(paused: Paused, line: SiteId | undefined, at: EpochMs): void;
  unset(paused: Paused, at: EpochMs): void;
  count(): number;
}

/** The line in which the recipients of a paused domain wait; no route has a site of such a name. */
export function parkingLine(domain: string): string {
  return `domain:${domain}`;
}

const STOPPED = "an operator had paused it";

export function createPauses(
  store: Pick<QueueStore, "pauses" | "siteId">,
  hindrances: Pick<Hindrances, "begin" | "end">,
): Pauses {
  const sites = new Set<string>();
  const domains = new Map<string, SiteId>();
  const lines = new Set<string>();
  let everything = false;

  const set = (paused: Paused, line: SiteId | undefined, at: EpochMs): void => {
    const { kind, name } = paused;
    hindrances.begin(placeOfPause(paused), STOPPED, at);
    if (kind === "all") everything = true;
    else if (kind === "site") sites.add(name);
    else if (line !== undefined) {
      domains.set(name, line);
      lines.add(parkingLine(name));
    }
  };

  return {
    load() {
      for (const { kind, name, at } of store.pauses())
        // The line was named in the transaction of the pause, so that asking for its number writes nothing.
        set({ kind, name }, kind === "domain" ? store.siteId(parkingLine(name)) : undefined, at);
    },
    everything: () => everything,
    stopsLine: (site) => sites.has(site) || lines.has(site),
    stopsDomain: (domain) => domains.has(domain),
    parked: () => (domains.size === 0 ? undefined : domains),
    set,
    unset(paused, at) {
      const { kind, name } = paused;
      hindrances.end(placeOfPause(paused), at);
      if (kind === "all") everything = false;
      else if (kind === "site") sites.delete(name);
      else {
        domains.delete(name);
        lines.delete(parkingLine(name));
      }
    },
    count: () => sites.size + domains.size + (everything ? 1 : 0),
  };
}
