// Follows the events and writes what can be asked for into search.db, in large batches sorted by key, so that a batch walks each
// index once from left to right. It may lag, and says by how much.
import type { EpochMs } from "../base/clock.ts";
import { type MessageId, uuidOf, type HostTag } from "../mail/id.ts";
import { domainOf } from "../mail/message.ts";
import { FIRST_FINAL, recipientStates } from "../mail/state.ts";
import { traceIdOf } from "../mail/traceContext.ts";
import { type Connection, termKey, type TermKind } from "./index-file.ts";
import type { Stored } from "./stored.ts";

/** Events of one batch: large enough to sort, short enough that an answer need not wait long behind it. */
const BATCH_EVENTS = 4096;
/** More than this is not held back. */
const HELD_EVENTS_MAX = 50_000;
/** Rows looked at by one step of the sweep that removes what was forgotten. */
const SWEEP_ROWS = 5000;
/** A sweep begins when so many events have been forgotten since the last one. */
const SWEEP_AFTER_EVENTS = 50_000;

/**
 * Events younger than this wait, unless somebody asks: most mail is delivered by then, and enters the index once, under its
 * final state, instead of twice.
 */
const HOLD_MS = 1000;

const OPEN_BITS = (1 << FIRST_FINAL) - 1;

export const followSql = {
  putTerm: "INSERT OR IGNORE INTO term (key, message) VALUES (?1, ?2)",
  dropTerm: "DELETE FROM term WHERE key = ?1 AND message = ?2",
  readKnown: "SELECT states FROM known WHERE message = ?1",
  putKnown: "INSERT OR REPLACE INTO known (message, states) VALUES (?1, ?2)",
  dropKnown: "DELETE FROM known WHERE message = ?1",
  readMeta: "SELECT value FROM meta WHERE key = ?1",
  putMeta: "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)",
  sweep: `SELECT key, message FROM term WHERE (key, message) > (?1, ?2)
    ORDER BY key, message LIMIT ?3`,
} as const;

type Term = readonly [key: number, message: MessageId];

export interface Follow {
  /**
   * One batch of what happened before `now` less a moment, or one step of the sweep when there is nothing to follow. True:
   * there is more to do.
   */
  step(now: EpochMs): boolean;
  /** One batch, fresh events too. */
  catchUp(): void;
  /** Events that are not in the index yet. */
  lag(): number;
}

export function createFollow(index: Connection, stored: Stored, tag: HostTag): Follow {
  const { db, prepare } = index;
  const putTerm = prepare(followSql.putTerm);
  const dropTerm = prepare(followSql.dropTerm);
  const readKnown = prepare(followSql.readKnown);
  const putKnown = prepare(followSql.putKnown);
  const readMeta = prepare(followSql.readMeta);
  const putMeta = prepare(followSql.putMeta);
  const sweeper = createSweep(index, stored);
  const meta = (key: string): number =>
    Number((readMeta.values(key)[0] as [string] | undefined)?.[0] ?? "0");
  let cursor = meta("cursor");

  const collect = (until: EpochMs) => {
    const added: Term[] = [];
    const dropped: Term[] = [];
    const known: [MessageId, number][] = [];
    const read = stored.eventsAfter(cursor, BATCH_EVENTS);
    const fresh = read.findIndex((event) => event.at > until);
    const events = fresh === -1 ? read : read.slice(0, fresh);
    for (const id of [...new Set(events.map((event) => event.message))].sort((a, b) => a - b)) {
      const before = (readKnown.values(id)[0] as [number] | undefined)?.[0];
      const recipients = stored.brief(id);
      const bits = recipients.reduce((sum, [, state]) => sum | (1 << state), 0);
      if (bits === 0 || bits === before) continue;
      known.push([id, bits]);
      const message = before === undefined ? stored.message(id) : undefined;
      if (message !== undefined) added.push(...termsOf(message, recipients, tag));
      added.push(...stateTerms(id, bits & ~(before ?? 0)));
      dropped.push(...stateTerms(id, (before ?? 0) & ~bits));
      const open = (bits & OPEN_BITS) !== 0;
      if (!open && before === undefined) continue;
      const priority = (message ?? stored.message(id))?.priority ?? 1;
      (open ? added : dropped).push([termKey("open", String(priority)), id]);
    }
    return { last: events.at(-1)?.seq ?? 0, count: events.length, added, dropped, known };
  };

  /** What is read of the index is read within the transaction too: outside, each row would take and give back its locks. */
  const batch = (until: EpochMs): number => {
    const { last, count } = inTransaction(db, () => {
      const collected = stored.atOnce(() => collect(until));
      if (collected.last > 0) write(collected);
      return collected;
    });
    if (last > 0) cursor = last;
    return count;
  };

  const write = ({ last, added, dropped, known }: ReturnType<typeof collect>): void => {
    for (const term of dropped.sort(byKey)) dropTerm.run(...term);
    for (const term of added.sort(byKey)) putTerm.run(...term);
    for (const [id, bits] of known) putKnown.run(id, bits);
    putMeta.run("cursor", String(last));
  };

  /** Events before the first are forgotten, with their messages. */
  const skipForgotten = (first: number): void => {
    if (cursor < first - 1) cursor = first - 1;
  };

  return {
    step(now) {
      const { first, last, wholeFrom } = stored.eventBounds();
      skipForgotten(first);
      // A clock that was set back must not hold the events of the hours before for hours.
      const until = last - cursor > HELD_EVENTS_MAX ? Infinity : now - HOLD_MS;
      if (cursor < last) return batch(until) === BATCH_EVENTS || sweeper.busy();
      if (wholeFrom - meta("swept") > SWEEP_AFTER_EVENTS) {
        putMeta.run("swept", String(wholeFrom));
        sweeper.begin();
      }
      return sweeper.step();
    },
    catchUp() {
      skipForgotten(stored.eventBounds().first);
      batch(Infinity);
    },
    lag() {
      const { last, wholeFrom } = stored.eventBounds();
      return Math.max(0, last - Math.max(cursor, wholeFrom - 1));
    },
  };
}

/** Removes the terms of messages that are gone, a bounded stretch at a time; a lookup ignores them until then. */
function createSweep({ db, prepare }: Connection, stored: Stored) {
  const read = prepare(followSql.sweep);
  const dropTerm = prepare(followSql.dropTerm);
  const dropKnown = prepare(followSql.dropKnown);
  let at: Term | undefined;
  return {
    begin: () => void (at = [0, 0]),
    busy: () => at !== undefined,
    step(): boolean {
      if (at === undefined) return false;
      const rows = read.values(...at, SWEEP_ROWS) as unknown as Term[];
      const gone = rows.filter(([, id]) => stored.stateBits(id) === 0);
      inTransaction(db, () => {
        for (const term of gone) {
          dropTerm.run(...term);
          dropKnown.run(term[1]);
        }
      });
      at = rows.length === SWEEP_ROWS ? rows.at(-1) : undefined;
      return at !== undefined;
    },
  };
}

function termsOf(
  { id, facts, trace }: NonNullable<ReturnType<Stored["message"]>>,
  recipients: ReturnType<Stored["brief"]>,
  tag: HostTag,
): Term[] {
  const terms: Term[] = [];
  const add = (kind: TermKind, value: string): void => void terms.push([termKey(kind, value), id]);
  for (const [address] of recipients) {
    add("to", address.toLowerCase());
    add("domain", domainOf(address).toLowerCase());
  }
  add("from", bareAddress(facts.from));
  for (const { name, value } of facts.tags) {
    add("tag", name);
    add("tag", `${name}=${value}`);
  }
  if (facts.reference !== null) add("reference", facts.reference);
  // A trace id of our own is the message's UUID.
  if (trace !== null) add("trace", traceIdOf(id, tag, trace));
  // The id that we made up ourselves holds the message's own UUID: it is found without a row.
  if (!facts.message_id.includes(uuidOf(id, tag))) add("message_id", facts.message_id);
  return terms;
}

/** `Name <a@b.example>` and `a@b.example` are the same sender. */
export function bareAddress(mailbox: string): string {
  const inner = /<([^<>]*)>\s*$/.exec(mailbox)?.[1] ?? mailbox;
  return inner.trim().toLowerCase();
}

function stateTerms(id: MessageId, bits: number): Term[] {
  return recipientStates.flatMap((_, number): Term[] =>
    (bits & (1 << number)) === 0 ? [] : [[termKey("state", String(number)), id]],
  );
}

function byKey(a: Term, b: Term): number {
  return a[0] - b[0] || a[1] - b[1];
}

function inTransaction<T>(db: Connection["db"], run: () => T): T {
  db.run("BEGIN IMMEDIATE");
  try {
    const value = run();
    db.run("COMMIT");
    return value;
  } catch (error) {
    if (db.inTransaction) db.run("ROLLBACK");
    throw error;
  }
}
