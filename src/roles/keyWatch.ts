// The API keys in the queue thread: their commands, and how much those of them owe that have a limit for it.
import type { Clock, Timer } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { KeyRecord } from "../mail/apiKey.ts";
import { createKeyDepths, type KeyDepths } from "../queue/depths.ts";
import type { KeyStore } from "../queue/keys.ts";
import type { QueueStore } from "../queue/store.ts";
import { keyHandlers } from "./handlers/keys.ts";

export interface KeyWatch {
  readonly depths: KeyDepths;
  readonly handlers: ReturnType<typeof keyHandlers>;
  /** Before the store is closed. */
  stop(): void;
}

/** Between two stretches of what an earlier process left; the first is counted at once. A million recipients take some minutes. */
const COUNT_EVERY_MS = 20;

export function watchKeys(deps: {
  readonly store: QueueStore & KeyStore;
  readonly clock: Pick<Clock, "after">;
  readonly log: Log;
  tell(keys: readonly KeyRecord[]): void;
  fatal(text: string): void;
}): KeyWatch {
  const { store, clock, log, fatal } = deps;
  const depths = createKeyDepths(store);
  let timer: Timer | undefined;
  const count = (): void => {
    timer = depths.count() ? clock.after(COUNT_EVERY_MS, count) : undefined;
  };
  const limit = (keys: readonly KeyRecord[]): void => {
    depths.limit(keys);
    timer?.cancel();
    count();
  };
  const tell = (keys: readonly KeyRecord[]): void => {
    limit(keys);
    deps.tell(keys);
  };
  limit(store.keys());
  return {
    depths,
    handlers: keyHandlers({ store, log, fatal, tell }),
    stop: () => timer?.cancel(),
  };
}
