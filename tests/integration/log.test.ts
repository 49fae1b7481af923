// The log of a real daemon: a reader that stands still, a flood, levels that change while it runs, and the journal over a kill.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JournalView } from "../../src/mail/journal.ts";
import type { QueueView } from "../../src/mail/query.ts";
import { runCommand } from "../fixtures/command.ts";
import { binaryPath, cleanEnvironment, type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { until } from "../fixtures/until.ts";

const TEST_MS = 60_000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "postrider-log-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const start = (...flags: string[]): Promise<Daemon> =>
  startDaemon({ dataDir: folder, flags: ["--workers", "1", "--log-format", "json", ...flags] });

type Line = Readonly<Record<string, unknown>>;

const linesOf = (daemon: Daemon): Line[] =>
  daemon.process
    .output()
    .split("\n")
    .filter((text) => text.startsWith('{"time"'))
    .map((text) => JSON.parse(text) as Line);

const told = (daemon: Daemon, event: string): Promise<Line> =>
  until(`${event} is told`, () => linesOf(daemon).find((line) => line["event"] === event));

async function send(ask: Daemon["request"], to: string, more: object = {}): Promise<Response> {
  const body = JSON.stringify({ from: "a@one.test", to, subject: "s", text: "t", ...more });
  const headers = { "content-type": "application/json" };
  return ask("/send", { method: "POST", headers, body });
}

const run = (...words: string[]) => runCommand(folder, words);

test(
  "it begins with what is not the default, and tells a bounce with the server's words",
  async () => {
    const daemon = await start("--hostname", "one.test");
    try {
      const started = await told(daemon, "daemon.started");
      expect(started).toMatchObject({ level: "info", after: "first", recipients: 0 });
      expect(started["settings"]).toContain("hostname=one.test");
      expect(started["settings"]).not.toContain("api_key");
      const answer = await send(daemon.request, "bounced@postrider.test");
      const { id } = (await answer.json()) as { id: string };
      expect(await told(daemon, "mail.bounced")).toMatchObject({
        ...{ email_id: id, recipient: "bounced@postrider.test", site: "postrider.test" },
        ...{ trace_id: id.replaceAll("-", ""), code: 550, enhanced: "5.1.1", phase: "rcpt" },
        ...{ class: "mailbox", text: "No such mailbox here" },
      });
      await send(daemon.request, "nobody\u202e@@");
      const refused = await told(daemon, "door.refused");
      expect(refused).toMatchObject({ reason: "validation_error", status: 422, path: "/send" });
    } finally {
      await daemon.stop();
    }
    expect(linesOf(daemon).at(-1)).toMatchObject({ event: "daemon.stopped" });
  },
  TEST_MS,
);

test(
  "lines that were not wanted come once they are, in every thread, and go again",
  async () => {
    const daemon = await start();
    try {
      await send(daemon.request, "soft-rcpt@postrider.test");
      expect((await run("log", "level", "info,mail=debug", "--for", "1h")).out).toMatch(
        /^info,mail=debug until /,
      );
      await send(daemon.request, "soft-rcpt+2@postrider.test");
      const line = await told(daemon, "mail.deferred");
      expect(line).toMatchObject({
        level: "debug",
        recipient: "soft-rcpt+2@postrider.test",
        code: 451,
      });
      expect((await run("reload")).code).toBe(0);
      expect((await run("log", "level")).out).toBe("info\n");
    } finally {
      await daemon.stop();
    }
  },
  TEST_MS,
);

test(
  "a flood of bounces is some lines and a count",
  async () => {
    const daemon = await start("--suppress-bounces", "false");
    const BOUNCES = 600;
    try {
      const batch = Array.from({ length: BOUNCES }, (_, i) => ({
        ...{ from: "a@one.test", to: `bounced+${i}@postrider.test`, subject: "s", text: "t" },
      }));
      const headers = { "content-type": "application/json" };
      const body = JSON.stringify(batch);
      expect((await daemon.request("/send/batch", { method: "POST", headers, body })).ok).toBe(
        true,
      );
      await until("all of them are bounced", async () => {
        const { counts } = (await (await daemon.request("/queue")).json()) as QueueView;
        const bounced = counts.filter(({ state }) => state === "bounced");
        return bounced.reduce((sum, { recipients }) => sum + recipients, 0) === BOUNCES;
      });
    } finally {
      await daemon.stop();
    }
    // What was not told yet is told before the end.
    const lines = linesOf(daemon).filter((line) => line["event"] === "mail.bounced");
    expect(lines.reduce((all, { more }) => all + 1 + Number(more ?? 0), 0)).toBe(BOUNCES);
    expect(lines.length).toBeLessThan(100);
  },
  TEST_MS,
);

test(
  "nobody reads it: mail is taken and delivered as always, and the daemon ends when it is told",
  async () => {
    const args = ["--data-dir", folder, "--listen", "127.0.0.1:0", "--log-level", "debug"];
    // The shell's pipe is never read: it takes 64 KB, and then no more.
    const command = `exec "$0" serve "$@" 2> "$FIFO"`;
    const fifo = join(folder, "stderr");
    Bun.spawnSync(["mkfifo", fifo]);
    const reader = Bun.spawn(["sh", "-c", `exec sleep 60 < "${fifo}"`]);
    const child = Bun.spawn(["sh", "-c", command, binaryPath, ...args, "--workers", "1"], {
      env: { ...cleanEnvironment(), FIFO: fifo } as Record<string, string>,
      ...{ stdout: "pipe", stderr: "inherit" },
    });
    try {
      const request: Daemon["request"] = (path, init) =>
        fetch(`http://postrider${path}`, {
          ...init,
          unix: join(folder, "control.sock"),
        } as RequestInit);
      await until("it serves", () =>
        request("/readyz").then(
          ({ ok }) => ok,
          () => false,
        ),
      );
      // Two hundred lines of deferrals alone are more than a pipe holds.
      for (let i = 0; i < 300; i++)
        await Promise.all([
          send(request, "x", { subject: 5, ["x".repeat(1500) + i]: 1 }),
          send(request, `soft-rcpt+${"y".repeat(40)}${i}@postrider.test`),
        ]);
      const answer = await request("/send", {
        method: "POST",
        headers: { "content-type": "application/json", prefer: "wait=20" },
        body: JSON.stringify({
          from: "a@one.test",
          to: "delivered@postrider.test",
          subject: "s",
          text: "t",
        }),
      });
      expect(answer.status).toBe(200);
      child.kill("SIGTERM");
      expect(await child.exited).toBe(0);
    } finally {
      child.kill("SIGKILL");
      reader.kill();
    }
  },
  TEST_MS,
);

test(
  "the journal goes on behind a kill, and tells of it",
  async () => {
    const first = await start();
    await run("queue", "pause", "--domain", "a.example");
    await told(first, "queue.order");
    await first.process.stop("SIGKILL");
    const second = await start();
    try {
      const journal = await run("journal", "--json");
      const lines = journal.out
        .trim()
        .split("\n")
        .map((text) => JSON.parse(text) as Line);
      expect(lines.map(({ event }) => event)).toEqual([
        "daemon.started",
        "queue.order",
        "daemon.started",
        "daemon.traffic",
      ]);
      expect(lines[1]).toMatchObject({
        verb: "pause",
        by: "domain",
        name: "a.example",
        answer: "done",
      });
      expect(lines[2]).toMatchObject({ after: "crash" });
      const orders = (await (await second.request("/journal?event=queue")).json()) as JournalView;
      expect(orders.data).toHaveLength(1);
    } finally {
      await second.stop();
    }
  },
  TEST_MS,
);
