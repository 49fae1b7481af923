// What the store needs now and then and nobody waits for: finished history that is too old goes, pages that became free go back to the
// file system, in steps so small that an accept hardly waits for them.
import type { Clock, Timer } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { QueueStore } from "./store.ts";

/** Between two steps while there is more to do, and while there is nothing. */
const BUSY_STEP_MS = 50;
const IDLE_STEP_MS = 2000;
/** Finished messages removed in one transaction. */
const FORGET_MESSAGES = 200;

export interface Upkeep {
  stop(): void;
}

export function createUpkeep(deps: {
  readonly store: QueueStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly historyMs: number;
  /** Beyond it finished mail goes whatever its age, oldest first. */
  readonly historyBytesMax: number;
}): Upkeep {
  const { store, clock } = deps;
  const step = (): void => {
    const tooLarge = store.size().databaseBytes > deps.historyBytesMax;
    const before = clock.now() - (tooLarge ? 0 : deps.historyMs);
    const forgotten = store.transaction(() => store.forget(before, FORGET_MESSAGES));
    if (forgotten.kind === "failed") deps.log("warn", "history.kept", { text: forgotten.text });
    const more =
      store.tidy() || (forgotten.kind === "committed" && forgotten.value === FORGET_MESSAGES);
    timer = clock.after(more ? BUSY_STEP_MS : IDLE_STEP_MS, step);
  };
  let timer: Timer = clock.after(IDLE_STEP_MS, step);
  return { stop: () => timer.cancel() };
}
