// How long a job may wait in its sender for a connection. Past that it is given back, and the queue decides anew: whether the job has
// expired, and where it goes by now.
import type { Clock, EpochMs } from "../base/clock.ts";
import type { Job } from "../mail/job.ts";

/**
 * With `SWEEP_MS` well below the queue's `flightMaxMs`, at which a lease is taken back though its sender lives: a job that still waited
 * then would be sent twice.
 */
export const LANE_WAIT_MAX_MS = 12 * 3_600_000;
/** How often the lanes are looked through for jobs that no connection has come to take. */
export const SWEEP_MS = 3_600_000;

export interface Patience {
  readonly expiresAt: EpochMs;
  /** When it came from the queue. */
  readonly cameAtMs: number;
  /** By the monotonic clock, as the queue's `flightMaxMs`. */
  readonly waitsUntilMs: number;
}

/** A job whose lifetime was over when it came is sent: the queue hands it out for one last attempt. */
export function patienceFor({ expiresAt }: Job, clock: Clock): Patience {
  const cameAtMs = clock.monotonicMs();
  return {
    expiresAt: expiresAt > clock.now() ? expiresAt : Infinity,
    cameAtMs,
    waitsUntilMs: cameAtMs + LANE_WAIT_MAX_MS,
  };
}

export function isOver({ expiresAt, waitsUntilMs }: Patience, clock: Clock): boolean {
  return clock.now() >= expiresAt || clock.monotonicMs() >= waitsUntilMs;
}
