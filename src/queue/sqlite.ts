// The queue store that is shipped: SQLite in WAL with a sync at every commit. One connection writes, and it is this one.
import { join } from "node:path";
import type { Random } from "../base/random.ts";
import type { KeyStore } from "./keys.ts";
import { createBooks } from "./sqlite-books.ts";
import { createClaim, createWaiting } from "./sqlite-claim.ts";
import { type Failed, failureOf, isLocked } from "./sqlite-failure.ts";
import { fitCache, openDatabase, type RefusedWhy, type StoreFile } from "./sqlite-open.ts";
import { createGraves } from "./sqlite-dead.ts";
import { createForget } from "./sqlite-forget.ts";
import { createOnces } from "./sqlite-once.ts";
import { createKeys } from "./sqlite-keys.ts";
import { createReads } from "./sqlite-reads.ts";
import { createRing, type Ring } from "./sqlite-ring.ts";
import { createSites } from "./sqlite-sites.ts";
import { emptyRing, readFacts } from "./sqlite-start.ts";
import { createSuppressions } from "./sqlite-suppress.ts";
import { type Ballast, createBallast, createTidy, WAL_BYTES_MAX } from "./sqlite-upkeep.ts";
import { createWalk } from "./sqlite-walk.ts";
import { createAccept, createHeldLeases, createSettle, INSERT_BODY } from "./sqlite-write.ts";
import type { Committed, QueueStore, StoreFacts } from "./store.ts";
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

  const failedBy = (error: unknown): Failed => {
    const failed = failureOf(error);
    if (failed === undefined) throw error;
    if (failed.why === "io") broken = failed;
    return failed;
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
      const failed = failedBy(error);
      if (failed.why === "full" && !isLocked(error)) ballast.free();
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
        failedBy(error);
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
