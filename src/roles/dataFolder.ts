// What lies in the data folder, and the folder made ready before any thread starts.
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { makeFolder, syncFolder } from "../base/folder.ts";
import { systemRandom } from "../base/random.ts";

export const SPOOL_FOLDER = "spool";
export const DKIM_FOLDER = "dkim";
export const KEY_FILE = "api-key";
export const PICKUP_FOLDER = "pickup";
export const INBOX_FOLDER = "inbox";
export const CONTROL_SOCKET = "control.sock";
export const SUBMIT_SOCKET = "submit.sock";

export type Prepared =
  | { readonly kind: "ready"; readonly apiKey: string }
  | { readonly kind: "failed"; readonly text: string };

/** 192 bits; the prefix lets a leaked key be found by a search for it. */
const KEY_BYTES = 24;

export function prepareDataFolder(dataDir: string, apiKey: string | null): Prepared {
  try {
    makeFolder(dataDir);
    makeFolder(join(dataDir, SPOOL_FOLDER));
    makeFolder(join(dataDir, PICKUP_FOLDER));
    makeFolder(join(dataDir, INBOX_FOLDER));
    return { kind: "ready", apiKey: apiKey ?? firstKey(join(dataDir, KEY_FILE)) };
  } catch (error) {
    return { kind: "failed", text: (error as Error).message };
  }
}

/** Made once and kept, readable by its owner only. */
function firstKey(file: string): string {
  const known = readIfThere(file);
  if (known !== undefined) return known;
  // A crash between creating and writing leaves an empty file: it is written over.
  const key = `pr_${Buffer.from(systemRandom.bytes(KEY_BYTES)).toString("base64url")}`;
  const handle = openSync(file, "w", 0o600);
  writeSync(handle, `${key}\n`);
  fsyncSync(handle);
  closeSync(handle);
  syncFolder(dirname(file));
  return key;
}

function readIfThere(file: string): string | undefined {
  try {
    const key = readFileSync(file, "utf8").trim();
    return key === "" ? undefined : key;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
