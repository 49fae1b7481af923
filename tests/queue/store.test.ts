// Both stores through one suite.
import { conformance } from "./store.conformance.ts";
import { historyConformance } from "./store.history.ts";
import { operatorConformance } from "./store.operator.ts";
import { memoryHome, sqliteHome } from "./store.homes.ts";
import { suppressConformance } from "./store.suppress.ts";

for (const suite of [conformance, historyConformance, operatorConformance, suppressConformance]) {
  suite("the store in memory", memoryHome);
  suite("the store in SQLite", () => sqliteHome({ ringFewest: 8 }));
  suite("the store in SQLite with all bytes in the ring", () => sqliteHome({ ringFewest: 1 }));
}
