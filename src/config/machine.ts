// What the settings' defaults depend on, and the only place that reads the process's environment. Everything here is handed to
// `loadConfig`, which is pure.
import { readFileSync, statfsSync } from "node:fs";
import { availableParallelism, hostname, homedir } from "node:os";
import { dirname } from "node:path";
import type { DkimFile } from "./dkim.ts";

/** The facts that a default or a share is reckoned from. */
export interface Machine {
  readonly cores: number;
  /** As full as it is known. */
  readonly hostname: string;
  /** How many files a process may open. */
  readonly fileLimit: number;
  /** Size of the data folder's volume. */
  readonly volumeBytes: number;
  /** Whether a person reads the log. */
  readonly terminal: boolean;
}

export type Env = Readonly<Record<string, string | undefined>>;

/** Everything outside that settings are read from. */
export interface Surroundings {
  readonly env: Env;
  readonly cwd: string;
  readonly home: string;
  readonly machine: Omit<Machine, "volumeBytes">;
  /** Undefined when there is no such file; throws when it cannot be read. */
  readFile(path: string): string | undefined;
  /** Size of the volume that holds the path, or would hold it. */
  volumeBytes(path: string): number;
  /** What is wrong with a list of relays; what their URLs mean is known to another room. */
  relayProblems(relays: string): readonly string[];
  /** What is wrong with the files of keys; what a key is is known to another room. */
  keyFaults(files: readonly DkimFile[]): KeyFaults;
}

export interface KeyFaults {
  readonly problems: readonly string[];
  /** What is allowed, but not good. */
  readonly warnings: readonly string[];
}

export function realSurroundings(
  known: Pick<Surroundings, "relayProblems" | "keyFaults">,
): Surroundings {
  return {
    env: process.env,
    cwd: process.cwd(),
    home: homedir(),
    machine: {
      cores: availableParallelism(),
      hostname: fullHostname(hostname(), readIfThere("/etc/hosts") ?? ""),
      fileLimit: openFilesMax(readIfThere("/proc/self/limits") ?? ""),
      terminal: process.stdout.isTTY === true,
    },
    readFile: readIfThere,
    volumeBytes,
    ...known,
  };
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

function volumeBytes(path: string): number {
  try {
    const { blocks, bsize } = statfsSync(path);
    return blocks * bsize;
  } catch (error) {
    const above = dirname(path);
    if (above === path) throw error;
    return volumeBytes(above);
  }
}

/** The name with its domain, as /etc/hosts has it (hosts(5): the first name of a line is the full one), else the name alone. */
export function fullHostname(name: string, hosts: string): string {
  if (name.includes(".")) return name;
  for (const line of hosts.split("\n")) {
    const names = line.replace(/#.*/, "").trim().split(/\s+/).slice(1);
    const full = names.find((other) => other.toLowerCase().startsWith(`${name.toLowerCase()}.`));
    if (full !== undefined && names.includes(name)) return full;
  }
  return name;
}

/** What POSIX promises at least is little; systems without /proc allow more, and a daemon there is for development. */
const FILE_LIMIT_UNKNOWN = 1024;

export function openFilesMax(limits: string): number {
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? FILE_LIMIT_UNKNOWN : Number(soft);
}
