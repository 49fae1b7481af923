// Large bodies take turns at being read. What the runtime has received of a body and nobody has read is bounded by it, at 2 MB or so;
// what is being read, written and waited for is not, and fifty uploads at a time were 250 MB of it.
import type { Clock } from "../base/clock.ts";

/** Bodies that are read at a time: enough to keep a disk and a core busy. */
export const READING_MAX = 2;
/** Bodies that are there at a time, waiting ones included: each holds what the runtime has received of it. */
export const CROWD_MAX = 100;
/** Bytes of all of them that come between two runs of the collector. */
const RELIEVE_BYTES = 32_000_000;
/** How long one may keep others waiting. */
const TURN_MS = 250;

export interface Turns {
  /** Undefined: too many are there. */
  enter(): Turn | undefined;
}

/** Of one body, which has it or waits for it. */
export interface Turn {
  /** Before each piece; undefined when it may be read at once. */
  take(): Promise<void> | undefined;
  /** So many bytes of it have come. */
  came(bytes: number): void;
  /** While the body does not come, others may. */
  give(): void;
  /** At the end, whatever came of it. */
  leave(): void;
}

/** `relieve` has the collector run: what a body leaves behind are few objects, and it does not know how large they were. */
export function createTurns(
  clock: Pick<Clock, "monotonicMs">,
  relieve: (() => void) | undefined = undefined,
): Turns {
  let cameBytes = 0;
  const waiting: (() => void)[] = [];
  let reading = 0;
  let crowd = 0;

  const next = (): void => {
    const go = waiting.shift();
    if (go === undefined) reading--;
    else go();
  };
  return {
    enter() {
      if (crowd === CROWD_MAX) return undefined;
      crowd++;
      let isIn = true;
      let has = false;
      let sinceMs = 0;
      const begin = (): void => {
        has = true;
        sinceMs = clock.monotonicMs();
      };
      const give = (): void => {
        if (!has) return;
        has = false;
        next();
      };
      return {
        take() {
          if (has && (waiting.length === 0 || clock.monotonicMs() - sinceMs < TURN_MS))
            return undefined;
          give();
          if (reading < READING_MAX) {
            reading++;
            begin();
            return undefined;
          }
          return new Promise((resolve) => {
            waiting.push(() => {
              begin();
              resolve();
            });
          });
        },
        came(bytes) {
          cameBytes += bytes;
          if (cameBytes < RELIEVE_BYTES) return;
          cameBytes = 0;
          relieve?.();
        },
        give,
        leave() {
          give();
          if (isIn) crowd--;
          isIn = false;
        },
      };
    },
  };
}
