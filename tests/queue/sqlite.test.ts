// What is SQLite's own in the store: the folder, the lock, full disks, the ring of bytes, the files' sizes.
import { Database, type Statement } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemRandom } from "../../src/base/random.ts";
import type { RecipientState } from "../../src/queue/lifecycle.ts";
import { SCHEMA_VERSION } from "../../src/queue/migrations.ts";
import { openSqliteStore, type SqliteOptions } from "../../src/queue/sqlite.ts";
import { createRing } from "../../src/queue/sqlite-ring.ts";
import { EVENT_BOUNDS } from "../../src/queue/sqlite-start.ts";
import { migrate, newEnough } from "../../src/queue/sqlite-open.ts";
import { createTidy } from "../../src/queue/sqlite-upkeep.ts";
import type { QueueStore, Settlement } from "../../src/queue/store.ts";
import { committed, delivered, idAt, message, NOW, queued } from "./store.messages.ts";

let root: string;
let dataDir: string;
let stores: QueueStore[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "postrider-sqlite-"));
  dataDir = join(root, "data");
});
afterEach(() => {
  for (const store of stores) store.close();
  stores = [];
  rmSync(root, { recursive: true, force: true });
});

function open(options: Partial<SqliteOptions> = {}): QueueStore {
  const opened = openSqliteStore({ dataDir, random: systemRandom, ballastBytes: 0, ...options });
  if (opened.kind === "refused") throw new Error(`${opened.why}: ${opened.text}`);
  stores.push(opened.store);
  return opened.store;
}

function close(store: QueueStore): void {
  store.close();
  stores = stores.filter((one) => one !== store);
}

function refusal(): string {
  const opened = openSqliteStore({ dataDir, random: systemRandom, ballastBytes: 0 });
  if (opened.kind === "refused") return opened.why;
  stores.push(opened.store);
  return "opened";
}

function leased(store: QueueStore): RecipientState {
  return { at: "sending", claim: store.nextClaim(), leaseUntil: NOW + 60_000, attempts: 0 };
}

function bytesOf(seed: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + seed) & 255);
}

const deferral: Omit<Settlement, "message" | "claim"> = {
  n: 0,
  next: { at: "deferred", dueAt: NOW, attempts: 1 },
  step: '["a"]',
  event: "email.delivery_delayed",
  at: NOW,
};

test("the folder and its files are for their owner only", () => {
  open();
  expect(statSync(dataDir).mode & 0o777).toBe(0o700);
  for (const file of ["postrider.db", "postrider.ring", "lock"]) {
    expect([file, statSync(join(dataDir, file)).mode & 0o777]).toEqual([file, 0o600]);
  }
});

test("a data folder has one daemon, until that one ends in whatever way", async () => {
  const store = open();
  expect(refusal()).toBe("in_use");
  close(store);
  const holder = Bun.spawn({
    cmd: [process.execPath, join(import.meta.dir, "hold-store.ts"), dataDir],
    stdout: "pipe",
  });
  const { value } = await holder.stdout.getReader().read();
  expect(new TextDecoder().decode(value)).toBe("open\n");
  expect(refusal()).toBe("in_use");
  holder.kill("SIGKILL");
  await holder.exited;
  expect(refusal()).toBe("opened");
  expect(stores[0]?.facts.unclean).toBe(true);
  expect(stores[0]?.recipients(idAt(NOW))).toHaveLength(1);
});

test("a newer schema and a file that is no database are refused, not touched", () => {
  close(open());
  const db = new Database(join(dataDir, "postrider.db"));
  db.run(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
  db.close();
  expect(refusal()).toBe("newer_schema");
  rmSync(dataDir, { recursive: true });
  close(open());
  writeFileSync(join(dataDir, "postrider.db"), "no database at all".repeat(1000));
  expect(refusal()).toBe("not_a_database");
});

test("a migration that fails leaves the file as it was", () => {
  const db = new Database(":memory:");
  const steps = [
    { version: 1, sql: "CREATE TABLE a (x)" },
    { version: 2, sql: "CREATE TABLE b (x); INSERT INTO missing VALUES (1)" },
  ];
  expect(() => migrate(db, 0, steps)).toThrow("missing");
  expect(db.query("SELECT name FROM sqlite_schema").values()).toEqual([["a"]]);
  expect(db.query("PRAGMA user_version").values()).toEqual([[1]]);
  db.close();
});

test("an SQLite with the WAL-reset fault is refused", () => {
  const versions = ["3.51.2", "3.51.3", "3.52.0", "4.0.0", "2.99.99", "3.9.99"];
  expect(versions.map(newEnough)).toEqual([false, true, true, true, false, false]);
});

test("the table refuses what the union of states does not know", () => {
  const store = open();
  committed(store.transaction(() => store.accept(message({ id: idAt(NOW), states: [queued()] }))));
  close(store);
  const db = new Database(join(dataDir, "postrider.db"));
  const set = (what: string) => () => db.run(`UPDATE recipient SET ${what}`);
  expect(set("due = NULL")).toThrow("CHECK");
  expect(set("claim = 5")).toThrow("CHECK");
  expect(set("state = 3")).toThrow("CHECK");
  expect(set("state = 10")).toThrow("CHECK");
  expect(set("state = 0, attempts = 1")).toThrow("CHECK");
  expect(set("address = NULL")).toThrow("NOT NULL");
  expect(set("site = 'x'")).toThrow("cannot store TEXT");
  db.close();
});

test("a full disk is an answer, nothing of the transaction stands, and room makes it work again", () => {
  let store = open({ maxPages: 60 });
  const states = [queued()];
  const body = new Uint8Array(60_000);
  const accept = (id: number) =>
    store.transaction(() => store.accept(message({ id, states, body })));
  let id = idAt(NOW);
  while (accept(id).kind === "committed") id++;
  expect(accept(id)).toMatchObject({ kind: "failed", why: "full" });
  expect(store.recipients(id)).toEqual([]);
  const before = store.tally();
  expect(before[0]?.recipients).toBe(id - idAt(NOW));
  // What is there can still be delivered and recorded.
  const request = {
    site: 0,
    priority: 1,
    limit: 1,
    bytesMax: 1,
    now: NOW,
    leaseUntil: NOW,
  } as const;
  const [first] = committed(store.transaction(() => store.claim(request)));
  const settled = store.transaction(() =>
    store.settle(delivered(first?.message ?? 0, 0, first?.claim ?? 0)),
  );
  expect(settled).toEqual({ kind: "committed", value: true });
  expect(accept(id).kind).toBe("committed");
  close(store);
  store = open();
  expect(store.facts.faults).toEqual([]);
});

test("while another program writes to the database nothing stands, and then it works again", () => {
  const store = open({ ballastBytes: 1000 });
  store.tidy();
  const other = new Database(join(dataDir, "postrider.db"));
  other.run("BEGIN IMMEDIATE");
  const accept = () => store.accept(message({ id: idAt(NOW), states: [queued()] }));
  expect(store.transaction(accept)).toMatchObject({ kind: "failed", why: "full" });
  expect(existsSync(join(dataDir, "ballast"))).toBe(true);
  other.run("ROLLBACK");
  other.close();
  expect(store.transaction(accept).kind).toBe("committed");
});

test("the ballast is made when the disk has room and given up when the disk is full", () => {
  const store = open({ ballastBytes: 100_000, maxPages: 60 });
  const ballast = join(dataDir, "ballast");
  expect(existsSync(ballast)).toBe(false);
  store.tidy();
  expect(statSync(ballast).size).toBe(100_000);
  const body = new Uint8Array(200_000);
  const result = store.transaction(() => {
    for (const i of [1, 2]) store.accept(message({ id: idAt(NOW, i), states: [queued()], body }));
  });
  expect(result.kind).toBe("failed");
  expect(existsSync(ballast)).toBe(false);
  store.tidy();
  expect(existsSync(ballast)).toBe(true);
});

test("upkeep waits while the disk is full, and anything else that fails is not hidden", () => {
  let error: Error = Object.assign(new Error("no space"), { code: "ENOSPC", syscall: "write" });
  const fail = (): never => {
    throw error;
  };
  const db = { run: fail, exec: fail } as unknown as Database;
  const prepare = () => ({ values: () => [[1_000_000]], run: fail }) as unknown as Statement;
  const tidy = createTidy({ db, prepare, close() {} }, join(root, "none"));
  expect(tidy.vacuumStep()).toBe(false);
  tidy.truncateWal();
  tidy.trimDns();
  error = new Error("a bug");
  for (const step of [tidy.vacuumStep, tidy.truncateWal, tidy.trimDns])
    expect(step).toThrow("a bug");
});

test("after a failed sync nothing more is written, whoever asks, and the end is no clean one", () => {
  const store = open();
  const failed = store.transaction(() => {
    throw Object.assign(new Error("EIO: fdatasync"), { code: "EIO", syscall: "fdatasync" });
  });
  expect(failed).toMatchObject({ kind: "failed", why: "io" });
  const accept = () => store.accept(message({ id: idAt(NOW), states: [queued()] }));
  expect(store.transaction(accept)).toEqual(failed);
  close(store);
  const next = open();
  expect(next.facts.unclean).toBe(true);
  expect(next.recipients(idAt(NOW))).toEqual([]);
});

test("lost events are told at the next start", () => {
  const store = open();
  for (let i = 0; i < 5; i++) {
    committed(
      store.transaction(() => store.accept(message({ id: idAt(NOW, i), states: [queued()] }))),
    );
  }
  close(store);
  const db = new Database(join(dataDir, "postrider.db"));
  db.run("DELETE FROM event WHERE seq = 3");
  db.close();
  expect(open().facts.faults).toEqual(["1 of the last 5 events are missing"]);
});

test("the first and the last event are found without a walk through all of them", () => {
  close(open());
  const db = new Database(join(dataDir, "postrider.db"), { readonly: true });
  const plan = db
    .query(`EXPLAIN QUERY PLAN ${EVENT_BOUNDS}`)
    .values()
    .map((row) => String(row[3]));
  expect(plan.filter((step) => step.includes("event"))).toEqual(["SEARCH event", "SEARCH event"]);
  db.close();
});

test("bytes that are with a sender are read from the ring, and never enter the table", () => {
  const store = open({ ringBytes: 100_000, ringFewest: 1 });
  const id = idAt(NOW);
  const body = bytesOf(1, 5000);
  const state = leased(store);
  committed(
    store.transaction(() => {
      store.accept(message({ id, states: [state], body }));
      expect(store.body(id)).toEqual(body);
    }),
  );
  expect(store.body(id)).toEqual(body);
  expect(bodies()).toBe(0);
  const claim = state.at === "sending" ? state.claim : 0;
  committed(store.transaction(() => store.settle(delivered(id, 0, claim))));
  expect(store.body(id)).toBeNull();
  expect(store.size().pendingBytes).toBe(0);
});

function bodies(): number {
  const db = new Database(join(dataDir, "postrider.db"), { readonly: true });
  const rows = db.query("SELECT count(*) FROM body").values();
  db.close();
  return (rows[0] as [number])[0];
}

test("a deferral, a kill and too few messages for a sync each put the bytes into the table", () => {
  const body = bytesOf(3, 5000);
  const first = open({ ringBytes: 100_000, ringFewest: 1 });
  const [deferred, killed] = [idAt(NOW, 1), idAt(NOW, 2)];
  const state = leased(first);
  committed(
    first.transaction(() => {
      first.accept(message({ id: deferred, states: [state], body }));
      first.accept(message({ id: killed, states: [leased(first)], body }));
    }),
  );
  const claim = state.at === "sending" ? state.claim : 0;
  committed(first.transaction(() => first.settle({ ...deferral, message: deferred, claim })));
  expect(bodies()).toBe(1);
  close(first);
  const second = open({ ringBytes: 100_000, ringFewest: 2 });
  expect(bodies()).toBe(2);
  const few = idAt(NOW, 3);
  committed(
    second.transaction(() => second.accept(message({ id: few, states: [leased(second)], body }))),
  );
  expect(bodies()).toBe(3);
  for (const id of [deferred, killed, few]) expect(second.body(id)).toEqual(body);
  expect(second.leases({ claimMax: second.facts.claimBase, now: 0, limit: 9 })).toHaveLength(1);
});

test("the ring goes round without touching what is still needed, whatever order it ends in", () => {
  const store = open({ ringBytes: 40_000, ringFewest: 1 });
  const held = new Map<number, { readonly body: Uint8Array; readonly claim: number }>();
  let id = idAt(NOW);
  let roll = 12345;
  const next = (below: number): number => {
    roll = (Math.imul(roll, 1103515245) + 12345) & 0x7fffffff;
    return roll % below;
  };
  for (let round = 0; round < 300; round++) {
    committed(
      store.transaction(() => {
        for (let i = next(3); i >= 0; i--) {
          const body = bytesOf(++id, 1 + next(4000));
          const state = leased(store);
          store.accept(message({ id, states: [state], body }));
          held.set(id, { body, claim: state.at === "sending" ? state.claim : 0 });
        }
        for (const [message, { claim }] of held) {
          // The first one never ends: a straggler in the ring's way.
          if (message === idAt(NOW) + 1 || next(4) > 0) continue;
          if (next(5) === 0) store.settle({ ...deferral, message, claim });
          else store.settle(delivered(message, 0, claim));
          held.delete(message);
        }
      }),
    );
    for (const [message, { body }] of held) expect(store.body(message)).toEqual(body);
  }
});

test("what cannot be read back after a kill is missing, and nothing else is", () => {
  const ring = createRing({ file: join(root, "ring"), bytes: 1000, fewest: 1 });
  expect(ring.salvage(0, 10)).toEqual(new Uint8Array(10));
  expect(ring.salvage(995, 10)).toBeUndefined();
  ring.close();
  // As a bad block: the read itself fails.
  expect(ring.salvage(0, 10)).toBeUndefined();
});

test("a failed transaction leaves the ring as it was", () => {
  const store = open({ ringBytes: 40_000, ringFewest: 1 });
  const body = bytesOf(5, 3000);
  const state = leased(store);
  const id = idAt(NOW, 1);
  committed(store.transaction(() => store.accept(message({ id, states: [state], body }))));
  const attempt = (): unknown =>
    store.transaction(() => {
      store.settle(delivered(id, 0, state.at === "sending" ? state.claim : 0));
      store.accept(message({ id: id + 1, states: [leased(store)], body: bytesOf(6, 3000) }));
      throw new Error("undo");
    });
  expect(attempt).toThrow("undo");
  expect(store.body(id)).toEqual(body);
  expect(store.body(id + 1)).toBeNull();
});

test("the file shrinks when what filled it is gone, and the WAL goes with the last one out", () => {
  const store = open();
  const body = new Uint8Array(100_000);
  committed(
    store.transaction(() => {
      for (let i = 0; i < 200; i++)
        store.accept(message({ id: idAt(NOW, i), states: [queued()], body }));
    }),
  );
  const grown = store.size().databaseBytes;
  committed(
    store.transaction(() => {
      for (let i = 0; i < 200; i++) store.settle(delivered(idAt(NOW, i), 0, null));
    }),
  );
  let steps = 0;
  while (store.tidy()) steps++;
  expect(steps).toBeGreaterThan(1);
  expect(store.size().databaseBytes).toBeLessThan(grown / 2);
  close(store);
  expect(existsSync(join(dataDir, "postrider.db-wal"))).toBe(false);
});
