// Connections that wait for their next request: a handshake costs a hundred times what the request costs. Few, and not for long, so that
// a changed DNS record counts soon and a server may move.
import type { Clock, Timer } from "../base/clock.ts";
import type { Wire } from "./wire.ts";

export interface PoolLimits {
  /** All servers together. */
  readonly idleMax: number;
  /** One server: scheme, name and port. */
  readonly idlePerOriginMax: number;
  readonly idleMs: number;
  /** Since it was opened; then the name is looked up again. */
  readonly ageMs: number;
}

export const poolDefaults: PoolLimits = {
  idleMax: 64,
  idlePerOriginMax: 8,
  idleMs: 30_000,
  ageMs: 300_000,
};

export interface Pool {
  /** The one used last, since it is the likeliest to be open still. */
  take(origin: string, mayUse: (address: string) => boolean): Wire | undefined;
  give(origin: string, wire: Wire): void;
  size(): number;
  close(): void;
}

interface Idle {
  readonly origin: string;
  readonly wire: Wire;
  readonly sinceMs: number;
}

export function createPool(clock: Clock, limits: PoolLimits = poolDefaults): Pool {
  // The longest idle first.
  let idle: Idle[] = [];
  let timer: Timer | undefined;
  let closed = false;

  const drop = (entry: Idle): void => {
    idle = idle.filter((one) => one !== entry);
    entry.wire.close();
  };
  const isFresh = ({ wire, sinceMs }: Idle, nowMs: number): boolean =>
    wire.isOpen() && nowMs - sinceMs < limits.idleMs && nowMs - wire.openedAtMs < limits.ageMs;

  function sweep(): void {
    timer = undefined;
    const nowMs = clock.monotonicMs();
    for (const entry of [...idle]) if (!isFresh(entry, nowMs)) drop(entry);
    arm();
  }

  function arm(): void {
    if (timer === undefined && idle.length > 0) timer = clock.after(limits.idleMs, sweep);
  }

  return {
    take(origin, mayUse) {
      const nowMs = clock.monotonicMs();
      for (const entry of idle.filter((one) => one.origin === origin).reverse()) {
        if (isFresh(entry, nowMs) && mayUse(entry.wire.address)) {
          idle = idle.filter((one) => one !== entry);
          return entry.wire;
        }
        drop(entry);
      }
      return undefined;
    },
    give(origin, wire) {
      if (closed || !wire.isOpen()) return wire.close();
      wire.listen(null);
      const [oldest] = idle;
      const same = idle.filter((one) => one.origin === origin);
      if (same.length >= limits.idlePerOriginMax && same[0] !== undefined) drop(same[0]);
      else if (idle.length >= limits.idleMax && oldest !== undefined) drop(oldest);
      idle.push({ origin, wire, sinceMs: clock.monotonicMs() });
      arm();
    },
    size: () => idle.length,
    close() {
      closed = true;
      timer?.cancel();
      for (const { wire } of idle.splice(0)) wire.close();
    },
  };
}
