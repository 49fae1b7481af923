// When the write-ahead log goes back into the database: nobody's answer waits for it, and it does not grow without end either. And how
// many pages of both are kept in memory.
import { Database, type Statement } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemRandom } from "../../src/base/random.ts";
import { openSqliteStore } from "../../src/queue/sqlite.ts";
import { fitCache } from "../../src/queue/sqlite-open.ts";
import { createTidy } from "../../src/queue/sqlite-upkeep.ts";
import type { QueueStore } from "../../src/queue/store.ts";
import { committed, idAt, message, NOW, queued } from "./store.messages.ts";

let dataDir: string;
let store: QueueStore;
let ids = 0;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "postrider-log-"));
  const opened = openSqliteStore({ dataDir, random: systemRandom, ballastBytes: 0 });
  if (opened.kind === "refused") throw new Error(opened.text);
  store = opened.store;
});
afterEach(() => {
  store.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const reader = (): Database => new Database(join(dataDir, "postrider.db"), { readonly: true });

/** Pages of the log, and how many of them are in the database. */
function log(): { readonly pages: number; readonly written: number } {
  const db = new Database(join(dataDir, "postrider.db"));
  const [row] = db.query("PRAGMA wal_checkpoint(NOOP)").values();
  db.close();
  const [, pages, written] = row as [number, number, number];
  return { pages, written };
}

/** Some 25 pages in one commit. */
function commitPages(): void {
  const body = new Uint8Array(100_000);
  committed(
    store.transaction(() =>
      store.accept(message({ id: idAt(NOW, ids++), states: [queued()], body })),
    ),
  );
}

test("a long log is written back once it is asked for, and not by the commit that made it long", () => {
  store.writeBack();
  while (log().pages < 500) {
    expect(log().written).toBe(0);
    commitPages();
  }
  expect(log().written).toBe(0);
  store.writeBack();
  expect(log().written).toBe(log().pages);
  commitPages();
  expect(log().pages).toBeLessThan(100);
  store.writeBack();
  expect(log().written).toBe(0);
});

test("where nobody asks the commits write it back themselves", () => {
  const pages: number[] = [];
  // They begin at 2000 pages, which is 80 commits.
  while (pages.length < 120) {
    commitPages();
    pages.push(log().pages);
  }
  expect(Math.max(...pages)).toBeLessThan(2100);
});

test("what a reader was in the way of is written back by the next call", () => {
  const db = reader();
  db.run("BEGIN");
  db.query("SELECT count(*) FROM message").get();
  while (log().pages < 500) commitPages();
  store.writeBack();
  expect(log().written).toBeLessThan(100);
  db.close();
  store.writeBack();
  expect(log().written).toBe(log().pages);
});

test("a file beyond the page of its locks has the larger cache", () => {
  const db = new Database(":memory:");
  const size = () => (db.query("PRAGMA cache_size").get() as { cache_size: number }).cache_size;
  fitCache(db, 2 ** 30 - 4096);
  const small = size();
  fitCache(db, 2 ** 30);
  expect([small, size()]).toEqual([-8192, -32_768]);
  fitCache(db, 0);
  expect(size()).toBe(small);
  db.close();
});

test("a full disk leaves it as it is, and what else fails is not hidden", () => {
  let error: Error = Object.assign(new Error("no space"), { code: "ENOSPC", syscall: "write" });
  const prepare = (sql: string): Statement => {
    const values = () => {
      if (sql.includes("PASSIVE")) throw error;
      return [[0, 1_000_000, 0]];
    };
    return { values } as unknown as Statement;
  };
  const db = {} as Database;
  const tidy = createTidy({ db, prepare, close() {} }, join(dataDir, "none"));
  tidy.writeBack();
  error = Object.assign(new Error("EIO"), { code: "EIO", syscall: "fsync" });
  expect(tidy.writeBack).toThrow("EIO");
});

/** A store whose look at the length of its log meets a fault that the system names so. */
function storeWhoseLookMeets(code: string): QueueStore {
  const error = Object.assign(new Error(code), { code, syscall: "read" });
  const values = (): never => {
    throw error;
  };
  const { prepare } = Database.prototype;
  Object.assign(Database.prototype, {
    prepare(this: Database, sql: string): Statement {
      const statement = prepare.call(this, sql);
      return sql.includes("NOOP") ? Object.assign(statement, { values }) : statement;
    },
  });
  const folder = mkdtempSync(join(dataDir, "other-"));
  const opened = openSqliteStore({ dataDir: folder, random: systemRandom, ballastBytes: 0 });
  Object.assign(Database.prototype, { prepare });
  if (opened.kind === "refused") throw new Error(opened.text);
  return opened.store;
}

test("only what leaves the disk unknown ends the store: a full one has room again some day", () => {
  const [full, ill] = ["ENOSPC", "EIO"].map((code) => {
    const one = storeWhoseLookMeets(code);
    one.writeBack();
    const { kind } = one.transaction(() => {});
    one.close();
    return kind;
  });
  expect([full, ill]).toEqual(["committed", "failed"]);
});
