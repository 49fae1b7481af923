// Lets one thread stand back behind the others. Linux keeps a priority for each thread, and has it changed by its number.
import { readlinkSync } from "node:fs";
import { constants, getPriority, setPriority } from "node:os";

/** By so many steps, wherever the process stands. Tells why it could not; mail goes out without it, only less of it while the cores are busy. */
export function standBack(steps: number): string | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    const thread = Number(readlinkSync("/proc/thread-self").split("/").at(-1));
    setPriority(thread, Math.min(constants.priority.PRIORITY_LOW, getPriority(thread) + steps));
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
