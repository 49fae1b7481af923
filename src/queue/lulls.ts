// Time that counts against no message's lifetime: while the uplink was down nothing could be sent, and when the clock was set forward
// nothing had passed. Kept as a few spans of wall time, so that one subtraction serves a million messages, and through restarts.
import type { Clock, EpochMs } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { QueueStore } from "./store.ts";

/** From, to; in order, apart from each other. */
export type Span = readonly [EpochMs, EpochMs];

/** Beyond it the two that lie closest become one. */
const SPANS_MAX = 200;
const KEY = "lulls";
const LEAPS_KEY = "leaps";
/**
 * A host may sleep for some days, and what its senders set a limit to is late then. No host sleeps longer with mail in its queue than this:
 * the clock was wrong, or is.
 */
const SLEEP_MAX_MS = 7 * 86_400_000;
/** What is left of a leap when the clock goes back is less than that unless it is still wrong. */
const REST_MS = 60_000;

export interface Lulls {
  /** How much of the time since then did not count. */
  since(at: EpochMs, now: EpochMs): number;
  /** How much of it the clock leapt over without belief: this alone counts against no sender's own limit either. */
  leapt(at: EpochMs, now: EpochMs): number;
  add(from: EpochMs, to: EpochMs): void;
  /** The clock was set forward. */
  jump(from: EpochMs, to: EpochMs): void;
  /** The clock was set back by so much: what lies ahead of it has not been, and leaps are shorter. */
  cut(now: EpochMs, byMs: number): void;
  /** Inside a transaction: keeps what has changed. */
  write(): void;
  /** The transaction stands. */
  written(): void;
}

export function createLulls(
  store: Pick<QueueStore, "recallOne" | "remember">,
  now: EpochMs,
): Lulls {
  let spans = cutAt(read(store, KEY), now);
  // The clock has come back from one that ends ahead of it.
  let leaps: readonly Span[] = read(store, LEAPS_KEY).filter(([, end]) => end <= now);
  let changed = false;
  const change = (next: readonly Span[]): void => {
    spans = next;
    changed = true;
  };
  return {
    since(at, until) {
      const last = spans.at(-1);
      // The usual case, once a message.
      if (last === undefined || last[1] <= at) return 0;
      return within(spans, at, until);
    },
    leapt(at, until) {
      const last = leaps.at(-1);
      return last === undefined || last[1] <= at ? 0 : within(leaps, at, until);
    },
    jump(from, to) {
      if (to - from > SLEEP_MAX_MS) leaps = withSpan(leaps, [from, to]);
      change(withSpan(spans, [from, to]));
    },
    add(from, to) {
      if (to > from) change(withSpan(spans, [from, to]));
    },
    cut(at, byMs) {
      leaps = leaps.flatMap((leap): Span[] => {
        const [start, end] = leap;
        if (end <= at) return [leap];
        return end - byMs - start > REST_MS ? [[start, end - byMs]] : [];
      });
      if ((spans.at(-1)?.[1] ?? 0) > at) change(cutAt(spans, at));
    },
    write() {
      if (!changed) return;
      const row = (key: string, kept: readonly Span[]) => {
        return { key, answer: JSON.stringify(kept), expiresAt: Number.MAX_SAFE_INTEGER };
      };
      store.remember([row(KEY, spans), row(LEAPS_KEY, leaps)]);
    },
    written: () => void (changed = false),
  };
}

/** Time that the clock was set over did not pass, and counts against nobody's lifetime. */
export function jumpOver(
  lulls: Lulls,
  clock: Pick<Clock, "now">,
  log: Log,
): (byMs: number) => void {
  return (byMs) => {
    log("warn", "queue.clock_jumped", { by_ms: byMs });
    const now = clock.now();
    if (byMs > 0) lulls.jump(now - byMs, now);
    else lulls.cut(now, -byMs);
  };
}

/** What was written by us is not checked again. */
function read(store: Pick<QueueStore, "recallOne">, key: string): readonly Span[] {
  const row = store.recallOne(key);
  return row === undefined ? [] : (JSON.parse(row.answer) as Span[]);
}

/** How much of the spans lies between two instants. */
export function within(spans: readonly Span[], from: EpochMs, to: EpochMs): number {
  let sum = 0;
  for (const [start, end] of spans) sum += Math.max(0, Math.min(end, to) - Math.max(start, from));
  return sum;
}

/** With one more, joined with those that it meets. */
export function withSpan(spans: readonly Span[], [from, to]: Span): readonly Span[] {
  const apart = spans.filter(([start, end]) => end < from || start > to);
  const met = spans.filter(([start, end]) => end >= from && start <= to);
  const start = Math.min(from, ...met.map((one) => one[0]));
  const end = Math.max(to, ...met.map((one) => one[1]));
  const all = [...apart, [start, end] as const].sort((a, b) => a[0] - b[0]);
  return all.length > SPANS_MAX ? joinClosest(all) : all;
}

function joinClosest(spans: readonly Span[]): readonly Span[] {
  let at = 1;
  const gap = (i: number): number => (spans[i]?.[0] ?? 0) - (spans[i - 1]?.[1] ?? 0);
  for (let i = 2; i < spans.length; i++) if (gap(i) < gap(at)) at = i;
  const [left, right] = [spans[at - 1], spans[at]];
  if (left === undefined || right === undefined) return spans;
  return [...spans.slice(0, at - 1), [left[0], right[1]], ...spans.slice(at + 1)];
}

function cutAt(spans: readonly Span[], now: EpochMs): readonly Span[] {
  return spans
    .filter(([start]) => start < now)
    .map(([start, end]): Span => [start, Math.min(end, now)]);
}
