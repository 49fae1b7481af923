// A list of names, a few at a time, with word of how far it has come. What is done for a name is the caller's.
import type { Clock } from "../base/clock.ts";

export type WarmResult = "found" | "none" | "unknown";

export interface Warmth {
  readonly total: number;
  readonly done: number;
  readonly found: number;
  readonly none: number;
  readonly unknown: number;
  readonly tookMs: number;
}

export interface WarmOptions {
  readonly clock: Clock;
  readonly find: (name: string) => WarmResult | Promise<WarmResult>;
  readonly progress?: (warmth: Warmth) => void;
  readonly signal?: AbortSignal;
  readonly atOnceMax?: number;
}

/** Far below the resolver's own limits, so that mail on its way is not kept waiting by a list. */
const AT_ONCE_MAX = 50;
const PROGRESS_MS = 500;

/** Resolves when all are done, or soon after the signal. Each name counts once, however often it is listed. */
export async function warm(names: readonly string[], options: WarmOptions): Promise<Warmth> {
  const { clock, find, progress, signal, atOnceMax = AT_ONCE_MAX } = options;
  const startedMs = clock.monotonicMs();
  const distinct = new Set(names);
  const counts = { found: 0, none: 0, unknown: 0 };
  const warmth = (): Warmth => ({
    total: distinct.size,
    done: counts.found + counts.none + counts.unknown,
    ...counts,
    tookMs: Math.round(clock.monotonicMs() - startedMs),
  });
  let toldMs = startedMs;
  const tell = (): void => {
    if (progress === undefined || clock.monotonicMs() - toldMs < PROGRESS_MS) return;
    toldMs = clock.monotonicMs();
    progress(warmth());
  };
  const next = distinct.values();
  const work = async (): Promise<void> => {
    for (const name of next) {
      if (signal?.aborted === true) return;
      counts[await find(name)]++;
      tell();
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnceMax, distinct.size) }, work));
  return warmth();
}
