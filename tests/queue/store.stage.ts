// The store of each test of a suite: opened before it in a home that outlives it, closed and removed after it.
import { afterEach, beforeEach } from "bun:test";
import type { EpochMs } from "../../src/base/clock.ts";
import type { Claimed, QueueStore } from "../../src/queue/store.ts";
import type { StoreHome } from "./store.homes.ts";
import { committed, NOW } from "./store.messages.ts";

/** Of p1 at the first site. */
export const everything = { site: 0, priority: 1, limit: 100, bytesMax: 1e9 } as const;

export interface Stage {
  /** The one that is open at this moment. */
  readonly store: QueueStore;
  /** In a transaction that stands. */
  act<T>(run: () => T): T;
  /** Leases `everything` that is due by then. */
  claimAll(now?: EpochMs): readonly Claimed[];
  reopen(): void;
  /** Within a transaction, too: `open` is next. */
  kill(): void;
  open(): void;
  killAndReopen(): void;
}

/** `begin` is called with each store that is opened. */
export function createStage(
  makeHome: () => StoreHome,
  begin: (store: QueueStore) => void = () => {},
): Stage {
  let home: StoreHome;
  let opened: QueueStore;
  const open = (): void => {
    opened = home.open();
    begin(opened);
  };
  const kill = (): void => home.kill();
  beforeEach(() => {
    home = makeHome();
    open();
  });
  afterEach(() => {
    opened.close();
    home.remove();
  });
  const act = <T>(run: () => T): T => committed(opened.transaction(run));
  return {
    store: new Proxy({} as QueueStore, { get: (_, verb) => opened[verb as keyof QueueStore] }),
    act,
    claimAll: (now = NOW) =>
      act(() => opened.claim({ ...everything, now, leaseUntil: now + 60_000 })),
    kill,
    open,
    reopen() {
      opened.close();
      open();
    },
    killAndReopen() {
      kill();
      open();
    },
  };
}
