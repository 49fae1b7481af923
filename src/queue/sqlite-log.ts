// A second connection to postrider.db, which writes nothing new: it copies what is committed from the log into the database.
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { failureOf } from "./sqlite-failure.ts";
import type { Failed } from "./store.ts";

export interface WriteAheadLog {
  /** What the readers' snapshots allow. Null: done, or to be tried again later. */
  writeBack(): Failed | null;
  close(): void;
}

export function openWriteAheadLog(dataDir: string): WriteAheadLog {
  const db = new Database(join(dataDir, "postrider.db"), { readwrite: true, create: false });
  // The log is synced before its pages are copied, and the database before they may be overwritten in the log.
  db.run("PRAGMA synchronous = FULL");
  db.run("PRAGMA busy_timeout = 0");
  const writeBack = db.prepare("PRAGMA wal_checkpoint(PASSIVE)");
  return {
    writeBack() {
      try {
        writeBack.values();
        return null;
      } catch (error) {
        const failed = failureOf(error);
        if (failed === undefined) throw error;
        return failed;
      }
    },
    close() {
      writeBack.finalize();
      db.close(true);
    },
  };
}
