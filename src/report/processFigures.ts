// What this process says of itself, in the names that every Prometheus dashboard knows. File counts come from /proc, where there
// is one.
import { readFileSync, readdirSync } from "node:fs";
import type { EpochMs } from "../base/clock.ts";
import type { ProcessFigures } from "./metrics.ts";

export function readProcessFigures(startedAt: EpochMs): ProcessFigures {
  const { user, system } = process.cpuUsage();
  return {
    cpuSeconds: (user + system) / 1_000_000,
    residentBytes: process.memoryUsage.rss(),
    startSeconds: startedAt / 1000,
    openFiles: fromProc(() => readdirSync("/proc/self/fd").length),
    maxFiles: fromProc(() => {
      const limits = readFileSync("/proc/self/limits", "utf8");
      const soft = /^Max open files +(\d+)/m.exec(limits)?.[1];
      return soft === undefined ? null : Number(soft);
    }),
  };
}

/** Null on systems without /proc. */
function fromProc<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
