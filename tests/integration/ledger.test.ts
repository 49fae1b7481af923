// A few kills on every run of the tests; the long runs are `scripts/ledger --kills 200`, with and without `--idempotent`.
import { expect, test } from "bun:test";
import { resolve } from "node:path";
import { startProcess } from "../fixtures/process.ts";

const ledger = resolve(import.meta.dir, "..", "..", "scripts", "ledger.ts");

async function run(flags: readonly string[]): Promise<void> {
  const running = startProcess(process.execPath, [ledger, ...flags]);
  const code = await running.exited;
  expect([code, running.output()]).toEqual([0, running.output()]);
}

test("five kills lose nothing that was answered with 2xx, and every duplicate is marked", () =>
  run(["--kills", "5", "--seed", "7"]));

test("clients that repeat each request with its key through four kills end with one message each", () =>
  run(["--kills", "4", "--seed", "8", "--idempotent"]));
