// The time that a client has for what it owes us.
import type { Clock, Timer } from "../../base/clock.ts";

/** One timer for all that is waited for, since most waits are over long before it rings. */
export function createDeadline(clock: Clock) {
  let timer: Timer | null = null;
  let ringsMs = Infinity;
  let untilMs = Infinity;
  let late: () => void = () => {};
  const ring = (): void => {
    timer = null;
    ringsMs = Infinity;
    const nowMs = clock.monotonicMs();
    if (untilMs === Infinity) return;
    if (nowMs < untilMs) return arm(untilMs - nowMs);
    untilMs = Infinity;
    late();
  };
  const arm = (delayMs: number): void => {
    timer?.cancel();
    ringsMs = clock.monotonicMs() + delayMs;
    timer = clock.after(delayMs, ring);
  };
  return {
    set(delayMs: number, run: () => void): void {
      late = run;
      untilMs = clock.monotonicMs() + Math.max(0, delayMs);
      if (timer === null || untilMs < ringsMs) arm(Math.max(0, delayMs));
    },
    stop(): void {
      untilMs = Infinity;
    },
    /** Nothing is waited for any more, ever. */
    end(): void {
      untilMs = Infinity;
      timer?.cancel();
    },
  };
}
