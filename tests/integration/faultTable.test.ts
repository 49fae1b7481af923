// The table of faults, run against the compiled binary in a network of its own: each row is a test here, with its verdict, class, event and
// copies. `scripts/faults` runs the same rows against other senders too.
import { afterAll, beforeAll, expect } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { allCases } from "../faults/rows/all.ts";
import { OURS } from "../faults/senders/postrider.ts";
import { type Run, cellOf } from "../faults/table.ts";
import { startProcess } from "../fixtures/process.ts";
import { peer } from "../peers.ts";

const script = resolve(import.meta.dir, "..", "..", "scripts", "faults.ts");
const LIMIT_MS = 150_000;

/** A network namespace, and packets to be lost in it. */
const unshare = peer("unshare");
const mayUnshare =
  !unshare.missing &&
  spawnSync(unshare.path, ["--net", "--mount", "--map-root-user", "true"]).status === 0;
const nft = peer("nft");
const { test } = nft.missing ? nft : peer(mayUnshare ? "unshare" : "unshare with its rights");
const canRun = !nft.missing && mayUnshare;

let folder: string;
let run: Run;

beforeAll(async () => {
  if (!canRun) return;
  folder = mkdtempSync(join(tmpdir(), "postrider-fault-table-"));
  const file = join(folder, "results.json");
  const args = [script, "--ours", "--quick", "--json", file];
  const running = startProcess(process.execPath, args, { env: process.env });
  await running.exited;
  if (!existsSync(file)) throw new Error(`no results\n${running.output()}`);
  run = JSON.parse(readFileSync(file, "utf8")) as Run;
}, LIMIT_MS);
afterAll(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

for (const row of new Set(allCases.map((one) => one.row)))
  test(`${row}: ${allCases.find((one) => one.row === row)?.what ?? ""}`, () => {
    expect(cellOf(run, row, OURS)).toMatchObject({ mark: "pass", why: "" });
  });
