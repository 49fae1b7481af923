// Both stores through one suite.
import { conformance } from "./store.conformance.ts";
import { operatorConformance } from "./store.operator.ts";
import { memoryHome, sqliteHome } from "./store.homes.ts";

for (const suite of [conformance, operatorConformance]) {
  suite("the store in memory", memoryHome);
  suite("the store in SQLite", () => sqliteHome({ ringFewest: 8 }));
  suite("the store in SQLite with all bytes in the ring", () => sqliteHome({ ringFewest: 1 }));
}
