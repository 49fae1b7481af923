// Programs that we did not write and test against. A missing one is skipped by name, or is a failure where all must be there (CI).
import { test } from "bun:test";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

export interface Peer {
  readonly name: string;
  /** Where the program is; empty when it is missing. */
  readonly path: string;
  readonly missing: boolean;
  /** Like bun:test's `test`, but skipped, and named so, while the program is missing. */
  test(name: string, run: () => void | Promise<void>, timeoutMs?: number): void;
}

// Debian installs daemons where a plain user's PATH does not look.
const FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

export function findProgram(name: string, path: string): string | undefined {
  return [...path.split(delimiter), ...FOLDERS]
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export function peer(name: string): Peer {
  const path = findProgram(name, process.env["PATH"] ?? "");
  const required = process.env["REQUIRE_PEERS"] === "1";
  return {
    name,
    path: path ?? "",
    missing: path === undefined,
    test(title, run, timeoutMs) {
      if (path !== undefined) return test(title, run, timeoutMs);
      if (!required) return test.skip(`${title} (needs ${name})`, run);
      test(title, () => {
        throw new Error(`${name} is not installed, and REQUIRE_PEERS=1 demands it`);
      });
    },
  };
}
