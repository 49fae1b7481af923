// One timer a connection, however many replies it waits for: setting a deadline stores a number, and a timer that fires too early
// sleeps again. `socket.setTimeout` cannot be used, since it never fires while a write is blocked (DESIGN 11).
import type { Clock, Timer } from "../base/clock.ts";

export interface Deadline {
  set(afterMs: number): void;
  clear(): void;
  /** For good: the timer goes too. */
  end(): void;
}

export function createDeadline(clock: Clock, passed: () => void): Deadline {
  let dueAt = Infinity;
  let timer: Timer | null = null;
  let firesAt = Infinity;

  const arm = (now: number): void => {
    timer?.cancel();
    firesAt = dueAt;
    timer = clock.after(dueAt - now, fire);
  };
  const fire = (): void => {
    timer = null;
    firesAt = Infinity;
    if (dueAt === Infinity) return;
    const now = clock.monotonicMs();
    if (now < dueAt) return arm(now);
    dueAt = Infinity;
    passed();
  };
  return {
    set(afterMs) {
      const now = clock.monotonicMs();
      dueAt = now + afterMs;
      if (dueAt < firesAt) arm(now);
    },
    clear: () => void (dueAt = Infinity),
    end() {
      dueAt = Infinity;
      timer?.cancel();
      timer = null;
      firesAt = Infinity;
    },
  };
}
