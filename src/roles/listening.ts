// The queue thread's word to the door that something has happened: said once for each time that the door asked to hear it, so that a busy
// queue does not talk to a door that is not listening.
import type { QueueStore } from "../queue/store.ts";

export interface Listening {
  /** Say it once there is an event behind this one, which may be at once. */
  listen(afterRow: number): void;
  /** After each commit. */
  committed(): void;
}

export function createListening(store: Pick<QueueStore, "lastEvent">, say: () => void): Listening {
  let armed = Infinity;
  const committed = (): void => {
    if (armed === Infinity || store.lastEvent() <= armed) return;
    armed = Infinity;
    say();
  };
  return {
    listen(afterRow) {
      armed = Math.min(armed, afterRow);
      committed();
    },
    committed,
  };
}
