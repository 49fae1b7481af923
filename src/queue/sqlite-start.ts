// The first transactions of an opening: what the last process left is found, checked and put where it can stay.
import type { Random } from "../base/random.ts";
import { type HostTag, hostTag, type MessageId } from "../mail/id.ts";
import { failureOf } from "./sqlite-failure.ts";
import type { Prepare, StoreFile } from "./sqlite-open.ts";
import type { Ring } from "./sqlite-ring.ts";
import { TRIMMED_TO } from "./sqlite-forget.ts";
import type { Ballast } from "./sqlite-upkeep.ts";
import { INSERT_BODY } from "./sqlite-write.ts";
import { CLAIMS_PER_OPENING, type StoreFacts } from "./store.ts";

/** How many of the last events are counted at start. */
const EVENTS_CHECKED = 10_000;

/** Reads what the last process left, and takes the next block of claim numbers before anything else happens. */
export function readFacts({ db, prepare }: StoreFile, random: Random): StoreFacts {
  const read = prepare("SELECT value FROM meta WHERE key = ?1");
  const write = prepare("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)");
  const value = (key: string): string | undefined =>
    (read.values(key)[0] as [string] | undefined)?.[0];
  const epoch = Number(value("epoch") ?? "0") + 1;
  const unclean = value("clean") === "0";
  const tag: HostTag = value("tag") ?? hostTag(random.bytes(8));
  db.run("BEGIN IMMEDIATE");
  write.run("tag", tag);
  write.run("epoch", String(epoch));
  write.run("clean", "0");
  db.run("COMMIT");
  // A process that gave more claims than its block holds must leave none that looks like one of ours.
  const [lastClaim] = prepare(READ_LAST_CLAIM).values()[0] as [number];
  const [lastId] = prepare("SELECT coalesce(max(id), 0) FROM message").values()[0] as [number];
  return {
    tag,
    lastId,
    claimBase: Math.max(epoch * CLAIMS_PER_OPENING, lastClaim),
    unclean,
    faults: findFaults(prepare),
  };
}

const READ_LAST_CLAIM =
  "SELECT coalesce(max(claim), 0) FROM recipient INDEXED BY leased WHERE state = 3";

/** Asked for together, the two would be looked for in the whole table: half a second after a month. */
export const EVENT_BOUNDS = "SELECT (SELECT min(seq) FROM event), (SELECT max(seq) FROM event)";

/** Bounded: the last events are counted, since a gap there says that commits were lost (a flipped bit in the WAL does that). */
function findFaults(prepare: Prepare): string[] {
  const [first, last] = prepare(EVENT_BOUNDS).values()[0] as [number | null, number | null];
  if (first === null || last === null) return [];
  // Before that only the events of what is kept stand.
  const [trimmedTo] = prepare(`SELECT coalesce(${TRIMMED_TO}, 0)`).values()[0] as [number];
  const from = Math.max(first, trimmedTo + 1, last - EVENTS_CHECKED + 1);
  const [found] = prepare("SELECT count(*) FROM event WHERE seq >= ?1").values(from)[0] as [number];
  const missing = last - from + 1 - found;
  return missing === 0 ? [] : [`${missing} of the last ${last - from + 1} events are missing`];
}

const READ_RINGED = `SELECT DISTINCT m.id, m.ring, m.size
  FROM recipient r INDEXED BY leased CROSS JOIN message m ON m.id = r.message
  WHERE r.state = 3 AND m.ring IS NOT NULL AND NOT EXISTS (SELECT 1 FROM body b WHERE b.message = m.id)`;

/** What was with a sender when the last process ended moves into the table, and the ring begins anew. */
export function emptyRing({ db, prepare }: StoreFile, ring: Ring, ballast: Ballast): void {
  const rows = prepare(READ_RINGED).values() as [MessageId, number, number][];
  if (rows.length === 0) return;
  const insertBody = prepare(INSERT_BODY);
  const move = (): void => {
    db.run("BEGIN IMMEDIATE");
    for (const [message, offset, length] of rows) {
      // What is missing stays missing: the message is held, since nothing can be sent.
      const bytes = ring.salvage(offset, length);
      if (bytes !== undefined) insertBody.run(message, bytes);
    }
    db.run("COMMIT");
  };
  try {
    move();
  } catch (error) {
    if (db.inTransaction) db.run("ROLLBACK");
    if (failureOf(error)?.why !== "full") throw error;
    ballast.free();
    move();
  }
}
