// Names that survive a power cut: a new file or folder is there afterwards only if the folder that holds its name was synced.
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { dirname, resolve } from "node:path";

export function syncFolder(folder: string): void {
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Makes the folder and those above it, for their owner only, and their names lasting. */
export function makeFolder(folder: string): void {
  const first = mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700);
  if (first === undefined) return;
  const outermost = dirname(resolve(first));
  for (let at = resolve(folder); at !== outermost; at = dirname(at)) syncFolder(dirname(at));
}
