// Runs of keys: nothing that was put in is missed, hardly anything else is said to be there.
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { hash } from "node:crypto";
import fc from "fast-check";
import { buildRun, hashOf, mayHold, partOf, seqsIn } from "../../src/queue/once-runs.ts";
import { createOnces } from "../../src/queue/sqlite-once.ts";
import { migrate } from "../../src/queue/sqlite-open.ts";
import { sqliteHome } from "./store.homes.ts";
import { committed, NOW } from "./store.messages.ts";

test("every key of a run is found by its filter and in its part, whatever the keys are", () => {
  const keys = fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(keys, (all) => {
      const run = buildRun(all.map((key, i) => ({ key, seq: 2 ** 40 + i })));
      all.forEach((key, i) => {
        const known = hashOf(key);
        expect(mayHold(run.filter, known)).toBe(true);
        const part = run.parts[partOf(known)] as Uint8Array;
        expect(seqsIn(part, known)).toContain(2 ** 40 + i);
        // As the database may give it: in the midst of something else.
        const shifted = new Uint8Array([1, ...part]).subarray(1);
        expect(seqsIn(shifted, known)).toEqual(seqsIn(part, known));
      });
    }),
    { numRuns: 50 },
  );
});

test("a filter says of few other keys that they may be there", () => {
  const named = (word: string, i: number): string => hash("sha256", `${word}${i}`, "base64url");
  const run = buildRun(Array.from({ length: 4096 }, (_, i) => ({ key: named("in", i), seq: i })));
  let wrong = 0;
  for (let i = 0; i < 10_000; i++) if (mayHold(run.filter, hashOf(named("out", i)))) wrong++;
  expect(wrong).toBeLessThan(100);
  const sizes = run.parts.map((part) => part.length / 12);
  expect(Math.max(...sizes)).toBeLessThan(100);
});

test("a run is made also in a step that forgets, or memory would hold all keys of a busy day", () => {
  const db = new Database(":memory:");
  migrate(db, 0);
  const onces = createOnces((sql) => db.prepare(sql), 2);
  for (let i = 0; i < 4; i++) onces.noteOnce({ key: `k${i}`, request: "r", answer: "a" }, NOW + i);
  expect(onces.trimOnces({ before: NOW + 1, now: NOW, bytesMax: 1e9, limit: 1 })).toBe(1);
  expect(db.query("SELECT last FROM once_run").all()).toEqual([{ last: 3 }]);
  expect([0, 1, 2, 3].filter((i) => onces.findOnce(`k${i}`) !== undefined)).toEqual([1, 2, 3]);
});

test("keys are known wherever they lie: in memory, in runs, after a kill, and not once they are forgotten", () => {
  const home = sqliteHome({ ringFewest: 8 });
  let store = home.open();
  const act = <T>(run: () => T): T => committed(store.transaction(run));
  const trim = { before: NOW, now: NOW, bytesMax: 1e9, limit: 1000 };
  const known = (): number[] =>
    Array.from({ length: 60 }, (_, i) => i).filter((i) => store.findOnce(`k${i}`) !== undefined);
  const all = Array.from({ length: 60 }, (_, i) => i);
  for (const i of all) {
    act(() => store.noteOnce({ key: `k${i}`, request: "r", answer: "a" }, NOW + i));
    // Runs of two keys: each step makes one.
    if (i % 3 === 0) act(() => store.trimOnces(trim));
  }
  expect(known()).toEqual(all);
  const undo = (): unknown =>
    store.transaction(() => {
      store.trimOnces(trim);
      store.noteOnce({ key: "fresh", request: "r", answer: "a" }, NOW);
      throw new Error("a bug");
    });
  expect(undo).toThrow("a bug");
  expect([known(), store.findOnce("fresh")]).toEqual([all, undefined]);
  home.kill();
  store = home.open();
  expect(known()).toEqual(all);
  expect(act(() => store.trimOnces({ ...trim, before: NOW + 31 }))).toBe(31);
  expect(known()).toEqual(all.slice(31));
  expect(act(() => store.noteOnce({ key: "k0", request: "s", answer: "b" }, NOW))).toBeUndefined();
  expect(store.findOnce("k0")).toEqual({ request: "s", answer: "b" });
  expect(act(() => store.trimOnces({ ...trim, before: NOW + 99 }))).toBe(30);
  store.close();
  store = home.open();
  expect(known()).toEqual([]);
  store.close();
  home.remove();
});
