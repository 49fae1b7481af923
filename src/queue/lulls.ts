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

export interface Lulls {
  /** How much of the time since then did not count. */
  since(at: EpochMs, now: EpochMs): number;
  add(from: EpochMs, to: EpochMs): void;
  /** The clock was set back: what lies ahead of it has not been. */
  cut(now: EpochMs): void;
  /** Inside a transaction: keeps what has changed. */
  write(): void;
  /** The transaction stands. */
  written(): void;
}

export function createLulls(
  store: Pick<QueueStore, "recallOne" | "remember">,
  now: EpochMs,
): Lulls {
  let spans = cutAt(read(store), now);
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
    add(from, to) {
      if (to > from) change(withSpan(spans, [from, to]));
    },
    cut(at) {
      if ((spans.at(-1)?.[1] ?? 0) > at) change(cutAt(spans, at));
    },
    write() {
      if (!changed) return;
      const answer = JSON.stringify(spans);
      store.remember([{ key: KEY, answer, expiresAt: Number.MAX_SAFE_INTEGER }]);
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
    if (byMs > 0) lulls.add(now - byMs, now);
    else lulls.cut(now);
  };
}

/** What was written by us is not checked again. */
function read(store: Pick<QueueStore, "recallOne">): readonly Span[] {
  const row = store.recallOne(KEY);
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
