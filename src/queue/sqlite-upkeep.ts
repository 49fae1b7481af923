// What is done beside the hot path: keeping the files small, and the ballast for the day the disk is full.
import type { Statement } from "bun:sqlite";
import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { failureOf } from "./sqlite-failure.ts";
import type { StoreFile } from "./sqlite-open.ts";

/** Free pages that are kept for what comes next, and how many go back to the disk in one step. */
const FREE_PAGES_KEPT = 2048;
const VACUUM_PAGES = 512;
/** From here on the WAL is written back and cut to nothing, as soon as no reader is in the way. */
export const WAL_BYTES_MAX = 128 * 1024 * 1024;
/**
 * In pages. From here on it is written back once the answers of a commit are out. It lasts about as long as the door has requests of
 * 64 clients to read; 1000 and 2000 pages kept it waiting for no more mail, 4000 stalled the writer for 42 ms at a time.
 */
const WRITE_BACK_PAGES = 500;
const DNS_ROWS_MAX = 50_000;

/** A queue of more large messages seems to leave less history than it does, until it is shorter. */
const SPOOLED_COUNTED_MAX = 10_000;

export function createTidy({ db, prepare }: StoreFile, walFile: string) {
  const trimDns = prepare(`DELETE FROM dns WHERE key IN
    (SELECT key FROM dns ORDER BY expires DESC LIMIT -1 OFFSET ${DNS_ROWS_MAX})`);
  const countDns = prepare("SELECT count(*) FROM dns");
  const readPageCount = prepare("PRAGMA page_count");
  const readPageSize = prepare("PRAGMA page_size");
  const readFree = prepare("PRAGMA freelist_count");
  const readLog = prepare("PRAGMA wal_checkpoint(NOOP)");
  const writeBack = prepare("PRAGMA wal_checkpoint(PASSIVE)");
  const readSpooled = prepare(`SELECT coalesce(sum(size), 0) FROM
    (SELECT size FROM message WHERE spool IS NOT NULL LIMIT ${SPOOLED_COUNTED_MAX})`);
  return {
    databaseBytes: () => numberOf(readPageCount) * numberOf(readPageSize),
    historyBytes(owedBytes: number): number {
      const used = (numberOf(readPageCount) - numberOf(readFree)) * numberOf(readPageSize);
      // What is owed lies in the database but for large messages.
      return Math.max(0, used - Math.max(0, owedBytes - numberOf(readSpooled)));
    },
    walBytes: () => statSync(walFile, { throwIfNoEntry: false })?.size ?? 0,
    truncateWal: () => unlessFull(() => db.run("PRAGMA wal_checkpoint(TRUNCATE)")),
    writeBack(): void {
      const [, pages, written] = readLog.values()[0] as [number, number, number];
      if (pages >= WRITE_BACK_PAGES && written < pages) unlessFull(() => writeBack.values());
    },
    vacuumStep(): boolean {
      const free = numberOf(readFree);
      if (free <= FREE_PAGES_KEPT) return false;
      const pages = Math.min(VACUUM_PAGES, free - FREE_PAGES_KEPT);
      const done = unlessFull(() => db.exec(`PRAGMA incremental_vacuum(${pages})`));
      return done && pages === VACUUM_PAGES;
    },
    trimDns(): void {
      const [rows] = countDns.values()[0] as [number];
      if (rows > DNS_ROWS_MAX) unlessFull(() => trimDns.run());
    },
  };
}

/** Upkeep writes too, and on a full disk it waits like everything else. False: it could not be done now. */
function unlessFull(run: () => void): boolean {
  try {
    run();
    return true;
  } catch (error) {
    if (failureOf(error)?.why !== "full") throw error;
    return false;
  }
}

function numberOf(statement: Statement): number {
  return (statement.values()[0] as [number])[0];
}

/** Bytes on the disk that are given up when it is full, so that the deliveries under way can still be recorded. */
export interface Ballast {
  free(): void;
  /** Makes it again once there is ample room. */
  restore(): void;
}

/** The disk has room again when this many times the ballast is free. */
const BALLAST_ROOM = 8;

export function createBallast(file: string, bytes: number): Ballast {
  let there = existsSync(file) && statSync(file).size === bytes;
  return {
    free() {
      rmSync(file, { force: true });
      there = false;
    },
    restore() {
      if (there || bytes === 0) return;
      const disk = statfsSync(dirname(file));
      if (disk.bavail * disk.bsize < bytes * BALLAST_ROOM) return;
      there = fill(file, bytes);
    },
  };
}

/** Real bytes that are not zero: a file with holes, or one that the file system packs, would free nothing. */
function fill(file: string, bytes: number): boolean {
  const chunk = new Uint8Array(64 * 1024);
  let noise = 0x9e3779b9;
  for (let i = 0; i < chunk.length; i++) {
    noise = (Math.imul(noise, 1664525) + 1013904223) >>> 0;
    chunk[i] = noise >>> 24;
  }
  const handle = openSync(file, "w", 0o600);
  try {
    for (let left = bytes; left > 0; left -= chunk.length) {
      writeSync(handle, chunk, 0, Math.min(left, chunk.length));
    }
    fsyncSync(handle);
    return true;
  } catch (error) {
    rmSync(file, { force: true });
    if (failureOf(error) === undefined) throw error;
    // Mail needs the room more, or the disk is ill, which the next commit finds: the ballast is tried again at the next idle moment.
    return false;
  } finally {
    closeSync(handle);
  }
}
