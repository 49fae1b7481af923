// A clock for senders whose sockets are real: a test need not wait for what is due in an hour.
import { systemClock, type Clock } from "../../src/base/clock.ts";

export interface PushedClock extends Clock {
  push(byMs: number): void;
}

/** The real clock, which can be set forward: then what is due by then happens. */
export function createPushedClock(): PushedClock {
  const timers = new Set<{ readonly dueAt: number; run(): void }>();
  let offsetMs = 0;
  const monotonicMs = (): number => systemClock.monotonicMs() + offsetMs;
  return {
    now: () => systemClock.now() + offsetMs,
    monotonicMs,
    soon: systemClock.soon,
    after(delayMs, run) {
      const timer = {
        dueAt: monotonicMs() + delayMs,
        run(): void {
          real.cancel();
          if (timers.delete(timer)) run();
        },
      };
      const real = systemClock.after(delayMs, () => timer.run());
      timers.add(timer);
      return {
        cancel() {
          real.cancel();
          timers.delete(timer);
        },
      };
    },
    push(byMs) {
      offsetMs += byMs;
      for (const timer of [...timers]) if (timer.dueAt <= monotonicMs()) timer.run();
    },
  };
}
