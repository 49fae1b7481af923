// The native addon of cbor-x corrupts data when several threads decode (DESIGN 10): it must not be loaded, and three threads that
// decode at once must read what was written.
import { expect, test } from "bun:test";
import { Worker } from "node:worker_threads";

const FRAMES = 10_000;

/** Decodes on its own and answers how many frames did not come back the same. */
const program = (frames: number) => `
  import { parentPort } from "node:worker_threads";
  import { decodeCbor, encodeCbor } from ${JSON.stringify(import.meta.resolve("../../src/submit/cbor.ts"))};
  let wrong = 0;
  for (let i = 0; i < ${frames}; i++) {
    const value = { from: "a" + i + "@example.com", to: ["ü" + i, "x".repeat(i % 300)], n: i };
    const back = decodeCbor(encodeCbor(value));
    if (JSON.stringify(back.value) !== JSON.stringify(value)) wrong++;
  }
  parentPort.postMessage(wrong);
`;

function decodeInThread(frames: number): Promise<number> {
  const url = `data:text/javascript,${encodeURIComponent(program(frames))}`;
  const worker = new Worker(new URL(url));
  return new Promise((resolve, reject) => {
    worker.on("message", (wrong: number) => void worker.terminate().then(() => resolve(wrong)));
    worker.on("error", reject);
  });
}

test("three threads decode 10,000 frames without a fault", async () => {
  const wrong = await Promise.all([1, 2, 3].map(() => decodeInThread(Math.ceil(FRAMES / 3))));
  expect(wrong).toEqual([0, 0, 0]);
});
