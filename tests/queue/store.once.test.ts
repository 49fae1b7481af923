// Idempotency keys in both stores, and the bound that only a file has.
import { expect, test } from "bun:test";
import { memoryHome, sqliteHome } from "./store.homes.ts";
import { committed, NOW } from "./store.messages.ts";
import { onceConformance } from "./store.once.ts";

onceConformance("idempotency keys in memory", memoryHome);
onceConformance("idempotency keys in SQLite", () => sqliteHome({ ringFewest: 8 }));

test("beyond so many bytes the oldest requests go, whatever their age, and a restart knows the size", () => {
  const home = sqliteHome({ ringFewest: 8 });
  let store = home.open();
  const answer = "x".repeat(10_000);
  committed(
    store.transaction(() => {
      for (let i = 0; i < 20; i++) store.noteOnce({ key: `k${i}`, request: "r", answer }, NOW);
    }),
  );
  store.close();
  store = home.open();
  const trimmed = store.transaction(() =>
    store.trimOnces({ before: 0, now: NOW, bytesMax: 100_000, limit: 100 }),
  );
  expect(committed(trimmed)).toBeWithin(9, 12);
  expect(store.findOnce("k0")).toBeUndefined();
  expect(store.findOnce("k19")).toBeDefined();
  store.close();
  home.remove();
});
