// The health of a site, as the queue sees it: a failure that concerns a host or a site slows the site down and burns nobody's
// attempt; a paused site gets one probe, whose outcome decides for all the others (DESIGN 7). Two kinds of pause:
//  - our own patience with a site that does not work: seconds, doubling to half an hour, and gone with the first success;
//  - what a provider asks for in its own words ("you send too much"): a quarter of an hour, doubling to four hours while it goes on
//    asking. One success ends the pause, but not the memory of it: a provider that asks again soon is given twice the time.
import type { EpochMs } from "../base/clock.ts";
import { blamesSite, HOST_FAILURES, praisesSite } from "../mail/blame.ts";
import type { SitePause, Verdict } from "../mail/verdict.ts";
import type { Instant } from "./duetime.ts";
import { HOUR_MS, jittered, MINUTE_MS, SECOND_MS } from "./retry.ts";

/** The pauses after the first, second ... failure in a row; the last one repeats. */
const PAUSES_MS: readonly number[] = [
  15 * SECOND_MS,
  30 * SECOND_MS,
  MINUTE_MS,
  2 * MINUTE_MS,
  5 * MINUTE_MS,
  10 * MINUTE_MS,
  15 * MINUTE_MS,
  30 * MINUTE_MS,
];

const PROVIDER_FIRST_MS = 15 * MINUTE_MS;
const PROVIDER_MAX_MS = 4 * HOUR_MS;
/** What a provider's own word may ask for: less would be no pause, more is better asked again. */
const PROVIDER_MIN_MS = MINUTE_MS;
/** So long after a provider's pause the next one begins anew. */
const FORGIVEN_MS = 24 * HOUR_MS;

/** `level`: pauses in a row before this one. */
export function siteBackoff(level: number, retryAfterMs: number | undefined, roll: number): number {
  const pauseMs = PAUSES_MS[Math.min(level, PAUSES_MS.length - 1)] as number;
  return jittered(Math.max(pauseMs, Math.min(retryAfterMs ?? 0, HOUR_MS)), roll);
}

/** `strikes`: pauses that the provider asked for before this one. `forMs`: what it asked for in words. */
export function providerPause(strikes: number, forMs: number | undefined, roll: number): number {
  const stepMs = Math.min(PROVIDER_MAX_MS, PROVIDER_FIRST_MS * 2 ** Math.min(strikes, 10));
  if (forMs === undefined) return jittered(stepMs, roll);
  return jittered(Math.min(PROVIDER_MAX_MS, Math.max(PROVIDER_MIN_MS, forMs)), roll);
}

/** The longest that any pause can be: an instant further ahead was written by a clock that has gone back since. */
export const PAUSE_MAX_MS = jittered(PROVIDER_MAX_MS, 1);

export interface Health {
  /** Not before this instant; 0: open. */
  pausedUntil: EpochMs;
  /** Pauses in a row. */
  level: number;
  /** Failures of a host in a row. */
  streak: number;
  /** One job is out to find whether the site is back. */
  probing: boolean;
  /** When the last failure was seen, on the clock that does not jump; below 0: never in this process. */
  failedAtMono: number;
  /** The rule by which the provider asked for the present pause; empty: it is of our own patience. */
  rule: string;
  /** Pauses that the provider asked for, one soon after the other, and when the last of them ended. */
  strikes: number;
  struckUntil: EpochMs;
  /** The step of the last failure, packed (mail/timeline.ts); empty: none in this process. */
  lastFailure: string;
}

export const healthy = (): Health => ({
  pausedUntil: 0,
  level: 0,
  streak: 0,
  probing: false,
  failedAtMono: -1,
  rule: "",
  strikes: 0,
  struckUntil: 0,
  lastFailure: "",
});

/** All is forgotten but what a provider is remembered for: one that asks again soon is given twice the time. */
export function forgive(health: Health): void {
  const { strikes, struckUntil, lastFailure } = health;
  Object.assign(health, healthy(), { strikes, struckUntil, lastFailure });
}

interface Failure {
  readonly wholeSite: boolean;
  readonly pause: SitePause | undefined;
  readonly retryAfterMs: number | undefined;
  readonly now: EpochMs;
  readonly mono: number;
  readonly roll: number;
}

/** Pauses the site when its time has come; failures of jobs that were under way when it was paused change nothing. */
function fail(health: Health, failure: Failure): void {
  health.streak++;
  health.failedAtMono = failure.mono;
  if (failure.pause !== undefined) return obey(health, failure.pause, failure);
  if (health.pausedUntil > failure.now) return;
  if (!failure.wholeSite && health.level === 0 && health.streak < HOST_FAILURES) return;
  health.pausedUntil = failure.now + siteBackoff(health.level, failure.retryAfterMs, failure.roll);
  health.level++;
  health.probing = false;
  health.rule = "";
}

function obey(health: Health, { forMs, rule }: SitePause, { now, roll }: Failure): void {
  // Many are told at once what is said but once.
  if (health.rule !== "" && health.pausedUntil > now) return;
  if (now - health.struckUntil > FORGIVEN_MS) health.strikes = 0;
  const until = now + providerPause(health.strikes, forMs, roll);
  health.pausedUntil = Math.max(health.pausedUntil, until);
  health.struckUntil = health.pausedUntil;
  health.strikes++;
  health.level++;
  health.probing = false;
  health.rule = rule;
}

/** The probe came back without an answer from the site: another one goes out after a while. */
function probeAgain(health: Health, now: EpochMs): void {
  health.probing = false;
  health.pausedUntil = Math.max(health.pausedUntil, now + (PAUSES_MS[0] as number));
}

/** True when that ended a pause. */
function heal(health: Health, now: EpochMs): boolean {
  if (health.level === 0 && health.streak === 0) return false;
  // Mail that was taken before the provider spoke says nothing of now.
  if (health.rule !== "" && health.pausedUntil > now) return false;
  const wasPaused = health.level > 0;
  forgive(health);
  return wasPaused;
}

export interface Lesson {
  /** No other job of the site is under way. */
  readonly alone: boolean;
  readonly probe: boolean;
  readonly now: Instant;
  readonly roll: () => number;
}

/** What a verdict changes in its site's health. */
export function learnFrom(
  health: Health,
  verdict: Verdict,
  { alone, probe, now, roll }: Lesson,
): "resumed" | "paused" | null {
  let change: "resumed" | "paused" | null = null;
  if (praisesSite(verdict)) {
    if (heal(health, now.due)) change = "resumed";
  } else if (blamesSite(verdict)) {
    const wasUntil = health.pausedUntil;
    const wholeSite = verdict.scope === "site" || alone;
    const { pause, retryAfterMs } = verdict;
    health.lastFailure = verdict.step;
    fail(health, { wholeSite, pause, retryAfterMs, now: now.due, mono: now.mono, roll: roll() });
    if (health.pausedUntil !== wasUntil) change = "paused";
  } else if (probe) probeAgain(health, now.due);
  if (probe) health.probing = false;
  return change;
}
