// One timer for the earliest of many reasons to look again.
import type { Clock, Timer } from "../base/clock.ts";

export interface Alarm {
  /** Rings no later than that; earlier is harmless. */
  within(delayMs: number): void;
  stop(): void;
}

/** Jumps of the wall clock are noticed at least this often while something waits. */
const LOOK_MAX_MS = 5 * 60_000;

export function createAlarm(clock: Clock, ring: () => void): Alarm {
  let timer: Timer | undefined;
  let atMono = Infinity;
  return {
    within(delayMs) {
      if (delayMs === Infinity) return;
      const waitMs = Math.min(LOOK_MAX_MS, Math.max(1, delayMs));
      const wantedAt = clock.monotonicMs() + waitMs;
      // A timer that rings early only looks again: cheaper than a new one for each change.
      if (atMono <= wantedAt) return;
      timer?.cancel();
      atMono = wantedAt;
      timer = clock.after(waitMs, () => {
        atMono = Infinity;
        ring();
      });
    },
    stop: () => timer?.cancel(),
  };
}
