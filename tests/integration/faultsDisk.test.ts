// A full disk under the compiled daemon: a small volume of its own, filled by us as a runaway log would. Mail is refused while it
// lasts, nothing is sent whose outcome could not be written down, and both go on by themselves once there is room.
import { expect } from "bun:test";
import { execFileSync } from "node:child_process";
import { closeSync, openSync, readdirSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type Script, startFakeMx } from "../deliver/fakeMx.ts";
import { type Daemon, binaryPath, cleanEnvironment, startDaemon } from "../fixtures/daemon.ts";
import { hasRoot } from "../fixtures/postfix.ts";
import { startProcess } from "../fixtures/process.ts";
import { until } from "../fixtures/until.ts";
import { peer } from "../peers.ts";
import {
  type Ends,
  type Problem,
  counts,
  letter,
  newFolder,
  post,
  reaches,
  send,
  within,
} from "./faultsRig.ts";

const { test } = peer(hasRoot() ? "mount" : "mount as root");

/** The database's files and its ballast take some 85 MB of it. */
const VOLUME_BYTES = 128 * 1024 * 1024;

function mountVolume(ends: Ends): string {
  const folder = newFolder(ends);
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${VOLUME_BYTES},mode=700`, "tmpfs", folder]);
  ends.add(() => execFileSync("umount", [folder]));
  return folder;
}

/** Takes all room that is left, whoever freed it. */
function fill(folder: string): void {
  const file = openSync(join(folder, "filler"), "a");
  try {
    for (let size = 1 << 20; size >= 512;) {
      try {
        writeSync(file, Buffer.alloc(size));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
        size >>= 1;
      }
    }
  } finally {
    closeSync(file);
  }
}

function makeRoom(folder: string): void {
  rmSync(join(folder, "filler"));
}

async function isRefused(answer: Response): Promise<boolean> {
  if (answer.status === 202) return false;
  const problem = (await answer.json()) as Problem;
  expect([answer.status, problem.name]).toEqual([503, "disk_low"]);
  expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
  return true;
}

async function start(
  ends: Ends,
  { dataDir, reserve, port }: { dataDir: string; reserve: string; port: number },
): Promise<Daemon> {
  const relay = `smtp://127.0.0.1:${port}?tls=off`;
  const flags = ["--disk-reserve", reserve, "--relay", relay, "--hostname", "sender.test"];
  const daemon = await startDaemon({ dataDir, flags });
  ends.add(() => daemon.process.stop("SIGKILL"));
  return daemon;
}

test("less room than the reserve: mail is refused, and taken again by itself", () =>
  within(async (ends) => {
    const dataDir = mountVolume(ends);
    const mx = await startFakeMx();
    ends.add(mx.close);
    const daemon = await start(ends, { dataDir, reserve: "10MB", port: mx.port });
    await reaches(daemon, await send(daemon, "x@far.test"), "delivered");
    fill(dataDir);
    await until("mail is refused", async () => isRefused(await post(daemon, letter("y@far.test"))));
    makeRoom(dataDir);
    const id = await until("mail is taken", async () => {
      const answer = await post(daemon, letter("z@far.test"));
      return answer.status === 202 && ((await answer.json()) as { id: string }).id;
    });
    await reaches(daemon, id, "delivered");
    expect(await daemon.stop()).toBe(0);
  }));

test("history fills the disk: the oldest of it goes, and no mail is refused", () =>
  within(async (ends) => {
    const dataDir = mountVolume(ends);
    const mx = await startFakeMx();
    ends.add(mx.close);
    const daemon = await start(ends, { dataDir, reserve: "10MB", port: mx.port });
    // What the API shows of a message stays when its bytes are gone: 40 KB each, and more than the volume holds.
    const entries = Array.from({ length: 40 }, (_, i) => [`key${i}`, "x".repeat(1000)]);
    const metadata = Object.fromEntries(entries) as Record<string, string>;
    const letters = Array.from({ length: 50 }, () =>
      JSON.parse(letter("x@far.test", { metadata })),
    );
    const body = JSON.stringify(letters);
    const ids: string[] = [];
    for (let batch = 0; batch < 80; batch++) {
      const headers = { "content-type": "application/json" };
      const answer = await daemon.request("/send/batch", { method: "POST", headers, body });
      expect([batch, answer.status]).toEqual([batch, 202]);
      ids.push(...((await answer.json()) as { data: { id: string }[] }).data.map(({ id }) => id));
      await reaches(daemon, ids.at(-1) ?? "", "delivered");
    }
    expect((await daemon.request(`/emails/${ids[0]}`)).status).toBe(404);
    expect(await daemon.stop()).toBe(0);
  }));

test("no room at all: neither accepted nor sent; then everything is sent once", () =>
  within(async (ends) => {
    const dataDir = mountVolume(ends);
    let open = (): void => {};
    const opened = new Promise<void>((resolve) => (open = resolve));
    const script: Script = async (verb) => (verb === "." ? void (await opened) : undefined);
    const mx = await startFakeMx({ script });
    ends.add(mx.close);
    const daemon = await start(ends, { dataDir, reserve: "0", port: mx.port });
    const ids = [await send(daemon, "first@far.test"), await send(daemon, "second@far.test")];
    const text = "A line of text.\n".repeat(6_000);
    await until("mail is refused", async () => {
      // What the daemon gave back of its ballast is taken too.
      fill(dataDir);
      const to = `x${ids.length}@far.test`;
      const answer = await post(daemon, letter(to, { text }));
      if (answer.status !== 202) return isRefused(answer);
      ids.push(((await answer.json()) as { id: string }).id);
      return false;
    });
    fill(dataDir);
    const large = `From: a@sender.test\r\nTo: large@far.test\r\n\r\n${"A line.\r\n".repeat(200_000)}`;
    expect(await isRefused(await post(daemon, large, "message/rfc822"))).toBe(true);
    expect(readdirSync(join(dataDir, "spool"))).toEqual([]);
    open();
    await until("the outcome cannot be written", () => {
      fill(dataDir);
      return daemon.process.output().includes("queue.disk_full");
    });
    makeRoom(dataDir);
    await until("all is delivered", async () => (await counts(daemon))["delivered"] === ids.length);
    expect(await counts(daemon)).toEqual({ delivered: ids.length });
    const last = await until("mail is taken again", async () => {
      const answer = await post(daemon, letter("last@far.test"));
      return answer.status === 202 && ((await answer.json()) as { id: string }).id;
    });
    await reaches(daemon, last, "delivered");
    const lines = mx.sessions.flatMap((session) => session.lines);
    const recipients = lines.filter((line) => line.startsWith("RCPT"));
    expect(mx.messages()).toHaveLength(ids.length + 1);
    expect(new Set(recipients).size).toBe(ids.length + 1);
    expect(daemon.process.output()).toContain("queue.disk_recovered");
    expect(await daemon.stop()).toBe(0);
  }));

test("a start without room ends with 74 and names the folder; with room it goes on where it was", () =>
  within(async (ends) => {
    const dataDir = mountVolume(ends);
    const script: Script = (verb) => (verb === "." ? "HANG" : undefined);
    const hanging = await startFakeMx({ script });
    ends.add(hanging.close);
    const first = await start(ends, { dataDir, reserve: "0", port: hanging.port });
    const id = await send(first, "x@far.test");
    expect(await first.process.stop("SIGKILL")).not.toBe(0);
    fill(dataDir);
    const args = ["serve", "--data-dir", dataDir, "--listen", "127.0.0.1:0"];
    const failing = startProcess(binaryPath, args, { env: cleanEnvironment() });
    ends.add(() => failing.stop("SIGKILL"));
    expect(await failing.exited).toBe(74);
    expect(failing.output()).toContain(`${dataDir}: database or disk is full`);
    makeRoom(dataDir);
    const mx = await startFakeMx();
    ends.add(mx.close);
    const second = await start(ends, { dataDir, reserve: "0", port: mx.port });
    await reaches(second, id, "delivered");
    expect(await second.stop()).toBe(0);
  }));
