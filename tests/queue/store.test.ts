// Both stores through one suite.
import { conformance } from "./store.conformance.ts";
import { memoryHome, sqliteHome } from "./store.homes.ts";

conformance("the store in memory", memoryHome);
conformance("the store in SQLite", () => sqliteHome({ ringFewest: 8 }));
conformance("the store in SQLite with all bytes in the ring", () => sqliteHome({ ringFewest: 1 }));
