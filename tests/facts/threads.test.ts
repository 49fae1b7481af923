// What the threads rely on: group commit without a timer, codecs in parallel, the death of a thread
// told to its owner.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MessageChannel, Worker } from "node:worker_threads";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "facts-threads-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function thread(name: string, source: string): Worker {
  const file = join(folder, `${name}.mjs`);
  writeFileSync(file, source);
  return new Worker(file);
}

/** What a thread says first, or its error. */
function firstWord(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

const FRAMES = 10_000;
const THREADS = 3;

test("cbor-x decodes 10,000 frames in each of 3 threads without its native addon", async () => {
  const require = createRequire(import.meta.url);
  const cborx = require.resolve("cbor-x");
  const workers = Array.from({ length: THREADS }, (_, seed) =>
    thread(
      `cbor-${seed}`,
      `import { decode, encode, isNativeAccelerationEnabled } from ${JSON.stringify(cborx)};
       import { parentPort } from "node:worker_threads";
       let wrong = 0;
       for (let i = 0; i < ${FRAMES}; i++) {
         const frame = { i, seed: ${seed}, text: "Grüße 你好 ".repeat(1 + (i % 30)),
           to: ["a" + i + "@x.test", "b@y.test"],
           bytes: new Uint8Array(i % 64).fill(i), big: i * 2 ** 21 };
         const back = decode(encode(frame));
         const plain = (one) => JSON.stringify({ ...one, bytes: [...one.bytes] });
         if (plain(back) !== plain(frame)) wrong++;
       }
       parentPort.postMessage({ wrong, native: isNativeAccelerationEnabled });`,
    ),
  );
  const heard = await Promise.all(workers.map(firstWord));
  expect(heard).toEqual(workers.map(() => ({ wrong: 0, native: false })));
  await Promise.all(workers.map((worker) => worker.terminate()));
  expect(existsSync(join(import.meta.dir, "../../node_modules/@cbor-extract"))).toBe(false);
});

test("an error in a thread reaches its owner by `error` alone: the exit code is 0 as after a good end", async () => {
  const worker = thread(
    "throws",
    `setTimeout(() => { throw new Error("an invariant broke"); }, 1);`,
  );
  const exited = new Promise<number>((resolve) => worker.once("exit", resolve));
  const error = await new Promise<Error>((resolve) => worker.once("error", resolve));
  expect(error.message).toContain("an invariant broke");
  expect(await exited).toBe(0);
});

test("a thread that ends itself is told by its code", async () => {
  const worker = thread("exits", `process.exit(3);`);
  expect(await new Promise<number>((resolve) => worker.once("exit", resolve))).toBe(3);
});

test("a transferred buffer arrives whole and is gone at its sender", async () => {
  const worker = thread(
    "echo",
    `import { parentPort } from "node:worker_threads";
     parentPort.once("message", (bytes) => parentPort.postMessage(bytes.length + " " + bytes[9]));`,
  );
  const bytes = new Uint8Array(1_000_000).fill(7);
  worker.postMessage(bytes, [bytes.buffer]);
  expect(bytes.length).toBe(0);
  expect(await firstWord(worker)).toBe("1000000 7");
  await worker.terminate();
});

test("messages that wait in a port run before setImmediate: so one commit takes all of them", async () => {
  const { port1, port2 } = new MessageChannel();
  const order: string[] = [];
  port2.on("message", (text: string) => {
    order.push(text);
    if (text === "1") setImmediate(() => order.push("commit"));
  });
  for (const text of ["1", "2", "3"]) port1.postMessage(text);
  await new Promise<void>((resolve) => {
    const look = (): void => (order.includes("commit") ? resolve() : void setTimeout(look, 1));
    look();
  });
  expect(order).toEqual(["1", "2", "3", "commit"]);
  port1.close();
  port2.close();
});
