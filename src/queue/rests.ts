// Pauses that providers asked for, in the store: they are long, and a restart is no reason to break them. One row, since few sites are
// paused at a time; our own patience is short and begins anew.
import { PAUSE_MAX_MS } from "./pace.ts";
import type { Instant } from "./duetime.ts";
import type { Site, Sites } from "./site.ts";
import type { QueueStore } from "./store.ts";

export interface Rests {
  /** At start, before any line is served. */
  load(now: Instant): void;
  /** The provider asked for a pause, or it is over. */
  changed(): void;
  /** Inside a transaction: keeps what has changed. */
  write(now: Instant): void;
  /** The transaction stands. */
  written(): void;
}

/** What is kept of a site. */
interface Rest {
  readonly site: string;
  readonly until: number;
  readonly level: number;
  readonly rule: string;
  readonly strikes: number;
  readonly struckUntil: number;
}

const KEY = "rests";
/** More than this are not paused by their providers at one time; beyond it the longest pauses are kept. */
const KEPT_MAX = 1000;
/** So long the number of strikes counts (pace.ts). */
const KEPT_MS = 24 * 3_600_000;

export function createRests(
  store: Pick<QueueStore, "recallOne" | "remember">,
  sites: Pick<Sites, "named" | "all">,
  found: (site: string) => void,
): Rests {
  let hasChanged = false;
  return {
    load({ due }) {
      const row = store.recallOne(KEY);
      const rests = row === undefined ? [] : (JSON.parse(row.answer) as Rest[]);
      for (const { site: name, until, level, rule, strikes, struckUntil } of rests) {
        const site = sites.named(name);
        site.strikes = strikes;
        site.struckUntil = Math.min(struckUntil, due + PAUSE_MAX_MS);
        if (rule === "") continue;
        Object.assign(site, { level, rule, pausedUntil: Math.min(until, due + PAUSE_MAX_MS) });
        found(name);
      }
    },
    changed: () => void (hasChanged = true),
    write({ due }) {
      if (!hasChanged) return;
      const rests: Rest[] = [];
      for (const site of sites.all()) if (isKept(site, due)) rests.push(restOf(site));
      rests.sort((a, b) => b.until - a.until);
      const answer = JSON.stringify(rests.slice(0, KEPT_MAX));
      store.remember([{ key: KEY, answer, expiresAt: Number.MAX_SAFE_INTEGER }]);
    },
    written: () => void (hasChanged = false),
  };
}

function isKept({ rule, strikes, struckUntil }: Site, due: number): boolean {
  return rule !== "" || (strikes > 0 && due - struckUntil < KEPT_MS);
}

function restOf({ name, pausedUntil, level, rule, strikes, struckUntil }: Site): Rest {
  return { site: name, until: pausedUntil, level, rule, strikes, struckUntil };
}
