// search.db: everything in it is derived from postrider.db, so it is never repaired, only made anew: when its schema or its data
// folder's tag differs, when it cannot be read, when it is ahead of the events.
import { Database, type Statement } from "bun:sqlite";
import { chmodSync, rmSync } from "node:fs";
import type { Log } from "../base/log.ts";
import type { HostTag } from "../mail/id.ts";
import { diskFault } from "./stall.ts";

/** Raised with every change of the tables or of what is put into them: an older file is wiped. */
const INDEX_SCHEMA = 4;
/** In KiB. With 4 MB a long history takes 15 % more to index, with 16 no less. */
const CACHE_KIB = 8 * 1024;

/** The kinds of a term. `open` is by priority, `state` by the state's number; the others by the text as it is asked for. */
const termKind = {
  to: 1,
  from: 2,
  domain: 3,
  tag: 4,
  reference: 5,
  message_id: 6,
  state: 7,
  open: 8,
  trace: 9,
} as const;
export type TermKind = keyof typeof termKind;

/**
 * Kind and value as one number of 52 bits: rows of a third of the size, and keys that compare at once. Two values that share a
 * number do no harm, since each message found is checked against what is stored.
 */
export function termKey(kind: TermKind, value: string): number {
  let low = 0x811c9dc5 ^ termKind[kind];
  let high = 0x9e3779b9 + termKind[kind];
  for (let i = 0; i < value.length; i++) {
    const unit = value.charCodeAt(i);
    low = Math.imul(low ^ unit, 0x01000193);
    high = Math.imul(high ^ unit, 0x85ebca6b) ^ (high >>> 13);
  }
  return (high >>> 12) * 4294967296 + (low >>> 0);
}

/**
 * - `term` answers each filter by one range, newest message first.
 * - `known` says under which states a message stands in `term`, one bit a state, so that a change removes what it must.
 */
const SCHEMA = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE term (
  key INTEGER NOT NULL,
  message INTEGER NOT NULL,
  PRIMARY KEY (key, message)
) STRICT, WITHOUT ROWID;
CREATE TABLE known (message INTEGER PRIMARY KEY, states INTEGER NOT NULL) STRICT;
`;

export type Prepare = (sql: string) => Statement;

/** A connection and its statements, which end together: one statement left over would keep the file open. */
export interface Connection {
  readonly db: Database;
  readonly prepare: Prepare;
  close(): void;
}

export function connect(db: Database): Connection {
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
    },
  };
}

export function openStoreReadOnly(file: string): Connection {
  const db = new Database(file, { readonly: true });
  db.run("PRAGMA busy_timeout = 1000");
  db.run("PRAGMA query_only = ON");
  return connect(db);
}

export interface IndexOptions {
  readonly tag: HostTag;
  /** The last event there is. */
  readonly lastSeq: number;
  readonly log: Log;
}

export function openIndex(file: string, { tag, lastSeq, log }: IndexOptions): Connection {
  try {
    const kept = openFile(file);
    if (fits(kept, tag, lastSeq)) return connect(kept);
    kept.close(true);
  } catch (error) {
    // What cannot be read is made anew below; a second failure there is thrown. What has no room to be opened is whole.
    if (diskFault(error) !== undefined) throw error;
    log("warn", "search.unreadable", { text: String(error) });
  }
  log("info", "search.index_begins");
  for (const part of ["", "-wal", "-shm"]) rmSync(file + part, { force: true });
  const index = connect(openFile(file));
  try {
    begin(index, tag);
    return index;
  } catch (error) {
    index.close();
    throw error;
  }
}

function begin({ db, prepare }: Connection, tag: HostTag): void {
  db.exec(SCHEMA);
  const put = prepare("INSERT INTO meta (key, value) VALUES (?1, ?2)");
  put.run("schema", String(INDEX_SCHEMA));
  put.run("tag", tag);
  put.run("cursor", "0");
}

function openFile(file: string): Database {
  const db = new Database(file, { create: true, readwrite: true });
  try {
    chmodSync(file, 0o600);
    db.run("PRAGMA journal_mode = WAL");
    // A power cut costs the last batches, which are read again; the cursor goes back with them.
    db.run("PRAGMA synchronous = NORMAL");
    db.run(`PRAGMA cache_size = -${CACHE_KIB}`);
    db.run("PRAGMA journal_size_limit = 16777216");
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function fits(db: Database, tag: HostTag, lastSeq: number): boolean {
  const tables = db.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'meta'");
  const [found] = tables.values()[0] as [number];
  tables.finalize();
  if (found === 0) return false;
  const read = db.prepare(
    "SELECT value FROM meta WHERE key IN ('cursor', 'schema', 'tag') ORDER BY key",
  );
  const [cursor, schema, foundTag] = (read.values() as [string][]).map(([value]) => value);
  read.finalize();
  return schema === String(INDEX_SCHEMA) && foundTag === tag && Number(cursor) <= lastSeq;
}
