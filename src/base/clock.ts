// The one home of time. Everything that waits takes a Clock and an AbortSignal, so that the simulator
// can own time; everything that decides takes `now` as an argument.

/** Milliseconds since 1970-01-01 UTC, whole. */
export type EpochMs = number;

export interface Timer {
  /** Idempotent; after it the callback does not run. */
  cancel(): void;
}

export interface Clock {
  /** Wall time: may jump in both directions. For rows, headers and schedules. */
  now(): EpochMs;
  /** Never goes back: for durations and deadlines within one process. Fractions of a millisecond. */
  monotonicMs(): number;
  /** Runs `run` once after `delayMs`. Does not keep the process alive by itself. */
  after(delayMs: number, run: () => void): Timer;
  /** Runs `run` once everything that already waits in the event loop has run: how batches form without a timer. */
  soon(run: () => void): void;
}

/** The longest delay that a runtime timer holds in its 32 bits; longer ones are split. */
const TIMER_MAX_MS = 2_147_483_647;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, run) {
    let handle: ReturnType<typeof setTimeout>;
    const arm = (leftMs: number): void => {
      const stepMs = Math.min(leftMs, TIMER_MAX_MS);
      handle = setTimeout(() => (leftMs > stepMs ? arm(leftMs - stepMs) : run()), stepMs);
      handle.unref();
    };
    arm(Math.max(0, delayMs));
    return { cancel: () => clearTimeout(handle) };
  },
  soon: (run) => void setImmediate(run),
};

/** As RFC 3339 has it, in UTC. */
export function iso(at: EpochMs): string {
  return new Date(at).toISOString();
}

/** For what nobody can end earlier, so that it must be short. */
export function pause(clock: Pick<Clock, "after">, delayMs: number): Promise<void> {
  return new Promise((resolve) => void clock.after(delayMs, resolve));
}

/** Resolves after `delayMs`; rejects with the signal's reason when aborted first. */
export function sleep(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    const onAbort = (): void => {
      timer.cancel();
      reject(signal.reason as Error);
    };
    const timer = clock.after(delayMs, () => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    });
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
