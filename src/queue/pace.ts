// The health of a site, as the queue sees it: a failure that concerns a host or a site slows the site down and burns nobody's
// attempt; a paused site gets one probe, whose outcome decides for all the others (DESIGN 7).
import type { EpochMs } from "../base/clock.ts";
import type { Verdict } from "../mail/verdict.ts";
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

/** So many failures of single hosts in a row speak for the site. */
const HOST_FAILURES = 3;

/** `level`: pauses in a row before this one. */
export function siteBackoff(level: number, retryAfterMs: number | undefined, roll: number): number {
  const pauseMs = PAUSES_MS[Math.min(level, PAUSES_MS.length - 1)] as number;
  return jittered(Math.max(pauseMs, Math.min(retryAfterMs ?? 0, HOUR_MS)), roll);
}

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
}

export const healthy = (): Health => ({
  pausedUntil: 0,
  level: 0,
  streak: 0,
  probing: false,
  failedAtMono: -1,
});

/** True when the verdict says something bad of the site. Troubles of our own never slow it. */
export function blamesSite(verdict: Verdict): boolean {
  if (verdict.kind !== "deferred") return false;
  if (verdict.scope !== "host" && verdict.scope !== "site") return false;
  return verdict.class !== "local" && verdict.class !== "dns";
}

/** True when the site answered as a site should, whatever it said about the recipient. */
function praisesSite(verdict: Verdict): boolean {
  if (verdict.kind === "delivered" || verdict.kind === "failed") return true;
  if (verdict.kind === "interrupted" || verdict.class === "local") return false;
  return verdict.scope === "recipient" || verdict.scope === "message";
}

interface Failure {
  readonly wholeSite: boolean;
  readonly retryAfterMs: number | undefined;
  readonly now: EpochMs;
  readonly mono: number;
  readonly roll: number;
}

/** Pauses the site when its time has come; failures of jobs that were under way when it was paused change nothing. */
function fail(health: Health, failure: Failure): void {
  health.streak++;
  health.failedAtMono = failure.mono;
  if (health.pausedUntil > failure.now) return;
  if (!failure.wholeSite && health.level === 0 && health.streak < HOST_FAILURES) return;
  health.pausedUntil = failure.now + siteBackoff(health.level, failure.retryAfterMs, failure.roll);
  health.level++;
  health.probing = false;
}

/** The probe came back without an answer from the site: another one goes out after a while. */
function probeAgain(health: Health, now: EpochMs): void {
  health.probing = false;
  health.pausedUntil = Math.max(health.pausedUntil, now + (PAUSES_MS[0] as number));
}

/** True when that ended a pause. */
function heal(health: Health): boolean {
  if (health.level === 0 && health.streak === 0) return false;
  const wasPaused = health.level > 0;
  health.pausedUntil = 0;
  health.level = 0;
  health.streak = 0;
  health.probing = false;
  health.failedAtMono = -1;
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
    if (heal(health)) change = "resumed";
  } else if (blamesSite(verdict)) {
    const wasUntil = health.pausedUntil;
    const wholeSite = verdict.scope === "site" || alone;
    const { retryAfterMs } = verdict;
    fail(health, { wholeSite, retryAfterMs, now: now.due, mono: now.mono, roll: roll() });
    if (health.pausedUntil !== wasUntil) change = "paused";
  } else if (probe) probeAgain(health, now.due);
  if (probe) health.probing = false;
  return change;
}
