// The idempotency keys of the store in memory.
import type { EpochMs } from "../base/clock.ts";
import type { Once, Suppressed } from "../mail/submission.ts";
import type { Image } from "./memory-image.ts";
import { type KeptOnce, type OnceTrim, WRONG_MS } from "./store.ts";

export function createOnces(image: Image, changed: (undo: () => void) => void) {
  const { onces } = image;
  const findOnce = (key: string): KeptOnce | undefined => {
    const row = onces.get(key);
    if (row === undefined) return undefined;
    const { at: _, ...kept } = row;
    return kept;
  };
  return {
    findOnce,
    noteOnce({ key, request, answer }: Once, at: EpochMs): KeptOnce | undefined {
      const kept = findOnce(key);
      if (kept !== undefined) return kept;
      changed(() => void onces.delete(key));
      onces.set(key, { request, answer, at });
      return undefined;
    },
    suppressOnce(key: string, suppressed: Suppressed): void {
      const row = onces.get(key);
      if (row === undefined) return;
      changed(() => void onces.set(key, row));
      onces.set(key, { ...row, suppressed });
    },
    /** Memory has no bytes to bound: the simulator's requests are few. */
    trimOnces({ before, now, limit }: OnceTrim): number {
      const all = [...onces];
      changed(() => {
        onces.clear();
        for (const [key, row] of all) onces.set(key, row);
      });
      let gone = 0;
      for (const [key, row] of all.slice(0, limit)) {
        if (row.at > now + WRONG_MS) onces.set(key, { ...row, at: now });
        if (row.at >= before) break;
        onces.delete(key);
        gone++;
      }
      return gone;
    },
  };
}
