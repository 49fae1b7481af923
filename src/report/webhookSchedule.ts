// When an event is sent again to an endpoint that did not take it, and when an endpoint is given up: those of the Standard Webhooks
// specification. Pure.
import type { EpochMs } from "../base/clock.ts";

const S = 1000;
const M = 60 * S;
const H = 60 * M;

/** From a failed attempt to the next; after the last of them the event is given up. */
export const retryStepsMs: readonly number[] = [
  5 * S,
  5 * M,
  30 * M,
  2 * H,
  5 * H,
  10 * H,
  14 * H,
  20 * H,
  24 * H,
];

/** Never earlier than the step, so that it means what it says; spread, so that a receiver that comes back is not overrun. */
const JITTER_SHARE = 0.1;
/** A receiver may ask for a pause, but not for ever. */
export const RETRY_AFTER_MAX_MS = 24 * H;
/** No event waits longer for its next attempt, whatever the clock said when it was put off. */
export const WAIT_MAX_MS = 24 * H * (1 + JITTER_SHARE);

/** An endpoint that took nothing for so long is switched off, once an event has been tried often enough for it. */
const DISABLE_AFTER_MS = 72 * H;
/** A clock that leaps makes an hour look like days, but no attempts. */
const DISABLE_TRIES = 8;

export interface Failed {
  /** Attempts so far, the failed one included. */
  readonly tries: number;
  readonly now: EpochMs;
  /** In [0, 1). */
  readonly roll: number;
  /** What the receiver asked for; 0: nothing. */
  readonly retryAfterMs: number;
}

/** Undefined: that was the last attempt. */
export function nextAttemptAt({ tries, now, roll, retryAfterMs }: Failed): EpochMs | undefined {
  const stepMs = retryStepsMs[tries - 1];
  if (stepMs === undefined) return undefined;
  const asked = Math.min(retryAfterMs, RETRY_AFTER_MAX_MS);
  return now + Math.round(Math.max(stepMs * (1 + JITTER_SHARE * roll), asked));
}

export function isHopeless(failingSince: EpochMs, tries: number, now: EpochMs): boolean {
  return now - failingSince >= DISABLE_AFTER_MS && tries >= DISABLE_TRIES;
}
