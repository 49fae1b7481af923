// The same behaviour on each store: a suite is told once with disks in memory and once with SQLite.
import { afterEach, describe } from "bun:test";
import { type Bench, createBench } from "./bench.ts";
import type { StoreHome } from "./store.homes.ts";
import { memoryHome, sqliteHome } from "./store.homes.ts";

type Arguments = Parameters<typeof createBench>;
/** A bench whose store goes with the test. */
export type CreateHomed = (overrides?: Arguments[0], sources?: Arguments[2]) => Bench;

const homes: Readonly<Record<string, () => StoreHome>> = {
  memory: memoryHome,
  SQLite: () => sqliteHome({ ringFewest: 4 }),
};

export function onEachHome(suite: (create: CreateHomed) => void, what = ""): void {
  for (const [name, makeHome] of Object.entries(homes))
    describe(`${what}on ${name}`, () => {
      let home: StoreHome | undefined;
      afterEach(() => {
        home?.kill();
        home?.remove();
        home = undefined;
      });
      suite((overrides = {}, sources) => {
        home = makeHome();
        return createBench(overrides, 1, sources, { home });
      });
    });
}
