// Opening the data folder: the lock, the pragmas, the schema. Everything that can be wrong with a folder is an answer.
import { Database, SQLiteError, type Statement } from "bun:sqlite";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { makeFolder } from "../base/folder.ts";
import { migrations, SCHEMA_VERSION } from "./migrations.ts";

/** Before it, two connections that wrote and checkpointed at once could corrupt the file (fixed 2026-03). */
const SQLITE_OLDEST = [3, 51, 3] as const;

const PAGE_BYTES = 4096;
/** In pages. From here on a commit writes the WAL back itself, since nobody has asked for it (sqlite-upkeep.ts). */
const WAL_CHECKPOINT_PAGES = 2000;
/** What a WAL is cut back to once it has been written to the database. */
const WAL_KEPT_BYTES = 64 * 1024 * 1024;
/** Where SQLite's page of locks lies, which holds no data. */
const LOCKS_AT_BYTES = 2 ** 30;
/**
 * In KiB, filled by use only; `small` while the file ends before its page of locks. There a commit that has split a page walks through
 * the whole cache: while SQLite sorts the new pages it gives one of them that page's number, and then looks for pages behind the
 * file's end. So less cache is a sixth cheaper there, and a sixth dearer in a larger file, where nothing is walked through.
 */
const CACHE_KIB = { small: 8 * 1024, large: 32 * 1024 } as const;

export type RefusedWhy = "in_use" | "newer_schema" | "old_sqlite" | "not_a_database" | "io";

/** The database's connection, with the statements that live as long as it does. */
export interface StoreFile {
  readonly db: Database;
  readonly prepare: Prepare;
  /** Ends the statements too: a connection that has one left stays open, and its WAL with it. */
  close(): void;
}

export type Prepare = (sql: string) => Statement;

export type Opening =
  | { readonly kind: "opened"; readonly file: StoreFile }
  | { readonly kind: "refused"; readonly why: RefusedWhy; readonly text: string };

export function openDatabase(dataDir: string, maxPages: number | undefined): Opening {
  if (!newEnough(sqliteVersion())) {
    return refused("old_sqlite", `SQLite ${sqliteVersion()}; ${SQLITE_OLDEST.join(".")} is needed`);
  }
  let lock: Database | undefined;
  let db: Database | undefined;
  try {
    makeFolder(dataDir);
    lock = takeLock(join(dataDir, "lock"));
    if (lock === undefined) return refused("in_use", `${dataDir} is in use by another daemon`);
    const file = join(dataDir, "postrider.db");
    db = new Database(file, { create: true, readwrite: true });
    chmodSync(file, 0o600);
    prepare(db, maxPages);
    const found = userVersion(db);
    if (found > SCHEMA_VERSION) {
      db.close();
      lock.close();
      return refused("newer_schema", `schema ${found}; this program knows ${SCHEMA_VERSION}`);
    }
    migrate(db, found);
    return { kind: "opened", file: createFile(db, lock) };
  } catch (error) {
    db?.close();
    lock?.close();
    const { code, message } = error as Error & { readonly code?: string };
    if (code === "SQLITE_NOTADB") return refused("not_a_database", message);
    return refused("io", message);
  }
}

function createFile(db: Database, lock: Database): StoreFile {
  const statements: Statement[] = [];
  return {
    db,
    prepare(sql) {
      const statement = db.prepare(sql);
      statements.push(statement);
      return statement;
    },
    close() {
      for (const statement of statements) statement.finalize();
      db.close(true);
      lock.close(true);
    },
  };
}

/** Applies what the file lacks; a step that fails leaves the file as it was before that step. */
export function migrate(db: Database, from: number, steps = migrations): void {
  for (const step of steps) {
    if (step.version <= from) continue;
    db.run("BEGIN IMMEDIATE");
    try {
      db.exec(step.sql);
      db.run(`PRAGMA user_version = ${step.version}`);
      db.run("COMMIT");
    } catch (error) {
      if (db.inTransaction) db.run("ROLLBACK");
      throw error;
    }
  }
}

function prepare(db: Database, maxPages: number | undefined): void {
  // These two count only while the file is empty, and before it becomes a WAL file.
  db.run(`PRAGMA page_size = ${PAGE_BYTES}`);
  db.run("PRAGMA auto_vacuum = INCREMENTAL");
  db.run("PRAGMA journal_mode = WAL");
  // NORMAL lost acknowledged rows in each of 90 simulated power cuts, FULL in none.
  db.run("PRAGMA synchronous = FULL");
  db.run(`PRAGMA wal_autocheckpoint = ${WAL_CHECKPOINT_PAGES}`);
  db.run(`PRAGMA journal_size_limit = ${WAL_KEPT_BYTES}`);
  fitCache(db, pageCount(db) * PAGE_BYTES);
  db.run("PRAGMA temp_store = MEMORY");
  // The writer waits for nobody; a checkpoint that a reader is in the way of is tried again later.
  db.run("PRAGMA busy_timeout = 0");
  if (maxPages !== undefined) db.run(`PRAGMA max_page_count = ${maxPages}`);
}

/** At the opening, and while the file grows and shrinks. */
export function fitCache(db: Database, fileBytes: number): void {
  const kib = fileBytes < LOCKS_AT_BYTES ? CACHE_KIB.small : CACHE_KIB.large;
  db.run(`PRAGMA cache_size = -${kib}`);
}

/**
 * A transaction held for the life of the process on a file of its own: the kernel drops it with the process, however that ends.
 * The database itself cannot be held so, since the reader opens it too.
 */
function takeLock(file: string): Database | undefined {
  const lock = new Database(file, { create: true, readwrite: true });
  try {
    chmodSync(file, 0o600);
    lock.run("PRAGMA busy_timeout = 0");
    lock.run("PRAGMA locking_mode = EXCLUSIVE");
    lock.run("BEGIN EXCLUSIVE");
    return lock;
  } catch (error) {
    lock.close();
    if (error instanceof SQLiteError && error.code === "SQLITE_BUSY") return undefined;
    throw error;
  }
}

function sqliteVersion(): string {
  const db = new Database(":memory:");
  const row = db.query("SELECT sqlite_version() AS version").get() as { version: string };
  db.close();
  return row.version;
}

export function newEnough(version: string): boolean {
  const parts = version.split(".").map(Number);
  for (const [i, least] of SQLITE_OLDEST.entries()) {
    const part = parts[i] ?? 0;
    if (part !== least) return part > least;
  }
  return true;
}

function userVersion(db: Database): number {
  return (db.query("PRAGMA user_version").get() as { user_version: number }).user_version;
}

function pageCount(db: Database): number {
  return (db.query("PRAGMA page_count").get() as { page_count: number }).page_count;
}

function refused(why: RefusedWhy, text: string): Opening {
  return { kind: "refused", why, text };
}
