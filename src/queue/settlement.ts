// From what happened to a lease to the row that tells it: the next state, the step of the timeline and the event, in one value.
import type { EpochMs } from "../base/clock.ts";
import { unreachable } from "../base/unreachable.ts";
import { blamesSite } from "../mail/blame.ts";
import type { MessageId } from "../mail/id.ts";
import type { Priority } from "../mail/message.ts";
import { type NoteStep, packStep } from "../mail/timeline.ts";
import type { Verdict } from "../mail/verdict.ts";
import type { Instant } from "./duetime.ts";
import { after, eventOf, type Happening, type RecipientState } from "./lifecycle.ts";
import { siteBackoff } from "./pace.ts";
import type { Lulls } from "./lulls.ts";
import { expiryOf, lossWaitMs, type RetryPolicy, SECOND_MS, waitMs } from "./retry.ts";
import type { Settlement, SiteId } from "./store.ts";

/** A lease and what decides its future. */
export interface Leased {
  readonly message: MessageId;
  readonly n: number;
  readonly claim: number;
  readonly attempts: number;
  readonly priority: Priority;
  readonly acceptedAt: EpochMs;
  readonly expiresAt: EpochMs | null;
}

/** `site`: the line in which it waits from now on, when that may have changed; `dialogue`: what was said. */
export function settlementOf(
  leased: Leased,
  happening: Happening,
  step: string | null,
  at: EpochMs,
  {
    site,
    dialogue,
  }: { readonly site?: SiteId | undefined; readonly dialogue?: string | undefined } = {},
): Settlement {
  const { message, n, claim, attempts } = leased;
  const state: RecipientState = { at: "sending", claim, leaseUntil: 0, attempts };
  const next = after(state, happening);
  if (next === null) throw new Error(`${happening.kind} cannot happen to a leased recipient`);
  const event = eventOf[happening.kind];
  if (site === undefined) return { message, n, claim, next, step, dialogue, event, at };
  return { message, n, claim, next, site, step, dialogue, event, at };
}

export interface Circumstance {
  readonly policy: RetryPolicy;
  readonly now: Instant;
  readonly roll: number;
  /** The pause of the site at this moment. */
  readonly pausedUntil: EpochMs;
  readonly lulls: Pick<Lulls, "since" | "leapt">;
  /** Our own line is down, and that was why: it waits for the line and for nothing else. */
  readonly held: boolean;
}

/** When it has lived: its sender's own time unless the clock leapt, a lifetime without the time in which nothing could be sent. */
export function livesUntil(
  policy: RetryPolicy,
  lulls: Pick<Lulls, "since" | "leapt">,
  message: Pick<Leased, "priority" | "acceptedAt" | "expiresAt">,
  now: EpochMs,
): EpochMs {
  const { acceptedAt } = message;
  const lost =
    message.expiresAt === null ? lulls.since(acceptedAt, now) : lulls.leapt(acceptedAt, now);
  return expiryOf(policy, message) + lost;
}

/** An interrupted job rests a moment, so that a sender that gives everything back is not asked in a circle. */
const RETURN_MS = SECOND_MS;

/** What a verdict means for its recipient. */
export function happeningOf(
  leased: Leased,
  verdict: Verdict,
  circumstance: Circumstance,
): Happening {
  const { now } = circumstance;
  switch (verdict.kind) {
    case "delivered":
      return { kind: "delivered", at: now.wall };
    case "failed":
      return { kind: "bounced", at: now.wall };
    case "interrupted":
      return { kind: "returned", dueAt: now.due + RETURN_MS };
    case "deferred":
      return verdict.hold === true ? { kind: "held" } : deferralOf(leased, verdict, circumstance);
    default:
      return unreachable(verdict.kind);
  }
}

function deferralOf(
  leased: Leased,
  verdict: Verdict,
  { policy, now, roll, pausedUntil, lulls, held }: Circumstance,
): Happening {
  // Failures of host or site scope burn no message's attempt, nor does a provider's wish for less mail: the site pays for them.
  const ofMail = verdict.scope === "recipient" || verdict.scope === "message";
  const counted = ofMail && verdict.pause === undefined;
  const leftMs = livesUntil(policy, lulls, leased, now.wall) - now.wall;
  const isOver = leftMs <= 0 && (!held || leased.expiresAt !== null);
  if (isOver) return { kind: "expired", at: now.wall, counted };
  if (held) return { kind: "deferred", dueAt: now.due, counted: false };
  const { priority, attempts } = leased;
  const { class: trouble, retryAfterMs } = verdict;
  const failed = { priority, attempts: attempts + 1, class: trouble, retryAfterMs };
  const wantedAt = counted
    ? now.due + waitMs(policy, failed, roll)
    : Math.max(blamesSite(verdict) ? pausedUntil : 0, now.due + siteBackoff(0, retryAfterMs, roll));
  return { kind: "deferred", dueAt: Math.min(wantedAt, now.due + leftMs), counted };
}

/** A lease that ended without a verdict: perhaps past the dot, so it counts and is marked. */
export function lossOf(
  policy: RetryPolicy,
  leased: Pick<Leased, "attempts" | "priority">,
  now: Instant,
  roll: number,
): Happening {
  const waitedMs = lossWaitMs(policy, leased.priority, leased.attempts + 1, roll);
  return { kind: "lost", dueAt: now.due + waitedMs };
}

export function note(at: EpochMs, name: NoteStep["note"], text: string, doubt = false): string {
  return packStep({ kind: "note", at, note: name, doubt, text });
}
