// A short memory of hosts that could not bear something; bounded, and forgetting by itself.
import type { Clock } from "../base/clock.ts";
import { keepNewest } from "../base/keepNewest.ts";

export interface Memory {
  has(key: string): boolean;
  add(key: string): void;
  forget(key: string): void;
}

export function createMemory(
  clock: Pick<Clock, "monotonicMs">,
  { keepMs, entriesMax }: { readonly keepMs: number; readonly entriesMax: number },
): Memory {
  const until = new Map<string, number>();
  return {
    has: (key) => until.size > 0 && (until.get(key) ?? 0) > clock.monotonicMs(),
    add(key) {
      until.delete(key);
      until.set(key, clock.monotonicMs() + keepMs);
      keepNewest(until, entriesMax);
    },
    forget: (key) => void until.delete(key),
  };
}
