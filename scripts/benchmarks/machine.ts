// What a figure is worth without: the machine that it was measured on.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly filesystem: string;
  readonly runtime: string;
  readonly revision: string;
}

export function describeMachine(folder: string): Machine {
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryBytes: totalmem(),
    kernel: release(),
    filesystem: first("stat", ["-f", "-c", "%T", folder]),
    runtime: `bun ${Bun.version}`,
    revision: first("git", ["rev-parse", "--short", "HEAD"]),
  };
}

function first(program: string, args: readonly string[]): string {
  try {
    return execFileSync(program, args, { encoding: "utf8" }).trim();
  } catch {
    // Not there: the figure stands without it.
    return "unknown";
  }
}

/** Of the last minute: a busy machine makes every figure worse. */
export function loadAverage(): number {
  return Number(readFileSync("/proc/loadavg", "utf8").split(" ")[0]);
}
