// How long each phase takes at each site, by its last replies: what `GET /sites` tells of a slow server. It runs several times a message, so
// of a busy site's quick replies one in eight is counted, for eight; slow ones are all counted, so nothing is made to look better or
// worse. When a phase has been counted often enough all its counts are halved: what was long ago fades.
import { keepNewest } from "../base/keepNewest.ts";
import type { PhaseFigure } from "../mail/figures.ts";
import type { DeliverMeter } from "./metering.ts";

export interface PhaseTimes {
  of(site: string): SiteTimes;
  /** Slowest first, by p95. */
  view(site: string): readonly PhaseFigure[];
}

export interface SiteTimes {
  note(phase: string, durationMs: number): void;
}

/** Sites that are remembered, the ones that were opened last. */
const SITES_MAX = 1000;
/** A sixteenth of a millisecond is the finest that is told apart. */
const UNIT = 16;
/** Buckets in each doubling: a percentile is true within a quarter of itself. */
const STEPS = 4;
/** Up to 18 minutes: more than any deadline (RFC 5321 4.5.3.2). */
const DOUBLINGS = 24;
const BUCKETS = DOUBLINGS * STEPS;
const FADES_AT = 2048;
/** A site is busy from so many replies on. */
const BUSY_REPLIES = 512;
const QUICK_MS = 100;
/** Of the quick replies of a busy site one in so many is counted: a power of two, by the top bits of a sequence of numbers. */
const SHARE = 8;
const SHARE_SHIFT = 29;

interface SiteBook {
  readonly phases: Map<string, Times>;
  replies: number;
  /** Which replies are counted must not follow the order of commands, so it is left to a linear congruence. */
  dice: number;
}

interface Times {
  readonly counts: Uint16Array;
  total: number;
}

export function createPhaseTimes(): PhaseTimes {
  const sites = new Map<string, SiteBook>();
  return {
    of(site) {
      const book = sites.get(site) ?? { phases: new Map<string, Times>(), replies: 0, dice: 1 };
      sites.delete(site);
      sites.set(site, book);
      keepNewest(sites, SITES_MAX);
      return {
        note(phase, durationMs) {
          if (durationMs >= QUICK_MS || book.replies < BUSY_REPLIES) {
            book.replies++;
            return count(book.phases, phase, durationMs, 1);
          }
          book.dice = (Math.imul(book.dice, 1664525) + 1013904223) | 0;
          if (book.dice >>> SHARE_SHIFT === 0) count(book.phases, phase, durationMs, SHARE);
        },
      };
    },
    view: (site) =>
      [...(sites.get(site)?.phases ?? [])]
        .map(([phase, times]) => ({
          phase,
          replies: times.total,
          p50_ms: percentile(times, 0.5),
          p95_ms: percentile(times, 0.95),
        }))
        .sort((a, b) => b.p95_ms - a.p95_ms),
  };
}

function count(
  phases: Map<string, Times>,
  phase: string,
  durationMs: number,
  replies: number,
): void {
  let times = phases.get(phase);
  if (times === undefined) {
    times = { counts: new Uint16Array(BUCKETS), total: 0 };
    phases.set(phase, times);
  }
  const bucket = bucketOf(durationMs);
  times.counts[bucket] = (times.counts[bucket] as number) + replies;
  times.total += replies;
  if (times.total >= FADES_AT) fade(times);
}

function fade(times: Times): void {
  times.total = 0;
  for (let i = 0; i < BUCKETS; i++) {
    const half = (times.counts[i] as number) >> 1;
    times.counts[i] = half;
    times.total += half;
  }
}

/** The first four buckets are one unit each; from there on each doubling has four. */
function bucketOf(durationMs: number): number {
  const units = Math.min(2 ** (DOUBLINGS + 1) - 1, Math.max(0, durationMs * UNIT)) | 0;
  if (units < STEPS) return units;
  const doubling = 31 - Math.clz32(units);
  return Math.min(BUCKETS - 1, (doubling - 1) * STEPS + ((units >> (doubling - 2)) & (STEPS - 1)));
}

function lowOf(bucket: number): number {
  if (bucket < STEPS) return bucket / UNIT;
  const doubling = Math.floor(bucket / STEPS) + 1;
  return (2 ** doubling + (bucket % STEPS) * 2 ** (doubling - 2)) / UNIT;
}

function percentile({ counts, total }: Times, share: number): number {
  const rank = share * total;
  let below = 0;
  for (let i = 0; i < BUCKETS; i++) {
    const here = counts[i] as number;
    if (here > 0 && below + here >= rank) {
      const [low, high] = [lowOf(i), lowOf(i + 1)];
      return Math.round((low + ((high - low) * (rank - below)) / here) * 1000) / 1000;
    }
    below += here;
  }
  return 0;
}

/** What the meter is told of a connection is kept for its site, too. */
export function timedAt(
  meter: Pick<DeliverMeter, "timed" | "secured">,
  times: SiteTimes,
): Pick<DeliverMeter, "timed" | "secured"> {
  return {
    timed(phase, reply, durationMs, about) {
      // A reply that never came says how patient we are, and not how slow the server is.
      if (reply !== null) times.note(phase, durationMs);
      meter.timed(phase, reply, durationMs, about);
    },
    secured(facts) {
      times.note("tls", facts.handshakeMs);
      meter.secured(facts);
    },
  };
}
