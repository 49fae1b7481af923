// Where sendmail finds the daemon and the pickup folders. It runs as any user, in any folder, with any environment: settings that this
// user may not read are as if they were not there, and a `.env` of the folder it happens to be in says nothing.
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Config, loadConfig, problemLine } from "../../config.ts";
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
  const elsewhere = { ...surroundings, cwd: "/", flags: {} };
  const tolerant = {
    ...elsewhere,
    readFile: (path: string): string | undefined => {
      try {
        return surroundings.readFile(path);
      } catch {
        return undefined;
      }
    },
  };
  const loaded = loadConfig(tolerant);
  if (loaded.kind === "bad") return loaded.problems.map(problemLine).join("\n");
  return placesOf(loaded.config, parseAliases(tolerant.readFile(ALIASES_FILE) ?? ""));
}

function placesOf({ dataDir, runtimeDir, pickupDir, hostname }: Config, aliases: Aliases): Places {
  const own = join(dataDir, "pickup");
  return {
    sockets: [join(dataDir, "control.sock"), join(runtimeDir, "submit.sock")],
    pickup: pickupDir === null ? [own] : [own, pickupDir],
    hostname,
    tempDir: tmpdir(),
    aliases,
  };
}
