// A disk whose writes fail under the compiled daemon: after a failed sync nothing that was written can be trusted (DESIGN 11), so
// nothing is answered, the process ends, and the next one has all that had been answered.
import { expect } from "bun:test";
import { startFakeMx } from "../deliver/fakeMx.ts";
import { startDaemon, type Daemon } from "../fixtures/daemon.ts";
import { startProcess } from "../fixtures/process.ts";
import { until } from "../fixtures/until.ts";
import { peer } from "../peers.ts";
import { type Ends, letter, newFolder, post, reaches, send, within } from "./faultsRig.ts";

const strace = peer("strace");
const DISK_ERROR = 74;
/** Sent side by side, so that bytes go through the ring as well as through the table. */
const AT_ONCE = 16;

function start(dataDir: string, port: number): Promise<Daemon> {
  const relay = `smtp://127.0.0.1:${port}?tls=off`;
  return startDaemon({ dataDir, flags: ["--relay", relay, "--hostname", "sender.test"] });
}

/** From now on these system calls of the process fail. */
async function breakDisk(ends: Ends, daemon: Daemon, calls: string): Promise<void> {
  const { pid } = daemon.process;
  const inject = `inject=${calls}:error=EIO`;
  const tracer = startProcess(strace.path, ["-f", "-p", String(pid), "-e", inject]);
  ends.add(() => tracer.stop("SIGKILL"));
  await until("strace is attached", () => tracer.output().includes("attached"));
}

/** The ids of those that were accepted. */
async function sendMany(daemon: Daemon): Promise<string[]> {
  const posts = Array.from({ length: AT_ONCE }, (_, i) => post(daemon, letter(`x${i}@far.test`)));
  const ids: string[] = [];
  for (const answer of await Promise.allSettled(posts)) {
    // A connection that the end of the process cut answers nothing.
    if (answer.status === "rejected") continue;
    expect([202, 503]).toContain(answer.value.status);
    if (answer.value.status === 202) ids.push(((await answer.value.json()) as { id: string }).id);
  }
  return ids;
}

for (const calls of ["fsync,fdatasync", "fdatasync", "pwrite64"])
  strace.test(`EIO from ${calls}: nothing is answered, the process ends, and nothing is lost`, () =>
    within(async (ends) => {
      const dataDir = newFolder(ends);
      const mx = await startFakeMx();
      ends.add(mx.close);
      const daemon = await start(dataDir, mx.port);
      ends.add(() => daemon.process.stop("SIGKILL"));
      const ids = [await send(daemon, "x@far.test"), await send(daemon, "y@far.test")];
      for (const id of ids) await reaches(daemon, id, "delivered");
      await breakDisk(ends, daemon, calls);
      let running = true;
      void daemon.process.exited.then(() => (running = false));
      let wave: string[];
      do {
        wave = await sendMany(daemon);
        ids.push(...wave);
        // What came in too small a number for the broken call was rightly answered, and must be there afterwards.
      } while (running && wave.length === AT_ONCE);
      expect(wave.length).toBeLessThan(AT_ONCE);
      expect(await daemon.process.exited).toBe(DISK_ERROR);
      const next = await start(dataDir, mx.port);
      ends.add(() => next.process.stop("SIGKILL"));
      for (const id of ids) await reaches(next, id, "delivered");
      await reaches(next, await send(next, "z@far.test"), "delivered");
      expect(next.process.output()).not.toContain("store.damaged");
      expect(await next.stop()).toBe(0);
    }),
  );
