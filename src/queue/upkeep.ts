// What the store needs now and then and nobody waits for: finished history that is too old goes, pages that became free go back to the
// file system, in steps so small that an accept hardly waits for them.
import type { Clock, EpochMs, Timer } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { QueueStore } from "./store.ts";

/** Between two steps: while history must go faster than mail comes, while there is more to do, and while there is nothing. */
const PRESSED_STEP_MS = 10;
const BUSY_STEP_MS = 50;
const IDLE_STEP_MS = 2000;
/** How often it is seen that there is too much: mail can fill a small disk within an idle step. */
const LOOK_MS = 250;
/** Finished messages removed in one transaction, and dead letters whose bytes go. */
const FORGET_MESSAGES = 200;
const FADE_LETTERS = 100;
/** Requests with an idempotency key that are forgotten in one transaction. */
const TRIM_REQUESTS = 500;
const TELL_EVERY_MS = 600_000;
/** A request is known again for a day (INTERFACE 5), or until all of them take this share of the history's bytes. */
const ONCE_MS = 24 * 3_600_000;
const ONCE_SHARE = 0.25;
/** Smaller steps of the clock are no leap; after one, what seems old is kept for so long at least. */
const LEAP_MS = 60_000;
const LEAP_GRACE_MS = 3_600_000;

export interface HistoryLimits {
  readonly historyMs: number;
  /** Beyond it finished mail goes whatever its age, oldest first. */
  readonly historyBytesMax: number;
}

export interface Upkeep {
  configure(limits: HistoryLimits): void;
  stop(): void;
}

export function createUpkeep(deps: {
  readonly store: QueueStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: HistoryLimits;
  /** The disk has little more room than is kept in reserve: history goes before mail is refused. */
  readonly isCramped: () => boolean;
}): Upkeep {
  const { store, clock } = deps;
  let { limits } = deps;
  const done = countForgotten(deps);
  const hasLeapt = createLeapWatch(clock);
  const trimOnces = (now: EpochMs, old: EpochMs): boolean => {
    const gone = store.trimOnces({
      before: old - ONCE_MS,
      now,
      bytesMax: limits.historyBytesMax * ONCE_SHARE,
      limit: TRIM_REQUESTS,
    });
    return gone === TRIM_REQUESTS;
  };
  /** Pages that are free already are given back to the disk first: they may be room enough. */
  let shrinking = false;
  const isTooLarge = (keptBytes: number): boolean =>
    (deps.isCramped() && !shrinking) ||
    keptBytes > limits.historyBytesMax ||
    store.historyBytes() > limits.historyBytesMax;
  const step = (): void => {
    const { keptBytes } = store.size();
    const tooLarge = isTooLarge(keptBytes);
    // Bytes that are only kept go before the history that tells of them.
    const oldestFirst = tooLarge && keptBytes > 0;
    const now = clock.now();
    // What is counted from; of a clock that leapt nothing is believed for a while.
    const old = hasLeapt() ? -Infinity : now;
    // Infinity, and not now: mail that came while the clock was ahead is finished too, and would keep all that came after it.
    const before = tooLarge && !oldestFirst ? Infinity : old - limits.historyMs;
    let messages = 0;
    let letters = 0;
    const removed = store.transaction(() => {
      const onces = trimOnces(now, old);
      const forgotten = store.forget(before, FORGET_MESSAGES);
      messages = forgotten.messages;
      if (messages < FORGET_MESSAGES)
        letters = store.fade(oldestFirst ? Infinity : old, FADE_LETTERS);
      return forgotten.more || letters === FADE_LETTERS || onces;
    });
    if (removed.kind === "committed") done.add(messages, letters);
    if (removed.kind === "failed") deps.log("warn", "history.kept", { text: removed.text });
    shrinking = store.tidy();
    const left = removed.kind === "committed" && removed.value;
    if (tooLarge && left) timer = clock.after(PRESSED_STEP_MS, step);
    else if (shrinking || oldestFirst || left) timer = clock.after(BUSY_STEP_MS, step);
    else rest(IDLE_STEP_MS);
  };
  const rest = (leftMs: number): void => {
    timer = clock.after(LOOK_MS, () => {
      if (leftMs <= LOOK_MS || isTooLarge(store.size().keptBytes)) step();
      else rest(leftMs - LOOK_MS);
    });
  };
  let timer: Timer;
  rest(IDLE_STEP_MS);
  return {
    configure: (next) => void (limits = next),
    stop: () => timer.cancel(),
  };
}

/** In one line now and then, since it goes on all day. */
function countForgotten({ clock, log }: { readonly clock: Clock; readonly log: Log }) {
  let messages = 0;
  let letters = 0;
  let toldAtMono = -Infinity;
  return {
    add(moreMessages: number, moreLetters: number): void {
      messages += moreMessages;
      letters += moreLetters;
      const mono = clock.monotonicMs();
      if (messages + letters === 0 || mono - toldAtMono < TELL_EVERY_MS) return;
      log("info", "history.forgotten", { messages, letters });
      messages = letters = 0;
      toldAtMono = mono;
    },
  };
}

/**
 * True for a while after the wall clock leapt ahead: a client that still tries again must not meet a queue that has forgotten, nor an
 * operator one without yesterday's history and dead letters, because the clock was wrong for a moment.
 */
function createLeapWatch(clock: Clock): () => boolean {
  let lastWall = clock.now();
  let lastMono = clock.monotonicMs();
  let leaptAtMono = -Infinity;
  return () => {
    const wall = clock.now();
    const mono = clock.monotonicMs();
    if (wall - lastWall - (mono - lastMono) > LEAP_MS) leaptAtMono = mono;
    lastWall = wall;
    lastMono = mono;
    return mono < leaptAtMono + LEAP_GRACE_MS;
  };
}
