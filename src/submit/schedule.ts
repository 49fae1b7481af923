// When mail is to be sent: an instant (RFC 3339, and ISO 8601 as far as it leaves no doubt), or words such as "in 10 min", "tomorrow at
// 9am" and "Friday at 3pm ET", as Resend takes them; times without a zone are UTC. The reader of words is loaded when the first ones come.
import type { EpochMs } from "../base/clock.ts";

type Words = typeof import("chrono-node/en");

/** As far ahead as a message may be scheduled, and as long as it may live. */
export const AHEAD_MAX_DAYS = 366;
const DAY_MS = 86_400_000;
/** An instant that has just passed is no fault: clocks differ, and a request may come again. The message is simply due. */
const PAST_MAX_MS = DAY_MS;
/** The words are matched by many expressions, some of which take longer the longer the text is. */
const WORDS_MAX = 100;

export type When =
  { readonly kind: "at"; readonly at: EpochMs } | { readonly kind: "fault"; readonly why: string };

let words: Words | undefined;

/**
 * Undefined: `readWhen` can read what this message or list of messages holds. Else it can once the promise resolves. Asked for every
 * message, so it looks at one field.
 */
export function whenReady(body: unknown): Promise<void> | undefined {
  if (words !== undefined || typeof body !== "object" || body === null) return undefined;
  if (Array.isArray(body)) return body.some(hasWords) ? loadWords() : undefined;
  return hasWords(body) ? loadWords() : undefined;
}

function hasWords(message: unknown): boolean {
  if (typeof message !== "object" || message === null) return false;
  const given = (message as { readonly scheduled_at?: unknown }).scheduled_at;
  return typeof given === "string" && Number.isNaN(readInstant(given));
}

async function loadWords(): Promise<void> {
  words = await import("chrono-node/en");
}

/** Only after `whenReady`. */
export function readWhen(text: string, now: EpochMs): When {
  const instant = readInstant(text);
  if (!Number.isNaN(instant))
    return instant < now - PAST_MAX_MS ? past : bounded({ kind: "at", at: instant }, now);
  if (words === undefined) throw new Error("words are read before they can be");
  const trimmed = text.trim();
  if (trimmed.length > WORDS_MAX || strangeZone.test(trimmed)) return unreadable;
  const [found, second] = words.parse(
    trimmed,
    { instant: new Date(now), timezone: 0 },
    // A weekday alone is the next one; the reader takes "last Friday" for that, too, if it may look forward.
    { forwardDate: !lastOne.test(trimmed) },
  );
  // All of it or nothing: "in -5 min" holds something that reads well, and so does "not in 5 min".
  if (found === undefined || second !== undefined || found.text !== trimmed) return unreadable;
  if (found.end != null) return unreadable;
  const at = found.date().getTime();
  return at < now ? past : bounded({ kind: "at", at }, now);
}

const lastOne = /^(?:on )?(?:last|past)\b/i;
/** Behind a time an offset that no clock shows (RFC 3339 5.6), by which it would be another day's. */
const strangeZone = /:\d\d(?:\.\d+)? *[+-](?:2[4-9]|[3-9]\d|\d\d:?[6-9]\d)(?::?\d\d)?$/;

function bounded(when: Extract<When, { kind: "at" }>, now: EpochMs): When {
  return when.at > now + AHEAD_MAX_DAYS * DAY_MS ? far : when;
}

const fault = (why: string): When => ({ kind: "fault", why });
const unreadable = fault('Write the time as 2026-12-31T18:30:00Z (RFC 3339) or as "in 10 min".');
const past = fault("The time lies in the past.");
const far = fault(`Mail is scheduled at most ${AHEAD_MAX_DAYS} days ahead.`);

const rfc3339 = new RegExp(
  [
    "^(\\d{4}-\\d\\d)-(\\d\\d)",
    "(?:[Tt ](\\d\\d:\\d\\d(?::\\d\\d(?:\\.\\d{1,9})?)?)",
    "([Zz]|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)?)?$",
  ].join(""),
);

/** What is told to whoever wrote none. */
export const INSTANT_FORM = "Write the time as 2026-12-31T18:30:00Z (RFC 3339).";

/** NaN when the text is no instant. What has no zone is UTC; a day without a time begins at midnight. */
export function readInstant(text: string): EpochMs {
  const match = rfc3339.exec(text);
  if (match === null) return NaN;
  const [, month, day, time = "00:00", zone = "Z"] = match;
  const midnight = Date.parse(`${month}-${day}T00:00:00Z`);
  // The runtime makes the 2nd of March of the 30th of February.
  if (new Date(midnight).getUTCDate() !== Number(day)) return NaN;
  return Date.parse(`${month}-${day}T${time}${zone.toUpperCase()}`);
}
