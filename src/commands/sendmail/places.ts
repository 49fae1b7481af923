// Where sendmail finds the daemon and the pickup folders. It runs as any user, in any folder, with any environment: a `.env` of the
// folder it happens to be in says nothing.
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Folders, loadFolders, problemLine } from "../../config.ts";
import type { CliDeps } from "../deps.ts";
import { type Aliases, ALIASES_FILE, parseAliases } from "./aliases.ts";

export interface Places {
  /** In the order in which they are tried. */
  readonly sockets: readonly string[];
  readonly pickup: readonly string[];
  readonly hostname: string;
  readonly tempDir: string;
  readonly aliases: Aliases;
}

/** A text says what is wrong with the settings. */
export function findPlaces({ surroundings }: CliDeps): Places | string {
  const loaded = loadFolders({ ...surroundings, cwd: "/", flags: {} });
  if (loaded.kind === "bad") return loaded.problems.map(problemLine).join("\n");
  return placesOf(loaded.folders, aliasesOf(surroundings));
}

function aliasesOf({ readFile }: CliDeps["surroundings"]): Aliases {
  try {
    return parseAliases(readFile(ALIASES_FILE) ?? "");
  } catch {
    return parseAliases("");
  }
}

function placesOf({ dataDir, runtimeDir, pickupDir, hostname }: Folders, aliases: Aliases): Places {
  const own = join(dataDir, "pickup");
  return {
    sockets: [join(dataDir, "control.sock"), join(runtimeDir, "submit.sock")],
    pickup: pickupDir === null ? [own] : [own, pickupDir],
    hostname,
    tempDir: tmpdir(),
    aliases,
  };
}
