// How long each phase takes at each site, by its last few hundred replies: what `GET /sites` tells of a slow server. An observation is a
// few operations on integers; when a phase has been counted often enough all its counts are halved, so that what was long ago fades.
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
const FADES_AT = 512;

interface Times {
  readonly counts: Uint16Array;
  total: number;
}

export function createPhaseTimes(): PhaseTimes {
  const sites = new Map<string, Map<string, Times>>();
  return {
    of(site) {
      const phases = sites.get(site) ?? new Map<string, Times>();
      sites.delete(site);
      sites.set(site, phases);
      const [oldest] = sites.keys();
      if (sites.size > SITES_MAX && oldest !== undefined) sites.delete(oldest);
      return { note: (phase, durationMs) => note(phases, phase, durationMs) };
    },
    view: (site) =>
      [...(sites.get(site) ?? [])]
        .map(([phase, times]) => ({
          phase,
          replies: times.total,
          p50_ms: percentile(times, 0.5),
          p95_ms: percentile(times, 0.95),
        }))
        .sort((a, b) => b.p95_ms - a.p95_ms),
  };
}

function note(phases: Map<string, Times>, phase: string, durationMs: number): void {
  let times = phases.get(phase);
  if (times === undefined) {
    times = { counts: new Uint16Array(BUCKETS), total: 0 };
    phases.set(phase, times);
  }
  const bucket = bucketOf(durationMs);
  times.counts[bucket] = (times.counts[bucket] as number) + 1;
  if (++times.total >= FADES_AT) fade(times);
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
