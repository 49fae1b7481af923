// What the fields of a message mean together. Looks at the body as it came, so that these faults are told beside those of single
// fields and not one request later.
import type { EpochMs } from "../base/clock.ts";
import { type Fault, pointerOf } from "./problem.ts";
import { AHEAD_MAX_DAYS, readInstant, readWhen } from "./schedule.ts";

const DAY_MS = 86_400_000;

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
  const expires = instantOf(given["expires_at"]);
  if (expires !== undefined) {
    if (given["expires_in"] !== undefined)
      add("expires_in", "conflict", "Give expires_at or expires_in, not both.");
    const due = dueOf(given["scheduled_at"], now);
    if (expires <= due)
      add("expires_at", "invalid_time", "It lies before the message could be sent.");
    else if (expires > due + AHEAD_MAX_DAYS * DAY_MS)
      add("expires_at", "invalid_time", `Mail lives at most ${AHEAD_MAX_DAYS} days.`);
  }
  if (given["reply_to"] !== undefined && hasReplyTo(given["headers"]))
    add("reply_to", "conflict", "Give reply_to or the header Reply-To, not both.");
  return faults;
}

/** A time that cannot be read is told by the schema. */
function dueOf(value: unknown, now: EpochMs): EpochMs {
  const when = typeof value === "string" ? readWhen(value, now) : undefined;
  return when?.kind === "at" ? Math.max(now, when.at) : now;
}

function instantOf(value: unknown): EpochMs | undefined {
  const at = typeof value === "string" ? readInstant(value) : NaN;
  return Number.isNaN(at) ? undefined : at;
}

function hasReplyTo(headers: unknown): boolean {
  if (typeof headers !== "object" || headers === null) return false;
  return Object.keys(headers).some((key) => key.toLowerCase() === "reply-to");
}
