// What this process says of itself, in the names that every Prometheus dashboard knows. Most of it comes from /proc, where there is one.
import { readFileSync, readdirSync } from "node:fs";
import type { EpochMs } from "../base/clock.ts";
import type { ProcessFigures } from "./metrics.ts";

export function readProcessFigures(startedAt: EpochMs): ProcessFigures {
  const { user, system } = process.cpuUsage();
  const limits = fromProc(() => readFileSync("/proc/self/limits", "utf8")) ?? "";
  const status = fromProc(() => readFileSync("/proc/self/status", "utf8")) ?? "";
  return {
    process_cpu_seconds_total: (user + system) / 1_000_000,
    process_resident_memory_bytes: process.memoryUsage.rss(),
    process_virtual_memory_bytes: kibibytes(status, "VmSize"),
    process_virtual_memory_max_bytes: limitIn(limits, "Max address space"),
    process_start_time_seconds: startedAt / 1000,
    process_open_fds: fromProc(() => readdirSync("/proc/self/fd").length),
    process_max_fds: limitIn(limits, "Max open files"),
    process_threads: numberIn(status, /^Threads:\s+(\d+)$/m),
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

function numberIn(text: string, pattern: RegExp): number | null {
  const found = pattern.exec(text)?.[1];
  return found === undefined ? null : Number(found);
}

function kibibytes(status: string, name: string): number | null {
  const found = numberIn(status, new RegExp(`^${name}:\\s+(\\d+) kB$`, "m"));
  return found === null ? null : found * 1024;
}

/** The soft limit, which is the one that holds; -1 for none, as other programs say it. */
function limitIn(limits: string, name: string): number | null {
  const found = new RegExp(`^${name} +(\\d+|unlimited)`, "m").exec(limits)?.[1];
  if (found === undefined) return null;
  return found === "unlimited" ? -1 : Number(found);
}
