// The index cannot be written, or what it is made from cannot be read: no room on the disk, or a fault of it. Nothing is lost by that:
// lists lack what came since, and the index goes on where it stood.
import { SQLiteError } from "bun:sqlite";
import type { EpochMs } from "../base/clock.ts";
import type { Log } from "../base/log.ts";

/** So long nothing is tried after a failure: each try is a whole batch. */
const RETRY_AFTER_MS = 10_000;

/** Undefined: no fault of the disk, but a bug, or an index that must be made anew. */
export function diskFault(error: unknown): string | undefined {
  if (!(error instanceof SQLiteError)) return undefined;
  const isDisk = /^SQLITE_(FULL|IOERR)/.test(error.code ?? "");
  return isDisk ? `${error.code}: ${error.message}` : undefined;
}

/** Runs what opens or writes the index; undefined: it stalls. */
export type Guard = <T>(now: EpochMs, run: () => T) => T | undefined;

export function createGuard(log: Log): Guard {
  let failedAt: EpochMs | undefined;
  return (now, run) => {
    if (failedAt !== undefined && Math.abs(now - failedAt) < RETRY_AFTER_MS) return undefined;
    try {
      const value = run();
      if (failedAt !== undefined) log("info", "search.resumed");
      failedAt = undefined;
      return value;
    } catch (error) {
      const text = diskFault(error);
      if (text === undefined) throw error;
      if (failedAt === undefined) log("warn", "search.stalled", { text });
      failedAt = now;
      return undefined;
    }
  };
}
