// What the store needs now and then and nobody waits for: finished history that is too old goes, pages that became free go back to the
// file system, in steps so small that an accept hardly waits for them.
import type { Clock, Timer } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { QueueStore } from "./store.ts";

/** Between two steps while there is more to do, and while there is nothing. */
const BUSY_STEP_MS = 50;
const IDLE_STEP_MS = 2000;
/** Finished messages removed in one transaction, and dead letters whose bytes go. */
const FORGET_MESSAGES = 200;
const FADE_LETTERS = 100;

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
}): Upkeep {
  const { store, clock } = deps;
  let { limits } = deps;
  const step = (): void => {
    const { databaseBytes, keptBytes } = store.size();
    const tooLarge = databaseBytes > limits.historyBytesMax || keptBytes > limits.historyBytesMax;
    // Bytes that are only kept go before the history that tells of them.
    const oldestFirst = tooLarge && keptBytes > 0;
    const before = clock.now() - (tooLarge && !oldestFirst ? 0 : limits.historyMs);
    const removed = store.transaction(
      () =>
        store.forget(before, FORGET_MESSAGES) === FORGET_MESSAGES ||
        store.fade(oldestFirst ? Infinity : clock.now(), FADE_LETTERS) === FADE_LETTERS,
    );
    if (removed.kind === "failed") deps.log("warn", "history.kept", { text: removed.text });
    const more = store.tidy() || oldestFirst || (removed.kind === "committed" && removed.value);
    timer = clock.after(more ? BUSY_STEP_MS : IDLE_STEP_MS, step);
  };
  let timer: Timer = clock.after(IDLE_STEP_MS, step);
  return {
    configure: (next) => void (limits = next),
    stop: () => timer.cancel(),
  };
}
