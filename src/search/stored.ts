// Reading postrider.db: messages, recipients and events as the queue stored them. Each statement is one short snapshot.
import type { Statement } from "bun:sqlite";
import type { EpochMs } from "../base/clock.ts";
import { type EventRow, eventTypes } from "../mail/event.ts";
import type { HostTag, MessageId } from "../mail/id.ts";
import type { MessageFacts, Priority } from "../mail/message.ts";
import { FIRST_FINAL, recipientStates, type StateName } from "../mail/state.ts";
import { type Step, unpackTimeline } from "../mail/timeline.ts";
import type { Connection } from "./index-file.ts";

export interface StoredMessage {
  readonly id: MessageId;
  readonly sender: string;
  readonly priority: Priority;
  readonly dueAt: EpochMs;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly spool: string | null;
  /** Where the bytes were put while a sender has them: an offset in postrider.ring, where others may lie by now. */
  readonly ring: number | null;
  /** What its request carried of a trace (mail/traceContext.ts); null: its own id is its trace's. */
  readonly trace: string | null;
  readonly facts: MessageFacts;
}

export interface StoredRecipient {
  readonly n: number;
  readonly address: string;
  readonly state: StateName;
  /** Waiting: not before; null while it does not wait for time. */
  readonly dueAt: EpochMs | null;
  readonly attempts: number;
  readonly steps: readonly Step[];
}

/** Numbers of events; 0 when there is none. */
export interface EventBounds {
  readonly first: number;
  readonly last: number;
  /** From here on none has been forgotten; before it stand those of messages that are kept. */
  readonly wholeFrom: number;
}

/** Exported for the test that no statement walks through a whole table. */
export const storedSql = {
  message: `SELECT id, sender, priority, due, size, sha256, spool, ring, trace, facts FROM message WHERE id = ?1`,
  recipients: `SELECT n, address, state, due, attempts, timeline FROM recipient WHERE message = ?1 ORDER BY n`,
  states: "SELECT state FROM recipient WHERE message = ?1",
  eventNumbers: `SELECT '' || event FROM message WHERE id = ?1
    UNION ALL SELECT events FROM recipient WHERE message = ?1`,
  body: "SELECT bytes FROM body WHERE message = ?1",
  hasBody: "SELECT 1 FROM body WHERE message = ?1",
  event: "SELECT seq, message, n, type, at, step FROM event WHERE seq = ?1",
  dialogue: "SELECT packed FROM dialogue WHERE event = ?1",
  eventsAfter:
    "SELECT seq, message, n, type, at, step FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2",
  bounds: `SELECT (SELECT min(seq) FROM event), (SELECT max(seq) FROM event),
    (SELECT CAST(value AS INTEGER) + 1 FROM meta WHERE key = 'events_trimmed_to')`,
  newest: "SELECT id FROM message WHERE id > ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
  oldest: "SELECT id FROM message WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3",
  sendingNewest: `SELECT DISTINCT message FROM recipient INDEXED BY leased
    WHERE state = 3 AND message > ?1 AND message < ?2 ORDER BY message DESC LIMIT ?3`,
  sendingOldest: `SELECT DISTINCT message FROM recipient INDEXED BY leased
    WHERE state = 3 AND message > ?1 AND message < ?2 ORDER BY message LIMIT ?3`,
  tally: "SELECT state, priority, recipients FROM tally WHERE recipients > 0",
  tag: "SELECT value FROM meta WHERE key = 'tag'",
} as const;

type MessageColumns = [
  id: MessageId,
  sender: string,
  priority: Priority,
  dueAt: EpochMs,
  sizeBytes: number,
  sha256: string,
  spool: string | null,
  ring: number | null,
  trace: string | null,
  facts: string,
];
type EventColumns = [
  seq: number,
  message: MessageId,
  n: number,
  type: number,
  at: EpochMs,
  step: number,
];

export function createStored({ prepare }: Connection) {
  const message = prepare(storedSql.message);
  const recipients = prepare(storedSql.recipients);
  const states = prepare(storedSql.states);
  const begin = prepare("BEGIN");
  const end = prepare("COMMIT");
  const eventNumbers = prepare(storedSql.eventNumbers);
  const body = prepare(storedSql.body);
  const hasBody = prepare(storedSql.hasBody);
  const event = prepare(storedSql.event);
  const dialogue = prepare(storedSql.dialogue);
  const eventsAfter = prepare(storedSql.eventsAfter);
  const bounds = prepare(storedSql.bounds);
  const newest = prepare(storedSql.newest);
  const oldest = prepare(storedSql.oldest);
  const sendingNewest = prepare(storedSql.sendingNewest);
  const sendingOldest = prepare(storedSql.sendingOldest);
  const tally = prepare(storedSql.tally);
  const tag = prepare(storedSql.tag);
  return {
    tag: (): HostTag => (tag.values()[0] as [string])[0],
    message(id: MessageId): StoredMessage | undefined {
      const row = message.values(id)[0] as MessageColumns | undefined;
      if (row === undefined) return undefined;
      const [, sender, priority, dueAt, sizeBytes, sha256, spool, ring, trace] = row;
      const facts = JSON.parse(row[9]) as MessageFacts;
      return { id, sender, priority, dueAt, sizeBytes, sha256, spool, ring, trace, facts };
    },
    recipients: (id: MessageId): StoredRecipient[] =>
      (recipients.values(id) as [number, string, number, EpochMs | null, number, string][]).map(
        ([n, address, number, due, attempts, timeline]) => {
          const state = recipientStates[number] ?? "queued";
          const waits = number < FIRST_FINAL && state !== "sending";
          return {
            n,
            address,
            state,
            dueAt: waits ? due : null,
            attempts,
            steps: unpackTimeline(timeline),
          };
        },
      ),
    /** One bit a state that a recipient of this message is in; 0 for an unknown message. */
    stateBits: (id: MessageId): number =>
      (states.values(id) as [number][]).reduce((bits, [state]) => bits | (1 << state), 0),
    body: (id: MessageId): Uint8Array | null =>
      (body.values(id)[0] as [Uint8Array] | undefined)?.[0] ?? null,
    hasBody: (id: MessageId): boolean => hasBody.values(id).length > 0,
    /** One snapshot for many questions: between statements of their own, each commit of the queue would empty the page cache. */
    atOnce<T>(run: () => T): T {
      begin.run();
      try {
        return run();
      } finally {
        end.run();
      }
    },
    /** In order; those that were forgotten are left out. */
    eventsOf(id: MessageId, limit: number): EventRow[] {
      const texts = (eventNumbers.values(id) as [string][]).flatMap(([text]) => text.split(","));
      const numbers = texts.filter((text) => text !== "").map(Number);
      return numbers
        .sort((a, b) => a - b)
        .slice(0, limit)
        .flatMap((seq) => (event.values(seq) as EventColumns[]).map(asEvent));
    },
    /** What was said in the attempt that this event tells, packed. */
    dialogue: (seq: number): string | undefined =>
      (dialogue.values(seq)[0] as [string] | undefined)?.[0],
    eventsAfter: (seq: number, limit: number): EventRow[] =>
      (eventsAfter.values(seq, limit) as EventColumns[]).map(asEvent),
    eventBounds(): EventBounds {
      const [first, last, whole] = bounds.values()[0] as (number | null)[];
      return { first: first ?? 0, last: last ?? 0, wholeFrom: Math.max(first ?? 0, whole ?? 0) };
    },
    /** Messages of any state between two ids, which are left out. */
    ids: ranged(newest, oldest),
    /** Messages with a recipient that is leased. */
    sendingIds: ranged(sendingNewest, sendingOldest),
    tally: () =>
      (tally.values() as [number, Priority, number][]).map(([state, priority, count]) => ({
        state: recipientStates[state] ?? "queued",
        priority,
        recipients: count,
      })),
  };
}

export type Order = "newest" | "oldest";
export type IdRange = (
  above: MessageId,
  below: MessageId,
  limit: number,
  order: Order,
) => MessageId[];

function ranged(newest: Statement, oldest: Statement): IdRange {
  return (above, below, limit, order) => {
    const rows = (order === "newest" ? newest : oldest).values(above, below, limit);
    return (rows as [MessageId][]).map(([id]) => id);
  };
}

export type Stored = ReturnType<typeof createStored>;

function asEvent([seq, message, n, type, at, step]: EventColumns): EventRow {
  return { seq, message, n, type: eventTypes[type] ?? "email.attempted", at, step };
}
