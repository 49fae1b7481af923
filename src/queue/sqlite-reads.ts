// What the store tells of one message, and in order of all: read by whoever asks, and changed by nobody here.
import type { EpochMs } from "../base/clock.ts";
import { type EventRow, eventTypes } from "../mail/event.ts";
import type { MessageId } from "../mail/id.ts";
import type { Priority } from "../mail/message.ts";
import { recipientStates, type StateNumber } from "../mail/state.ts";
import type { RecipientState } from "./lifecycle.ts";
import type { Prepare } from "./sqlite-open.ts";
import type { Ring } from "./sqlite-ring.ts";
import type { KeptAnswer, RecipientRow, SiteId } from "./store.ts";

export function createReads(prepare: Prepare, ring: Pick<Ring, "has" | "read">) {
  const readBody = prepare("SELECT bytes FROM body WHERE message = ?1");
  const readRecipients =
    prepare(`SELECT n, address, state, priority, site, due, claim, attempts, timeline
    FROM recipient WHERE message = ?1 ORDER BY n`);
  const readTimeline = prepare("SELECT timeline FROM recipient WHERE message = ?1 AND n = ?2");
  const readExpiry = prepare("SELECT expires FROM message WHERE id = ?1");
  const readSchedule = prepare("SELECT due FROM message WHERE id = ?1");
  const readDialogue = prepare("SELECT packed FROM dialogue WHERE event = ?1");
  const readAnswers = prepare("SELECT key, answer, expires FROM dns ORDER BY key");
  const readAnswer = prepare("SELECT answer, expires FROM dns WHERE key = ?1");
  const readSpooled = prepare("SELECT spool FROM message WHERE spool IS NOT NULL ORDER BY spool");
  const readTrace = prepare("SELECT trace FROM message WHERE id = ?1");
  const readEvents = prepare(
    "SELECT seq, message, n, type, at, step FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2",
  );
  return {
    body: (message: MessageId): Uint8Array | null =>
      (ring.has(message) ? ring.read(message) : undefined) ??
      (readBody.values(message)[0] as [Uint8Array] | undefined)?.[0] ??
      null,
    recipients: (message: MessageId): RecipientRow[] =>
      (readRecipients.values(message) as StoredRecipient[]).map((row) => asRow(message, row)),
    timeline: (message: MessageId, n: number): string =>
      (readTimeline.values(message, n)[0] as [string] | undefined)?.[0] ?? "",
    expiresAt: (message: MessageId): EpochMs | null =>
      (readExpiry.values(message)[0] as [EpochMs | null] | undefined)?.[0] ?? null,
    scheduledAt: (message: MessageId): EpochMs =>
      (readSchedule.values(message)[0] as [EpochMs] | undefined)?.[0] ?? 0,
    traceOf: (message: MessageId): string | undefined =>
      (readTrace.values(message)[0] as [string | null] | undefined)?.[0] ?? undefined,
    events: (after: number, limit: number): EventRow[] =>
      (readEvents.values(after, limit) as [number, number, number, number, number, number][]).map(
        ([seq, message, n, type, at, step]) => ({
          seq,
          message,
          n,
          type: eventTypes[type] ?? "email.attempted",
          at,
          step,
        }),
      ),
    dialogue: (event: number): string | null =>
      (readDialogue.values(event)[0] as [string] | undefined)?.[0] ?? null,
    *recall(): Generator<KeptAnswer> {
      for (const [key, answer, expiresAt] of readAnswers.values() as [string, string, number][]) {
        yield { key, answer, expiresAt };
      }
    },
    recallOne(key: string): KeptAnswer | undefined {
      const [row] = readAnswer.values(key) as [string, number][];
      return row === undefined ? undefined : { key, answer: row[0], expiresAt: row[1] };
    },
    *spooled(): Generator<string> {
      for (const [file] of readSpooled.values() as [string][]) yield file;
    },
  };
}

type StoredRecipient = [
  n: number,
  address: string,
  state: StateNumber,
  priority: Priority,
  site: SiteId,
  due: number | null,
  claim: number,
  attempts: number,
  timeline: string,
];

function asRow(message: MessageId, row: StoredRecipient): RecipientRow {
  const [n, address, number, priority, site, due, claim, attempts, timeline] = row;
  const at = due ?? 0;
  return {
    message,
    n,
    address,
    site,
    priority,
    timeline,
    state: stateOf(number, at, claim, attempts),
  };
}

/** The reverse of the columns' meaning; the CHECKs of the table see to it that nothing else is there. */
function stateOf(
  number: StateNumber,
  due: number,
  claim: number,
  attempts: number,
): RecipientState {
  const at = recipientStates[number];
  switch (at) {
    case "scheduled":
      return { at, dueAt: due };
    case "queued":
    case "deferred":
      return { at, dueAt: due, attempts };
    case "held":
      return { at, attempts };
    case "sending":
      return { at, claim, leaseUntil: due, attempts };
    case undefined:
      throw new Error(`state ${number} of a recipient does not exist`);
    default:
      return { at, endedAt: due, attempts };
  }
}
