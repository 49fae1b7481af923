// Follows the events and writes what can be asked for into search.db, in large batches sorted by key, so that a batch walks each
// index once from left to right. It may lag, and says by how much.
import type { EpochMs } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { eventNumber, WHOLE_MESSAGE } from "../mail/event.ts";
import type { HostTag, MessageId } from "../mail/id.ts";
import { FIRST_FINAL, type StateNumber, stateNumber } from "../mail/state.ts";
import type { Connection } from "./index-file.ts";
import type { Stored } from "./stored.ts";
import { createGuard } from "./stall.ts";
import { createStretches, type EventColumns } from "./stretches.ts";
import { addFound, createTerms, type Terms } from "./terms.ts";

/** Events of one batch: so many that a page of the index is met once for many rows, so few that no answer waits long behind it. */
const BATCH_EVENTS = 8192;
/** More than this is not held back. */
const HELD_EVENTS_MAX = 100_000;
/** Rows looked at by one step of the sweep that removes what was forgotten. */
const SWEEP_ROWS = 5000;
/** A sweep begins when so many events have been forgotten since the last one. */
export const SWEEP_AFTER_EVENTS = 50_000;
/** Messages that are remembered as delivered without asking the index. */
const DELIVERED_MAX = 50_000;
/** Rows that one statement puts in. */
const PUT_ROWS = 50;

/**
 * Events younger than this wait, unless somebody asks: most mail is delivered by then, and enters the index once, under its
 * final state, instead of twice.
 */
const HOLD_MS = 1000;

const OPEN_BITS = (1 << FIRST_FINAL) - 1;
const DELIVERED = 1 << stateNumber.delivered;

const PUT_TERM = "INSERT OR IGNORE INTO term (key, message) VALUES (?, ?)";

export const followSql = {
  putTerm: PUT_TERM,
  putTerms: PUT_TERM + ", (?, ?)".repeat(PUT_ROWS - 1),
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

/** What a batch changes. */
interface Changes {
  /** The last event of it; 0: nothing is to be followed. */
  readonly last: number;
  readonly events: number;
  readonly added: Terms;
  readonly dropped: Terms;
  readonly known: readonly (readonly [MessageId, number])[];
  /** Put in as delivered without a row in `known`, before the event that says so. */
  readonly delivered: readonly MessageId[];
}

export interface Follow {
  /**
   * One batch of what happened before `now` less a moment; once it has caught up, one step of the sweep too. True: there is more to
   * do. False also while the disk has no room for it.
   */
  step(now: EpochMs): boolean;
  /** All that happened, fresh events too. */
  catchUp(now: EpochMs): void;
  /** Events that are not in the index yet. */
  lag(): number;
}

export interface FollowDeps {
  readonly store: Connection;
  readonly index: Connection;
  readonly stored: Stored;
  readonly tag: HostTag;
  readonly log: Log;
}

export function createFollow({ store, index, stored, tag, log }: FollowDeps): Follow {
  const { db, prepare } = index;
  const putMeta = prepare(followSql.putMeta);
  const readMeta = prepare(followSql.readMeta);
  const stretches = createStretches(store);
  const before = createBefore(prepare);
  const write = createWrite(prepare);
  const sweeper = createSweep(index, stored);
  const guard = createGuard(log);
  const meta = (key: string): number => {
    const [value = "0"] = (readMeta.values(key)[0] ?? []) as [value?: string];
    return Number(value);
  };
  let cursor = meta("cursor");

  const collect = (until: EpochMs): Changes => {
    const added = createTerms();
    const dropped = createTerms();
    const known: [MessageId, number][] = [];
    const delivered: MessageId[] = [];
    const read = stretches.eventsAfter(cursor, BATCH_EVENTS);
    const fresh = read.findIndex(([, at]) => at > until);
    const events = fresh === -1 ? read : read.slice(0, fresh);
    const met = metIn(events);
    const ids = [...Float64Array.from(met.keys()).sort()];
    const entering = new Map<MessageId, readonly string[]>();
    for (const { id, priority, addresses, bits } of stretches.standings(ids)) {
      const how = met.get(id) ?? 0;
      const were = (how & BORN) === 0 ? before.of(id) : undefined;
      if (bits === were) continue;
      if (were === undefined) entering.set(id, addresses);
      if (were !== undefined || bits !== DELIVERED) known.push([id, bits]);
      else if ((how & MOVED) === 0) delivered.push(id);
      eachState(bits & ~(were ?? 0), (state) => added.addState(state, id));
      eachState((were ?? 0) & ~bits, (state) => dropped.addState(state, id));
      if ((bits & OPEN_BITS) !== 0) added.addOpen(priority, id);
      else if (were !== undefined) dropped.addOpen(priority, id);
    }
    stretches.facts([...entering.keys()], (id, trace, facts) =>
      addFound(added, { id, trace, facts, addresses: entering.get(id) ?? [] }, tag),
    );
    const [last = 0] = events.at(-1) ?? [];
    return { last, events: events.length, added, dropped, known, delivered };
  };

  /** What is read of the index is read within the transaction too: outside, each row would take and give back its locks. */
  const batch = (until: EpochMs): number => {
    const { last, events, delivered } = inTransaction(db, () => {
      const changes = stored.atOnce(() => collect(until));
      if (changes.last > 0) {
        write(changes);
        putMeta.run("cursor", String(changes.last));
      }
      return changes;
    });
    if (last > 0) cursor = last;
    before.delivered(delivered);
    return events;
  };

  /** Events before the first are forgotten, with their messages. */
  const skipForgotten = (first: number): void => {
    if (cursor < first - 1) cursor = first - 1;
  };

  const step = (now: EpochMs): boolean => {
    const { first, last, wholeFrom } = stored.eventBounds();
    skipForgotten(first);
    // A clock that was set back must not hold the events of the hours before for hours.
    const until = last - cursor > HELD_EVENTS_MAX ? Infinity : now - HOLD_MS;
    if (cursor < last && batch(until) === BATCH_EVENTS) return true;
    // Beside what comes: on a busy host there is always some that is too fresh to be followed.
    if (wholeFrom - meta("swept") > SWEEP_AFTER_EVENTS) {
      putMeta.run("swept", String(wholeFrom));
      sweeper.begin();
    }
    return sweeper.step();
  };

  return {
    step: (now) => guard(now, () => step(now)) ?? false,
    catchUp(now) {
      guard(now, () => {
        const { first, last } = stored.eventBounds();
        skipForgotten(first);
        while (cursor < last && batch(Infinity) > 0);
      });
    },
    lag() {
      const { last, wholeFrom } = stored.eventBounds();
      return Math.max(0, last - Math.max(cursor, wholeFrom - 1));
    },
  };
}

const births = new Set([eventNumber["email.sent"], eventNumber["email.scheduled"]]);
/** Its acceptance is among the events of the batch: the index cannot know it. */
const BORN = 1;
/** Another event of it is among them. */
const MOVED = 2;

function metIn(events: readonly EventColumns[]): Map<MessageId, number> {
  const met = new Map<MessageId, number>();
  for (const [, , message, n, type] of events) {
    const isBirth = n === WHOLE_MESSAGE && births.has(type);
    met.set(message, (met.get(message) ?? 0) | (isBirth ? BORN : MOVED));
  }
  return met;
}

function eachState(bits: number, see: (state: StateNumber) => void): void {
  for (let state = 0; bits >> state > 0; state++) if ((bits & (1 << state)) !== 0) see(state);
}

/**
 * Under which states the index has a message. Most mail is delivered when it is met first, which is the end of it: it has no row in
 * `known`. When something is told of it nevertheless, it is put in once more, which changes nothing.
 */
function createBefore(prepare: Connection["prepare"]) {
  const readKnown = prepare(followSql.readKnown);
  const delivered = new Set<MessageId>();
  return {
    of: (id: MessageId): number | undefined =>
      delivered.has(id) ? DELIVERED : (readKnown.values(id)[0] as [number] | undefined)?.[0],
    delivered(ids: readonly MessageId[]): void {
      if (delivered.size > DELIVERED_MAX) delivered.clear();
      for (const id of ids) delivered.add(id);
    },
  };
}

function createWrite(prepare: Connection["prepare"]): (changes: Changes) => void {
  const putTerm = prepare(followSql.putTerm);
  const putTerms = prepare(followSql.putTerms);
  const dropTerm = prepare(followSql.dropTerm);
  const putKnown = prepare(followSql.putKnown);
  return ({ added, dropped, known }) => {
    dropped.each((key, id) => dropTerm.run(key, id));
    let rows: number[] = [];
    added.each((key, id) => {
      rows.push(key, id);
      if (rows.length < 2 * PUT_ROWS) return;
      putTerms.run(...rows);
      rows = [];
    });
    for (let i = 0; i < rows.length; i += 2) putTerm.run(rows[i] ?? 0, rows[i + 1] ?? 0);
    for (const [id, bits] of known) putKnown.run(id, bits);
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
