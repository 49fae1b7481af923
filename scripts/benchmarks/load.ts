// Runs the generator in a process of its own against a daemon and insists that everything was
// accepted.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Daemon } from "../../tests/fixtures/daemon.ts";
import type { LoadOptions, LoadResult } from "./generator.ts";

const run = promisify(execFile);
const generator = join(import.meta.dir, "generator.ts");

export interface Load {
  (daemon: Daemon, count: number): Promise<LoadResult>;
  /** Messages so far. */
  total(): number;
}

export function createLoad(
  options: Pick<LoadOptions, "clients" | "bodyBytes" | "sites" | "form" | "idempotency">,
): Load {
  let firstId = 0;
  const load = async ({ port, key }: Daemon, count: number): Promise<LoadResult> => {
    const wanted: LoadOptions = { ...options, port, key, count, firstId };
    firstId += count;
    const { stdout } = await run(process.execPath, [generator, JSON.stringify(wanted)]);
    const result = JSON.parse(stdout) as LoadResult;
    if (result.accepted !== count)
      throw new Error(`accepted ${result.accepted} of ${count}: ${JSON.stringify(result.refused)}`);
    return result;
  };
  return Object.assign(load, { total: () => firstId });
}
