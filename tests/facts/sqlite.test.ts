// What the queue may expect of SQLite and of the disk, and what it may not.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { execFileSync } from "node:child_process";
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasRoot } from "../fixtures/postfix.ts";
import { peer } from "../peers.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "facts-sqlite-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("SQLite is at least 3.51.3, the first without the WAL reset fault", () => {
  using db = new Database(":memory:");
  const { version } = db.query("SELECT sqlite_version() AS version").get() as { version: string };
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  expect(major * 1e6 + minor * 1e3 + patch).toBeGreaterThanOrEqual(3_051_003);
});

const COMMITS = 50;

function syncsOfCommits(synchronous: string): number {
  const file = join(folder, `${synchronous}.db`);
  const program = `
    const { Database } = require("bun:sqlite");
    const db = new Database(${JSON.stringify(file)});
    db.run("PRAGMA journal_mode=WAL");
    db.run("PRAGMA synchronous=${synchronous}");
    db.run("CREATE TABLE t (a)");
    for (let i = 0; i < ${COMMITS}; i++) db.run("INSERT INTO t VALUES (1)");`;
  const trace = join(folder, `${synchronous}.trace`);
  const args = ["-f", "-o", trace, "-e", "trace=fsync,fdatasync", process.execPath, "-e", program];
  execFileSync("strace", args);
  return [...readFileSync(trace, "utf8").matchAll(/\b(?:fsync|fdatasync)\(/g)].length;
}

peer("strace").test("in WAL every commit syncs under FULL, and none does under NORMAL", () => {
  expect(syncsOfCommits("FULL")).toBeGreaterThanOrEqual(COMMITS);
  expect(syncsOfCommits("NORMAL")).toBeLessThan(COMMITS / 5);
});

peer(hasRoot() ? "mount" : "mount as root").test(
  "on a full disk UPDATE and DELETE fail as INSERT does, and a freed file mends it",
  () => {
    const small = join(folder, "small");
    mkdirSync(small);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", small]);
    try {
      writeFileSync(join(small, "ballast"), new Uint8Array(200_000));
      const db = new Database(join(small, "a.db"));
      db.run("PRAGMA journal_mode=WAL");
      db.run("PRAGMA synchronous=FULL");
      db.run("CREATE TABLE t (id INTEGER PRIMARY KEY, a)");
      db.run("INSERT INTO t VALUES (1, zeroblob(20000))");
      expect(() => {
        for (;;) db.run("INSERT INTO t (a) VALUES (zeroblob(20000))");
      }).toThrow(/full/);
      // Pages of the table must change, so that there is something to write.
      expect(() => db.run("UPDATE t SET a = zeroblob(20001)")).toThrow(/full/);
      expect(() => db.run("DELETE FROM t")).toThrow(/full|I\/O/);
      rmSync(join(small, "ballast"));
      expect(db.run("DELETE FROM t WHERE id = 1").changes).toBe(1);
      db.close();
    } finally {
      execFileSync("umount", ["-l", small]);
    }
  },
);

test("one flipped bit in a table page changes content and integrity_check says ok", () => {
  const file = join(folder, "flip.db");
  const made = new Database(file);
  made.run("CREATE TABLE t (a TEXT) STRICT");
  made.run("INSERT INTO t VALUES ('the amount is 100 euro')");
  made.close();
  const bytes = readFileSync(file);
  const at = bytes.indexOf("100 euro");
  bytes[at] = (bytes[at] ?? 0) ^ 8;
  writeFileSync(file, bytes);
  using db = new Database(file);
  expect(db.query("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  expect(db.query("SELECT a FROM t").get()).toEqual({ a: "the amount is 900 euro" });
});

test("one flipped bit in the WAL silently drops the commits behind it", () => {
  const file = join(folder, "wal.db");
  const made = new Database(file);
  made.run("PRAGMA journal_mode=WAL");
  made.run("CREATE TABLE t (a)");
  for (let i = 0; i < 10; i++) made.run("INSERT INTO t VALUES (?)", [i]);
  // As a crash leaves it: copied before the connection can tidy up.
  const copy = join(folder, "wal-copy.db");
  writeFileSync(copy, readFileSync(file));
  const wal = readFileSync(`${file}-wal`);
  wal[wal.length >> 1] = (wal[wal.length >> 1] ?? 0) ^ 1;
  writeFileSync(`${copy}-wal`, wal);
  made.close();
  using db = new Database(copy);
  expect(db.query("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
  const { n } = db.query("SELECT count(*) AS n FROM t").get() as { n: number };
  expect(n).toBeLessThan(10);
});

test("bun:sqlite has no way to interrupt a query", () => {
  using db = new Database(":memory:");
  expect("interrupt" in db).toBe(false);
});
