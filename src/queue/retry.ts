// When to try again: pure functions of (policy, state, now, roll), so that a whole schedule can be printed and read as a table
// (DESIGN 7). RFC 5321 4.5.4.1 asks for 4-5 days of trying; priority sets speed, not life.
import type { EpochMs } from "../base/clock.ts";
import type { Priority } from "../mail/message.ts";
import type { TroubleClass } from "../mail/verdict.ts";

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60 * SECOND_MS;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

export interface LaneSchedule {
  /** The wait after the first, second ... attempt; the last one repeats. Never empty. */
  readonly stepsMs: readonly number[];
  readonly lifetimeMs: number;
}

/** One schedule a priority. */
export type RetryPolicy = readonly [LaneSchedule, LaneSchedule, LaneSchedule];

/** The first four steps of p0 add up to 5:15, past the usual greylist. */
export const defaultRetry: RetryPolicy = [
  {
    stepsMs: [15, 45, 120, 135, 300, 600, 900].map((seconds) => seconds * SECOND_MS),
    lifetimeMs: 5 * DAY_MS,
  },
  {
    stepsMs: [60, 255, 600, 1200, 2400, 3600].map((seconds) => seconds * SECOND_MS),
    lifetimeMs: 5 * DAY_MS,
  },
  {
    stepsMs: [10, 30, 60, 240].map((minutes) => minutes * MINUTE_MS),
    lifetimeMs: 3 * DAY_MS,
  },
];

/** Jitter only adds: a retry is never earlier than a greylister wants. */
const JITTER = 0.15;
const GREYLIST_MS = 305 * SECOND_MS;
const HINT_MIN_MS = 10 * SECOND_MS;
const HINT_MAX_MS = HOUR_MS;

export function jittered(waitMs: number, roll: number): number {
  return Math.round(waitMs * (1 + JITTER * roll));
}

function bounded(hintMs: number): number {
  return Math.min(HINT_MAX_MS, Math.max(HINT_MIN_MS, hintMs));
}

export interface Failed {
  readonly priority: Priority;
  /** Attempts that ended, the present one included: at least 1. */
  readonly attempts: number;
  readonly class: TroubleClass;
  /** A server's "try again in N". */
  readonly retryAfterMs: number | undefined;
}

/** How long to wait after a failure that concerns the recipient or the message. */
export function waitMs(policy: RetryPolicy, failed: Failed, roll: number): number {
  if (failed.class === "greylist") {
    const { retryAfterMs } = failed;
    return jittered(retryAfterMs === undefined ? GREYLIST_MS : bounded(retryAfterMs), roll);
  }
  const { stepsMs } = policy[failed.priority];
  const step = stepsMs[Math.min(failed.attempts, stepsMs.length) - 1];
  if (step === undefined) throw new Error(`no retry step for attempt ${failed.attempts}`);
  const hintMs = failed.retryAfterMs === undefined ? 0 : bounded(failed.retryAfterMs);
  return jittered(Math.max(step, hintMs), roll);
}

/** The instant at which a recipient has lived: the sender's own limit, else the lifetime of the priority. */
export function expiryOf(
  policy: RetryPolicy,
  message: {
    readonly priority: Priority;
    readonly acceptedAt: EpochMs;
    readonly expiresAt: EpochMs | null;
  },
): EpochMs {
  return message.expiresAt ?? message.acceptedAt + policy[message.priority].lifetimeMs;
}

/** Two losses come back at once; from the third on the job itself is suspected and waits as after a failure. */
const LOSSES_AT_ONCE = 2;

/** The wait of a lease that ended without a verdict; `attempts` include the lost one. */
export function lossWaitMs(
  policy: RetryPolicy,
  priority: Priority,
  attempts: number,
  roll: number,
): number {
  if (attempts <= LOSSES_AT_ONCE) return 0;
  return waitMs(policy, { priority, attempts, class: "local", retryAfterMs: undefined }, roll);
}

/** No recipient of a routed domain waits longer than this for its next attempt. */
export function longestWaitMs(policy: RetryPolicy): number {
  const steps = policy.flatMap(({ stepsMs }) => stepsMs);
  return jittered(Math.max(HINT_MAX_MS, ...steps), 1);
}

/** The schedule as a table: when each attempt is made, counted from the first, without jitter. */
export function scheduleTable(policy: RetryPolicy, priority: Priority): number[] {
  const times: number[] = [0];
  for (let elapsedMs = 0; ;) {
    const failed = {
      priority,
      attempts: times.length,
      class: "other" as const,
      retryAfterMs: undefined,
    };
    elapsedMs += waitMs(policy, failed, 0);
    if (elapsedMs >= policy[priority].lifetimeMs) return times;
    times.push(elapsedMs);
  }
}
