import { expect, test } from "bun:test";
import { getPriority } from "node:os";
import { Worker } from "node:worker_threads";

/** Elsewhere a priority belongs to the whole process, so nothing is changed. */
const STEPS = process.platform === "linux" ? 7 : 0;

test("a thread that stands back takes no other thread with it", async () => {
  const module = new URL("../../src/roles/niceness.ts", import.meta.url).href;
  const code = `
    import { getPriority } from "node:os";
    import { readlinkSync } from "node:fs";
    import { parentPort } from "node:worker_threads";
    import { standBack } from ${JSON.stringify(module)};
    const refused = standBack(7);
    const thread =
      process.platform === "linux"
        ? Number(readlinkSync("/proc/thread-self").split("/").at(-1))
        : process.pid;
    parentPort.postMessage({ refused, own: getPriority(thread), main: getPriority(process.pid) });
  `;
  const before = getPriority(process.pid);
  const worker = new Worker(code, { eval: true });
  const told = await new Promise((resolve, reject) => {
    worker.on("message", resolve);
    worker.on("error", reject);
  });
  expect(told).toEqual({ refused: undefined, own: Math.min(19, before + STEPS), main: before });
});
