// Where the stores under test live: a disk in memory, and a folder.
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemRandom } from "../../src/base/random.ts";
import { createMemoryDisk } from "../../src/queue/memory.ts";
import { openSqliteStore } from "../../src/queue/sqlite.ts";
import type { QueueStore } from "../../src/queue/store.ts";

export interface StoreHome {
  open(): QueueStore;
  /** Ends the open store as a SIGKILL would, perhaps within a transaction. */
  kill(): void;
  remove(): void;
}

/** Behaviour is tested here and not the disk: where syncs cost nothing, they are not waited for. */
function quickFolder(): string {
  return existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
}

export function memoryHome(): StoreHome {
  const disk = createMemoryDisk("8123456789abcdef");
  return { open: disk.open, kill: disk.crash, remove() {} };
}

/** A kill is a copy of the folder as the kernel holds it at that moment: what SQLite finds after a SIGKILL. */
export function sqliteHome({ ringFewest }: { readonly ringFewest: number }): StoreHome {
  const root = mkdtempSync(join(quickFolder(), "postrider-store-"));
  let generation = 0;
  let killed: QueueStore[] = [];
  let store: QueueStore | undefined;
  const folder = (): string => join(root, String(generation));
  return {
    open() {
      const opened = openSqliteStore({
        dataDir: folder(),
        random: systemRandom,
        ballastBytes: 0,
        ringBytes: 40_000,
        ringFewest,
        onceRunKeys: 2,
      });
      if (opened.kind === "refused") throw new Error(opened.text);
      store = opened.store;
      return store;
    },
    kill() {
      const from = folder();
      generation++;
      cpSync(from, folder(), { recursive: true });
      if (store !== undefined) killed.push(store);
    },
    remove() {
      for (const one of killed) one.close();
      killed = [];
      rmSync(root, { recursive: true, force: true });
    },
  };
}
