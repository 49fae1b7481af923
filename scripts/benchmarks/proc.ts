// What Linux knows of a process: CPU by thread, memory, bytes written (proc(5)).
import { readFileSync, readdirSync } from "node:fs";

/** USER_HZ: fixed at 100 on every Linux that we measure on. */
const TICK_US = 10_000;

export interface ThreadCpu {
  readonly tid: number;
  readonly name: string;
  readonly us: number;
}

export function threadsOf(pid: number): ThreadCpu[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((tid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/task/${tid}/stat`, "utf8");
      // The name stands in parentheses and may hold any character: what follows is counted from the
      // last one.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
      return [{ tid: Number(tid), name, us: (Number(fields[11]) + Number(fields[12])) * TICK_US }];
    } catch {
      // The thread ended between the listing and the reading.
      return [];
    }
  });
}

/** CPU of a process and all its descendants that still run or were waited for, in microseconds. */
export function treeCpuUs(pid: number): number {
  const parents = new Map<number, number[]>();
  const ownUs = new Map<number, number>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "utf8");
      const fields = stat
        .slice(stat.lastIndexOf(")") + 2)
        .split(" ")
        .map(Number);
      const [parent = 0] = fields.slice(1);
      parents.set(parent, [...(parents.get(parent) ?? []), Number(entry)]);
      ownUs.set(Number(entry), fields.slice(11, 15).reduce((sum, ticks) => sum + ticks) * TICK_US);
    } catch {
      // Ended meanwhile.
    }
  }
  const sum = (of: number): number =>
    (ownUs.get(of) ?? 0) + (parents.get(of) ?? []).reduce((total, child) => total + sum(child), 0);
  return sum(pid);
}

function field(file: string, name: string): number {
  const found = new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(readFileSync(file, "utf8"));
  return Number(found?.[1] ?? 0);
}

export function rssBytes(pid: number): number {
  return field(`/proc/${pid}/status`, "VmRSS") * 1024;
}

export function peakRssBytes(pid: number): number {
  return field(`/proc/${pid}/status`, "VmHWM") * 1024;
}

/** What was handed to the disk, as the kernel counts it. */
export function writtenBytes(pid: number): number {
  return field(`/proc/${pid}/io`, "write_bytes");
}
