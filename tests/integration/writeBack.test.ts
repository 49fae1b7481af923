// The database's log under load, with the real threads: one of its own writes it back, it begins anew, and what a kill leaves of it is
// read by the next start.
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { QueueView } from "../../src/mail/query.ts";
import { LONG_PAGES } from "../../src/queue/writeBack.ts";
import { type Daemon, startDaemon } from "../fixtures/daemon.ts";

/** Some 25 pages of the log. */
const TEXT = `${"x".repeat(76)}\n`.repeat(1300);

function threadsOf({ process }: Daemon): string[] {
  const tasks = `/proc/${process.pid}/task`;
  return readdirSync(tasks).map((task) => readFileSync(join(tasks, task, "comm"), "utf8").trim());
}

function logPages(dataDir: string): number {
  const db = new Database(join(dataDir, "postrider.db"));
  const [row] = db.query("PRAGMA wal_checkpoint(NOOP)").values();
  db.close();
  return (row as [number, number, number])[1];
}

async function send(daemon: Daemon): Promise<void> {
  const mail = { from: "a@sender.test", to: "b@receiver.test", subject: "long", text: TEXT };
  const { status } = await daemon.request("/send", { method: "POST", body: JSON.stringify(mail) });
  expect(status).toBe(202);
}

const logBytes = (dataDir: string): number =>
  statSync(join(dataDir, "postrider.db-wal"), { throwIfNoEntry: false })?.size ?? 0;

test("a long log is written back by a thread of its own while mail is taken; a kill loses none of it, and an orderly end leaves none", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "postrider-log-"));
  let daemon = await startDaemon({ dataDir });
  try {
    await daemon.request("/queue/pause", { method: "POST", body: '{"all":true}' });
    expect(threadsOf(daemon)).not.toContain("writeBack");
    let taken = 0;
    let longest = 0;
    // Until the log is shorter than it was: it has begun anew.
    for (let pages = 0; pages >= longest && taken < 1000; pages = logPages(dataDir)) {
      longest = pages;
      await send(daemon);
      taken++;
    }
    expect(longest).toBeGreaterThanOrEqual(LONG_PAGES);
    expect(longest).toBeLessThan(2 * LONG_PAGES);
    expect(threadsOf(daemon)).toContain("writeBack");
    await daemon.process.stop("SIGKILL");
    daemon = await startDaemon({ dataDir });
    const { counts } = (await (await daemon.request("/queue")).json()) as QueueView;
    expect(counts.reduce((sum, { recipients }) => sum + recipients, 0)).toBe(taken);
    for (let i = 0; i < 1000 && !threadsOf(daemon).includes("writeBack"); i++) await send(daemon);
    expect(await daemon.stop()).toBe(0);
    expect(logBytes(dataDir)).toBe(0);
  } finally {
    await daemon.process.stop("SIGKILL");
    rmSync(dataDir, { recursive: true, force: true });
  }
});
