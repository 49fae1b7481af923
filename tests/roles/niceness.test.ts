import { expect, test } from "bun:test";
import { Worker } from "node:worker_threads";

const onLinux = process.platform === "linux" ? test : test.skip;

onLinux("a thread that stands back takes no other thread with it", async () => {
  const module = new URL("../../src/roles/niceness.ts", import.meta.url).href;
  const code = `
    import { getPriority } from "node:os";
    import { readlinkSync } from "node:fs";
    import { parentPort } from "node:worker_threads";
    import { standBack } from ${JSON.stringify(module)};
    const refused = standBack(7);
    const thread = Number(readlinkSync("/proc/thread-self").split("/").at(-1));
    parentPort.postMessage({ refused, own: getPriority(thread), main: getPriority(process.pid) });
  `;
  const worker = new Worker(code, { eval: true });
  const told = await new Promise((resolve, reject) => {
    worker.on("message", resolve);
    worker.on("error", reject);
  });
  expect(told).toEqual({ refused: undefined, own: 7, main: 0 });
});
