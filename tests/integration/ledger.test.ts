// A few kills on every run of the tests; the long run is `scripts/ledger --kills 200`.
import { expect, test } from "bun:test";
import { resolve } from "node:path";
import { startProcess } from "../fixtures/process.ts";

const ledger = resolve(import.meta.dir, "..", "..", "scripts", "ledger.ts");

test("five kills lose nothing that was answered with 2xx, and every duplicate is marked", async () => {
  const running = startProcess(process.execPath, [ledger, "--kills", "5", "--seed", "7"]);
  const code = await running.exited;
  expect([code, running.output()]).toEqual([0, running.output()]);
});
