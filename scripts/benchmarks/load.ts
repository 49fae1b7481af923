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
  /** `mayRefuse`: answers of 503 are part of what is measured. */
  (daemon: Daemon, count: number, mayRefuse?: boolean): Promise<LoadResult>;
  /** Messages accepted so far. */
  total(): number;
}

export function createLoad(
  options: Pick<LoadOptions, "clients" | "bodyBytes" | "sites" | "form" | "idempotency">,
): Load {
  let firstId = 0;
  let accepted = 0;
  const load = async (
    { port, key }: Daemon,
    count: number,
    mayRefuse = false,
  ): Promise<LoadResult> => {
    const wanted: LoadOptions = { ...options, port, key, count, firstId };
    firstId += count;
    const { stdout } = await run(process.execPath, [generator, JSON.stringify(wanted)]);
    const result = JSON.parse(stdout) as LoadResult;
    accepted += result.accepted;
    const refused = mayRefuse ? (result.refused["503"] ?? 0) : 0;
    if (result.accepted + refused !== count)
      throw new Error(`accepted ${result.accepted} of ${count}: ${JSON.stringify(result.refused)}`);
    return result;
  };
  return Object.assign(load, { total: () => accepted });
}
