// Rows of many messages, read along the key: what was accepted together lies together, and a stretch of rows costs far less than as
// many rows that are each looked up.
import type { EpochMs } from "../base/clock.ts";
import type { MessageId } from "../mail/id.ts";
import type { MessageFacts, Priority } from "../mail/message.ts";
import type { StateNumber } from "../mail/state.ts";
import type { Connection } from "./index-file.ts";

/** Rows of one statement: enough that its start costs nothing, few enough to hold. */
const ROWS_MAX = 4096;
const ROWS_MIN = 2;

export const stretchSql = {
  events: "SELECT seq, at, message, n, type FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2",
  recipients: `SELECT message, n, address, state, priority FROM recipient
    WHERE (message, n) > (?1, ?2) AND message <= ?3 ORDER BY message, n LIMIT ?4`,
  messages: `SELECT id, 0, trace, facts FROM message
    WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3`,
} as const;

/** `type` is its place in `eventTypes`. */
export type EventColumns = readonly [
  seq: number,
  at: EpochMs,
  message: MessageId,
  n: number,
  type: number,
];
type RecipientColumns = readonly [
  message: MessageId,
  n: number,
  address: string,
  state: StateNumber,
  priority: Priority,
];
type MessageColumns = readonly [id: MessageId, n: 0, trace: string | null, facts: string];

/** What a message is now. */
export interface Standing {
  readonly id: MessageId;
  readonly priority: Priority;
  readonly addresses: string[];
  /** One bit a state that a recipient is in. */
  bits: number;
}

export function createStretches({ prepare }: Connection) {
  const events = prepare(stretchSql.events);
  const recipients = prepare(stretchSql.recipients);
  const messages = prepare(stretchSql.messages);
  return {
    eventsAfter: (seq: number, limit: number) =>
      events.values(seq, limit) as unknown as EventColumns[],
    /** Of messages in ascending order; those that are gone are left out. */
    standings(ids: readonly MessageId[]): Standing[] {
      const all: Standing[] = [];
      let last: Standing | undefined;
      walk<RecipientColumns>({
        ids,
        read: (from, behind, upTo, limit) =>
          recipients.values(from, behind, upTo, limit) as unknown as RecipientColumns[],
        see([id, , address, state, priority]) {
          if (last?.id !== id) all.push((last = { id, priority, addresses: [], bits: 0 }));
          last.addresses.push(address);
          last.bits |= 1 << state;
        },
      });
      return all;
    },
    facts(
      ids: readonly MessageId[],
      see: (id: MessageId, trace: string | null, facts: MessageFacts) => void,
    ): void {
      walk<MessageColumns>({
        ids,
        read: (from, behind, upTo, limit) =>
          messages.values(behind < 0 ? from - 1 : from, upTo, limit) as unknown as MessageColumns[],
        see: ([id, , trace, facts]) => see(id, trace, JSON.parse(facts) as MessageFacts),
      });
    },
  };
}

interface Walk<Row> {
  readonly ids: readonly MessageId[];
  /** Rows behind this place, in order. */
  read(from: MessageId, behind: number, upTo: MessageId, limit: number): Row[];
  see(row: Row): void;
}

/**
 * Reads on over rows that nobody asked for as long as they are few. Where messages lie far apart, as those that were deferred do, it reads
 * a few rows at each.
 */
function walk<Row extends readonly [MessageId, number, ...unknown[]]>(walking: Walk<Row>): void {
  const { ids, read, see } = walking;
  const upTo = ids.at(-1) ?? 0;
  let next = 0;
  let limit = Math.min(ROWS_MAX, Math.max(ROWS_MIN, ids.length));
  let behind = -1;
  for (let from = ids[0]; from !== undefined;) {
    const rows = read(from, behind, upTo, limit);
    let hits = 0;
    for (const row of rows) {
      while ((ids[next] ?? Infinity) < row[0]) next++;
      if (ids[next] !== row[0]) continue;
      hits++;
      see(row);
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < limit) return;
    // The last one may have more recipients.
    behind = ids[next] === last[0] ? last[1] : -1;
    from = ids[next];
    limit = Math.min(ROWS_MAX, Math.max(ROWS_MIN, hits * 2));
  }
}
