// Large mail does not grow the daemon by what it weighs: many times more goes through than memory grows by. `scripts/bench memory`
// measures the promised bounds; here the shape is kept, in smaller numbers and on a machine that does other things.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { upload, uploadOf } from "../fixtures/upload.ts";
import { counts, createEnds, letter, newFolder, post } from "./faultsRig.ts";

const ends = createEnds();
let daemon: Daemon;
let dataDir: string;

beforeAll(async () => {
  dataDir = newFolder(ends);
  // Nobody is there, so that all of it stays.
  const flags = ["--hostname", "sender.test", "--relay", "smtp://127.0.0.1:1?tls=off"];
  daemon = await startDaemon({ dataDir, flags });
  ends.add(async () => expect(await daemon.stop()).toBe(0));
});
afterAll(() => ends.run());

const MB = 1_000_000;

/** The most that the process ever had, as the kernel counts it (proc(5)). */
function peakBytes(): number {
  const status = readFileSync(`/proc/${daemon.process.pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1]) * 1024;
}

const spooled = (): string[] => readdirSync(join(dataDir, "spool"));

test.each([
  ["raw", 20, 100],
  ["form", 20, 100],
  ["cbor", 8, 140],
  ["json", 8, 180],
] as const)(
  "10 MB each as %s from %d clients at a time grow it by less than %d MB",
  async (form, clients, boundMb) => {
    // Of the runtime itself, once it has begun to work.
    expect(await upload(daemon, uploadOf(form, 1 * MB))).toBe(202);
    const before = peakBytes();
    const what = uploadOf(form, 10 * MB);
    const answers = await Promise.all(Array.from({ length: clients }, () => upload(daemon, what)));
    expect(answers).toEqual(Array(clients).fill(202));
    expect((peakBytes() - before) / MB).toBeLessThan(boundMb);
  },
  60_000,
);

test("a small message is taken at once while large ones stand still in the middle", async () => {
  const files = spooled().length;
  let go = (): void => {};
  const gate = new Promise<void>((resolve) => void (go = resolve));
  let stalled = 0;
  const what = uploadOf("raw", 10 * MB);
  const hold = (block: number): Promise<void> | undefined => {
    if (block !== 100) return undefined;
    stalled++;
    return gate;
  };
  const uploads = Array.from({ length: 12 }, () => upload(daemon, what, hold));
  expect((await post(daemon, letter("a@example.org"))).status).toBe(202);
  // Those that stand still let the others read, so that all come as far as they go.
  while (stalled < 12) await new Promise((resolve) => setImmediate(resolve));
  const more = uploadOf("form", 10 * MB);
  expect(await upload(daemon, more)).toBe(202);
  go();
  expect(await Promise.all(uploads)).toEqual(Array(12).fill(202));
  expect(spooled()).toHaveLength(files + 13);
}, 60_000);

test("what was stored is what was sent", async () => {
  const all = Object.values(await counts(daemon)).reduce((sum, count) => sum + count, 0);
  // Each form once to begin with, what was measured, and what stood still.
  expect(all).toBe(4 + 56 + 14);
});
