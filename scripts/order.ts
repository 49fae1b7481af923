#!/usr/bin/env bun
// Records which functions a start and a first message use, so that the build lays them side by side (scripts/build.ts): what nobody calls
// is then never read from the file. Functions are known by a hash of what they are, so an old record still serves; a run of
// `scripts/order.ts` after a build makes a new one.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binaryPath, cleanEnvironment, reachable } from "../tests/fixtures/daemon.ts";
import { startProcess } from "../tests/fixtures/process.ts";
import { until } from "../tests/fixtures/until.ts";
import { ORDER_FILE } from "./build.ts";

/** The version and the functions; what else is recorded (strings, keys) is twenty times as long and gains nothing. */
export function functionsOf(record: string): string {
  return record
    .split("\n")
    .filter((line) => /^v\d|^F /.test(line))
    .map((line) => `${line}\n`)
    .join("");
}

async function record(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "postrider-order-"));
  const [dataDir, file] = [join(folder, "data"), join(folder, "order")];
  const env = { ...cleanEnvironment(), BUN_BYTECODE_ORDER_OUT: file };
  const args = ["serve", "--data-dir", dataDir, "--listen", "127.0.0.1:0"];
  const running = startProcess(binaryPath, [...args, "--hostname", "order.test"], { env });
  try {
    const daemon = await reachable(running, dataDir);
    const body = { from: "a@order.test", to: "ok@postrider.test", subject: "one", text: "two" };
    const headers = { "content-type": "application/json" };
    await daemon.request("/send", { method: "POST", headers, body: JSON.stringify(body) });
    const figures = async (): Promise<string> => (await daemon.request("/metrics")).text();
    await until("the message is delivered", async () =>
      /^postrider_recipients_total\{.*delivered.*\} 1$/m.test(await figures()),
    );
    await running.stop();
    return functionsOf(readFileSync(file, "utf8"));
  } finally {
    await running.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) writeFileSync(ORDER_FILE, await record());
