// The queue store that is shipped: SQLite in WAL with a sync at every commit. One connection writes, and it is this one.
import { join } from "node:path";
import type { EpochMs } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { type EventRow, eventTypes } from "../mail/event.ts";
import type { MessageId } from "../mail/id.ts";
import type { Priority } from "../mail/message.ts";
import { recipientStates, type StateNumber } from "../mail/state.ts";
import type { KeyStore } from "./keys.ts";
import type { RecipientState } from "./lifecycle.ts";
import { createBooks } from "./sqlite-books.ts";
import { createClaim, createWaiting } from "./sqlite-claim.ts";
import { type Failed, failureOf, isLocked } from "./sqlite-failure.ts";
import {
  fitCache,
  openDatabase,
  type Prepare,
  type RefusedWhy,
  type StoreFile,
} from "./sqlite-open.ts";
import { createGraves } from "./sqlite-dead.ts";
import { createOnces } from "./sqlite-once.ts";
import { createKeys } from "./sqlite-keys.ts";
import { createRing, type Ring } from "./sqlite-ring.ts";
import { emptyRing, readFacts } from "./sqlite-start.ts";
import { createSuppressions } from "./sqlite-suppress.ts";
import {
  type Ballast,
  createBallast,
  createForget,
  createTidy,
  WAL_BYTES_MAX,
} from "./sqlite-upkeep.ts";
import { createWalk } from "./sqlite-walk.ts";
import { createAccept, createHeldLeases, createSettle, INSERT_BODY } from "./sqlite-write.ts";
import {
  type Committed,
  type KeptAnswer,
  type QueueStore,
  type RecipientRow,
  type SiteId,
  type StoreFacts,
  UNROUTED,
} from "./store.ts";
import { createWebhooks } from "./sqlite-webhooks.ts";
import type { WebhookStore } from "./webhooks.ts";

export interface SqliteOptions {
  readonly dataDir: string;
  readonly random: Random;
  /** Given up when the disk is full. 0: none. */
  readonly ballastBytes?: number;
  /** Room for the bytes of mail that is with the senders (sqlite-ring.ts). */
  readonly ringBytes?: number;
  /** Messages of one commit from which on the ring is used. */
  readonly ringFewest?: number;
  /** Tests: so many idempotency keys make a run. */
  readonly onceRunKeys?: number;
  /** Tests: the database refuses to grow beyond so many pages, as on a full disk. */
  readonly maxPages?: number;
}

export type OpenResult =
  | { readonly kind: "opened"; readonly store: QueueStore & KeyStore & WebhookStore }
  | { readonly kind: "refused"; readonly why: RefusedWhy; readonly text: string };

const BALLAST_BYTES = 16 * 1024 * 1024;
const RING_BYTES = 64 * 1024 * 1024;
const RING_FEWEST = 8;
/** Slow messages that one commit takes out of the ring's way. */
const STRAGGLERS_A_COMMIT = 8;
/** Commits between two looks at the size of the WAL. */
const WAL_LOOK_COMMITS = 256;

export function openSqliteStore(options: SqliteOptions): OpenResult {
  const { dataDir, random, ballastBytes = BALLAST_BYTES, maxPages } = options;
  const opening = openDatabase(dataDir, maxPages);
  if (opening.kind === "refused") return opening;
  const { file } = opening;
  let ring: Ring | undefined;
  try {
    const ballast = createBallast(join(dataDir, "ballast"), ballastBytes);
    ring = createRing({
      file: join(dataDir, "postrider.ring"),
      bytes: options.ringBytes ?? RING_BYTES,
      fewest: options.ringFewest ?? RING_FEWEST,
    });
    emptyRing(file, ring, ballast);
    const facts = readFacts(file, random);
    const walFile = join(dataDir, "postrider.db-wal");
    const { onceRunKeys } = options;
    const parts = { file, facts, ballast, ring, walFile, onceRunKeys };
    return { kind: "opened", store: createStore(parts) };
  } catch (error) {
    ring?.close();
    file.close();
    const failed = failureOf(error);
    if (failed === undefined) throw error;
    return { kind: "refused", why: "io", text: failed.text };
  }
}

interface StoreParts {
  readonly file: StoreFile;
  readonly facts: StoreFacts;
  readonly ballast: Ballast;
  readonly ring: Ring;
  readonly walFile: string;
  readonly onceRunKeys: number | undefined;
}

function createStore({
  file,
  facts,
  ballast,
  ring,
  walFile,
  onceRunKeys,
}: StoreParts): QueueStore & KeyStore & WebhookStore {
  const { db, prepare } = file;
  const books = createBooks(prepare);
  const leases = createHeldLeases();
  const graves = createGraves(prepare, books);
  const sites = createSites(prepare);
  const { undoOnces, keepOnces, ...onces } = createOnces(prepare, onceRunKeys);
  const { undoSuppressions, ...suppressions } = createSuppressions(prepare, books);
  const tidying = createTidy(file, walFile);
  let claims = facts.claimBase;
  const nextClaim = (): number => ++claims;
  const putAnswer = prepare(
    "INSERT OR REPLACE INTO dns (key, answer, expires) VALUES (?1, ?2, ?3)",
  );
  const insertBody = prepare(INSERT_BODY);
  const begin = prepare("BEGIN IMMEDIATE");
  const commit = prepare("COMMIT");
  let commits = 0;
  /** What a disk holds after a write or sync that failed is not known (DESIGN 11): nothing more is written, whoever asks. */
  let broken: Failed | undefined;

  const undo = (): void => {
    if (db.inTransaction) db.run("ROLLBACK");
    books.undo();
    ring.undo();
    sites.undo();
    undoOnces();
    undoSuppressions();
  };

  const flushRing = (): void => {
    for (const [message, bytes] of ring.takeFew()) insertBody.run(message, bytes);
    for (let i = 0; i < STRAGGLERS_A_COMMIT; i++) {
      const message = ring.straggler();
      const bytes = message === undefined ? undefined : ring.read(message);
      if (message === undefined || bytes === undefined) break;
      insertBody.run(message, bytes);
      ring.drop(message);
    }
    ring.flush();
  };

  const transaction = <T>(run: () => T): Committed<T> => {
    if (broken !== undefined) return broken;
    let value: T;
    try {
      begin.run();
      value = run();
      flushRing();
      books.flush();
      commit.run();
    } catch (error) {
      undo();
      const failed = failureOf(error);
      if (failed === undefined) throw error;
      if (failed.why === "io") broken = failed;
      else if (!isLocked(error)) ballast.free();
      return failed;
    }
    books.stand();
    ring.keep();
    sites.keep();
    keepOnces();
    if (++commits % WAL_LOOK_COMMITS === 0 && tidying.walBytes() > WAL_BYTES_MAX) {
      tidying.truncateWal();
    }
    return { kind: "committed", value };
  };

  return {
    facts,
    transaction,
    accept: createAccept({ prepare, books, leases, ring }),
    settle: createSettle({ prepare, books, leases, ring, graves }),
    keep: graves.keep,
    reopen: graves.reopen,
    fade: graves.fade,
    ...createWalk(prepare),
    claim: createClaim({ prepare, books, leases, nextClaim }),
    nextClaim,
    siteId: sites.id,
    siteName: sites.name,
    remember(rows) {
      for (const { key, answer, expiresAt } of rows) putAnswer.run(key, answer, expiresAt);
    },
    forget: createForget(prepare, books, graves),
    ...onces,
    ...createKeys(prepare),
    ...createWebhooks(prepare),
    ...suppressions,
    lastEvent: books.lastSeq,
    ...createReads(prepare, ring),
    ...createWaiting(prepare),
    tally: books.tally,
    size: () => ({
      pendingBytes: books.owedBytes(),
      keptBytes: books.keptBytes(),
      databaseBytes: tidying.databaseBytes(),
      walBytes: tidying.walBytes(),
    }),
    historyBytes: () => tidying.historyBytes(books.owedBytes()),
    takeDropped: books.takeDropped,
    writeBack() {
      if (broken !== undefined) return;
      try {
        tidying.writeBack();
      } catch (error) {
        broken = failureOf(error);
        if (broken === undefined) throw error;
      }
    },
    tidy() {
      if (broken !== undefined) return false;
      ballast.restore();
      fitCache(db, tidying.databaseBytes());
      tidying.trimDns();
      if (tidying.walBytes() > WAL_BYTES_MAX) tidying.truncateWal();
      return tidying.vacuumStep();
    },
    close() {
      if (broken === undefined) {
        db.run("UPDATE meta SET value = '1' WHERE key = 'clean'");
        // The reader may still hold the file, and then closing it would leave a WAL that the next start must read.
        tidying.truncateWal();
      }
      file.close();
      ring.close();
    },
  };
}

function createReads(prepare: Prepare, ring: Ring) {
  const readBody = prepare("SELECT bytes FROM body WHERE message = ?1");
  const readRecipients =
    prepare(`SELECT n, address, state, priority, site, due, claim, attempts, timeline
    FROM recipient WHERE message = ?1 ORDER BY n`);
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

/** Site names by number and back, read once: there are as many as there are sets of mail servers. */
function createSites(prepare: Prepare) {
  const insert = prepare("INSERT INTO site (id, name) VALUES (?1, ?2)");
  const ids = new Map<string, SiteId>();
  const names = new Map<SiteId, string>();
  let last: SiteId = UNROUTED;
  for (const [id, name] of prepare("SELECT id, name FROM site ORDER BY id").values() as [
    SiteId,
    string,
  ][]) {
    ids.set(name, id);
    names.set(id, name);
    last = id;
  }
  let fresh: string[] = [];
  return {
    id(name: string): SiteId {
      const known = ids.get(name);
      if (known !== undefined) return known;
      const id = last + 1;
      insert.run(id, name);
      last = id;
      ids.set(name, id);
      names.set(id, name);
      fresh.push(name);
      return id;
    },
    name: (id: SiteId): string => names.get(id) ?? "",
    keep: () => void (fresh.length > 0 && (fresh = [])),
    undo() {
      for (const name of fresh) {
        names.delete(ids.get(name) ?? UNROUTED);
        ids.delete(name);
        last--;
      }
      fresh = [];
    },
  };
}
