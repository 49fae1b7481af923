// A token bucket as a pure function of (state, rate, now): so many at once, then at the pace of the rate. The state is two numbers, so
// that a change of the rate while mail flows neither forgives what was taken nor takes it twice.
import type { Rate } from "../route/limits.ts";

export interface Bucket {
  readonly tokens: number;
  /** By the clock that never goes back. */
  readonly atMs: number;
}

/** What may be taken at once is what the rate gives in this time: enough not to stutter, too little to be a flood. */
const BURST_MS = 10_000;

export function burstOf({ count, perMs }: Rate): number {
  return Math.min(count, Math.max(1, (count * BURST_MS) / perMs));
}

export function fullBucket(rate: Rate, nowMs: number): Bucket {
  return { tokens: burstOf(rate), atMs: nowMs };
}

/** What was spent before is not known: it may be all. */
export function emptyBucket(nowMs: number): Bucket {
  return { tokens: 0, atMs: nowMs };
}

export function tokensAt({ tokens, atMs }: Bucket, rate: Rate, nowMs: number): number {
  const grown = (Math.max(0, nowMs - atMs) * rate.count) / rate.perMs;
  return Math.min(burstOf(rate), tokens + grown);
}

/** How long until one can be taken; 0: now. */
export function waitMs(bucket: Bucket, rate: Rate, nowMs: number): number {
  const missing = 1 - tokensAt(bucket, rate, nowMs);
  // A rounding error of the last bit must not become a timer of no time that finds nothing.
  return missing <= 1e-9 ? 0 : Math.ceil((missing * rate.perMs) / rate.count);
}

/** Only when `waitMs` is 0. */
export function takeOne(bucket: Bucket, rate: Rate, nowMs: number): Bucket {
  return { tokens: Math.max(0, tokensAt(bucket, rate, nowMs) - 1), atMs: nowMs };
}

/** Nothing of it is spent any more: a full one need not be remembered. */
export function isFull(bucket: Bucket, rate: Rate, nowMs: number): boolean {
  return tokensAt(bucket, rate, nowMs) >= burstOf(rate) - 1e-9;
}
