// Whether this process has file descriptors left. The runtime says "connection refused" when it has none (DESIGN 11), which would be
// held against the remote side; so they are counted whenever a connection fails.
import { readdirSync, readFileSync } from "node:fs";
import type { Clock } from "../base/clock.ts";

/** Counting costs a read of a folder with an entry for each. */
const COUNT_EVERY_MS = 1000;
/** From here on a failure may well be ours: others were closed since. */
const SCARCE_SHARE = 0.95;

export interface Descriptors {
  isScarce(): boolean;
}

export interface DescriptorSource {
  used(): number;
  limit(): number;
}

export function createDescriptors(
  clock: Pick<Clock, "monotonicMs">,
  source: DescriptorSource = linux,
): Descriptors {
  let scarce = false;
  let countedAtMono = -Infinity;
  return {
    isScarce() {
      const mono = clock.monotonicMs();
      if (mono - countedAtMono < COUNT_EVERY_MS) return scarce;
      countedAtMono = mono;
      scarce = source.used() >= source.limit() * SCARCE_SHARE;
      return scarce;
    },
  };
}

/** Elsewhere nothing is known, and nothing is suspected. */
const linux: DescriptorSource = {
  used() {
    try {
      return readdirSync("/proc/self/fd").length;
    } catch (error) {
      // With none left not even the folder can be opened.
      return (error as NodeJS.ErrnoException).code === "EMFILE" ? Infinity : 0;
    }
  },
  limit() {
    try {
      const soft = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
      return soft === undefined ? Infinity : Number(soft);
    } catch {
      return Infinity;
    }
  },
};
