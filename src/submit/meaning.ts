// What the fields of a message mean together. Looks at the body as it came, so that these faults are told beside those of single
// fields and not one request later.
import type { EpochMs } from "../base/clock.ts";
import { type Fault, pointerOf } from "./problem.ts";
import { readInstant } from "./schema.ts";

const DAY_MS = 86_400_000;
/** As far ahead as a message may be scheduled, and as long as it may live. */
const AHEAD_MAX_DAYS = 366;

export function checkMeaning(
  body: unknown,
  now: EpochMs,
  base: readonly PropertyKey[] = [],
): Fault[] {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return [];
  const given = body as Readonly<Record<string, unknown>>;
  const faults: Fault[] = [];
  const add = (field: string, code: Fault["code"], detail: string): void => {
    faults.push({ pointer: pointerOf([...base, field]), code, detail });
  };
  if (given["html"] === undefined && given["text"] === undefined)
    add("text", "missing_required_field", "text or html is required.");
  // A time in the past is no fault: a clock that runs ahead would be, and the message is simply due.
  const due = instantOf(given["scheduled_at"]);
  if (due !== undefined && due > now + AHEAD_MAX_DAYS * DAY_MS)
    add("scheduled_at", "invalid_time", `Mail is scheduled at most ${AHEAD_MAX_DAYS} days ahead.`);
  const expires = instantOf(given["expires_at"]);
  if (expires !== undefined) {
    if (given["expires_in"] !== undefined)
      add("expires_in", "conflict", "Give expires_at or expires_in, not both.");
    if (expires <= Math.max(now, due ?? now))
      add("expires_at", "invalid_time", "It lies before the message could be sent.");
    else if (expires > Math.max(now, due ?? now) + AHEAD_MAX_DAYS * DAY_MS)
      add("expires_at", "invalid_time", `Mail lives at most ${AHEAD_MAX_DAYS} days.`);
  }
  if (given["reply_to"] !== undefined && hasReplyTo(given["headers"]))
    add("reply_to", "conflict", "Give reply_to or the header Reply-To, not both.");
  return faults;
}

function instantOf(value: unknown): EpochMs | undefined {
  const at = typeof value === "string" ? readInstant(value) : NaN;
  return Number.isNaN(at) ? undefined : at;
}

function hasReplyTo(headers: unknown): boolean {
  if (typeof headers !== "object" || headers === null) return false;
  return Object.keys(headers).some((key) => key.toLowerCase() === "reply-to");
}
