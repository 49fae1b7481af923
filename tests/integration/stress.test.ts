// `postrider stress` as a user runs it: the compiled binary, its own daemon and sink or a running one, and what is left behind.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { StressReport } from "../../src/commands/stressReport.ts";
import { binaryPath, cleanEnvironment, type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { ready, type Running, startProcess } from "../fixtures/process.ts";
import { until } from "../fixtures/until.ts";

/** What a log holds once messages come. */
const LOADED_BYTES = 500_000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "postrider-stress-test-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Its temporary folder is within the test's. */
function start(args: readonly string[]): Running {
  const env = { ...cleanEnvironment(), TMPDIR: folder };
  return startProcess(binaryPath, args, { env, cwd: folder });
}

async function stress(
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly text: string }> {
  const running = start(["stress", ...args]);
  const code = await running.exited;
  return { code, text: running.output() };
}

async function reported(...args: readonly string[]): Promise<StressReport> {
  const { text } = await stress(...args, "--json");
  return reportIn(text);
}

function reportIn(text: string): StressReport {
  return JSON.parse(text.slice(text.indexOf("{"))) as StressReport;
}

const ownFolders = (): string[] =>
  readdirSync(folder).filter((name) => name.startsWith("postrider-stress-"));

/** Processes whose command line names the folder. */
function processesIn(place: string): number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(place);
      } catch {
        // Ended meanwhile.
        return false;
      }
    })
    .map(Number);
}

async function daemonStarted(running: Running): Promise<string> {
  return ready(running, "its daemon is there", () => {
    const [name] = ownFolders();
    const socket = name === undefined ? "" : join(folder, name, "data", "control.sock");
    return name !== undefined && existsSync(socket) ? socket : undefined;
  });
}

describe("with a daemon and a sink of its own", () => {
  test("the README's line accounts for every message, and leaves nothing behind", async () => {
    const readme = readFileSync(resolve(import.meta.dir, "..", "..", "README.md"), "utf8");
    const line = /^dist\/postrider stress (.*)$/m.exec(readme)?.[1] ?? "";
    const { code, text } = await stress(...line.split(" "));
    expect(text).toContain("2,000 accepted = 1,960 delivered + 0 failed + 40 queued");
    expect(text).toMatch(/deferred \w+ 451 +40/);
    expect(text).toMatch(/^accept +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+$/m);
    expect(code).toBe(0);
    expect(ownFolders()).toEqual([]);
    expect(processesIn(folder)).toEqual([]);
  }, 30_000);

  test("failures are told by class, of what was accepted", async () => {
    const mix = "ok:8,soft-rcpt:1,hard-rcpt:1";
    const asked = ["--count", "200", "--recipients", mix, "--priority", "p0", "--drain", "5s"];
    const report = await reported(...asked);
    expect(report).toMatchObject({
      ...{ object: "stress", valid: true, problems: [], ended_by: "count" },
      load: { kind: "closed", daemon: "own", connections: 50, priority: "p0" },
      requests: { started: 200, refused: 0, unanswered: 0, unsent: 0, never_started: 0 },
      accepted: { count: 200 },
      delivered: { count: 160, repeated: 0 },
      failures: { at_accept_rate: 0, at_accept: [], at_delivery_rate: 0.2 },
      accounting: { accepted: 200, delivered: 160, failed: 20, queued: 20, adds_up: true },
    });
    const labels = report.failures.at_delivery.map((one) => one.class.split(" ")[0]);
    expect(labels.sort()).toEqual(["bounced", "deferred"]);
    const { accept, accept_to_delivered: delivered } = report;
    expect(accept?.count).toBe(200);
    expect(delivered?.count).toBe(160);
    expect(accept?.p50_ms).toBeLessThanOrEqual(accept?.p99_ms ?? 0);
    expect(accept?.p99_ms).toBeLessThanOrEqual((accept?.max_ms ?? 0) * 1.005);
    expect(report.daemon?.rss_bytes).toBeGreaterThan(10_000_000);
    expect(report.daemon?.commits).toBeGreaterThan(0);
    expect(report.generator.cpu_share).toBeGreaterThan(0);
  }, 30_000);

  test("with a rate it starts as many as it was told to", async () => {
    const report = await reported("--rate", "200", "--duration", "1s", "--warm-up", "1s");
    expect(report.load).toMatchObject({ kind: "open", rate_per_second: 200 });
    expect(report.requests.started + report.requests.never_started).toBe(200);
    expect(report.accounting?.adds_up).toBe(true);
    // On a machine that does other things as well the generator may be late, and then says so.
    expect(report.problems.filter((text) => !text.startsWith("the generator"))).toEqual([]);
  }, 30_000);

  test("Ctrl-C ends the load, and the report is of what was done", async () => {
    const running = start(["stress", "--duration", "10m", "--json"]);
    await daemonStarted(running);
    expect(await running.stop("SIGINT")).toBe(0);
    const report = reportIn(running.output());
    expect(report).toMatchObject({ ended_by: "stopped", accounting: { adds_up: true } });
    expect(ownFolders()).toEqual([]);
    expect(processesIn(folder)).toEqual([]);
  }, 30_000);

  test("killed, it leaves no process", async () => {
    const running = start(["stress", "--duration", "10m"]);
    const socket = await daemonStarted(running);
    await running.stop("SIGKILL");
    await until("its daemon has ended by itself", () => !existsSync(socket));
    await until("so has its sink", () => processesIn(folder).length === 0);
  }, 30_000);

  test("a daemon that dies in the middle is told, with exit 69", async () => {
    const running = start(["stress", "--duration", "10m", "--json"]);
    const log = `${dirname(await daemonStarted(running))}/postrider.db-wal`;
    await until("it is under load", () => existsSync(log) && statSync(log).size > LOADED_BYTES);
    const [daemon = 0] = processesIn(join(folder, ownFolders()[0] ?? "-", "postrider.toml"));
    process.kill(daemon, "SIGKILL");
    expect(await running.exited).toBe(69);
    const report = reportIn(running.output());
    expect(report).toMatchObject({ valid: false, ended_by: "daemon_ended", accounting: null });
    expect(report.problems.join()).toContain("the daemon");
    expect(ownFolders()).toEqual([]);
  }, 30_000);
});

describe("against a running daemon", () => {
  async function withDaemon(
    flags: readonly string[],
    use: (daemon: Daemon, dataDir: string) => Promise<void>,
  ): Promise<void> {
    const dataDir = mkdtempSync(join(folder, "daemon-"));
    const daemon = await startDaemon({ dataDir, flags });
    try {
      await use(daemon, dataDir);
    } finally {
      await daemon.stop();
    }
  }

  test("deliveries are followed to the end by its events", async () => {
    await withDaemon([], async ({ url, key }, dataDir) => {
      const mix = "delivered:3,bounced:1";
      const asked = ["--count", "200", "--recipients", mix];
      const wanted = {
        ...{ valid: true, ended_by: "count", delivered: { count: 150 } },
        accounting: { accepted: 200, delivered: 150, failed: 50, queued: 0, adds_up: true },
        failures: { at_delivery: [{ class: "bounced mailbox 550", count: 50 }] },
      };
      expect(await reported("--url", url, "--api-key", key, ...asked)).toMatchObject(wanted);
      // Another run's messages are none of this one's.
      expect(await reported("--data-dir", dataDir, ...asked)).toMatchObject(wanted);
    });
  }, 30_000);

  test("nothing leaves the host unless it is told to", async () => {
    // A relay of TEST-NET-1 (RFC 5737): nobody is there.
    await withDaemon(["--relay", "smtp://192.0.2.1:25"], async ({ request }, dataDir) => {
      const asked = ["--data-dir", dataDir, "--count", "5", "--domain", "example.com"];
      const refused = await stress(...asked);
      expect(refused.code).toBe(64);
      expect(refused.text).toContain("192.0.2.1");
      expect(refused.text).toContain("--send-for-real");
      const before = (await (await request("/emails")).json()) as { data: unknown[] };
      expect(before.data).toEqual([]);
      const { code, text } = await stress(...asked, "--send-for-real", "--no-follow");
      expect(text).toContain("5 accepted");
      expect(code).toBe(0);
      const after = (await (await request("/queue")).json()) as {
        counts: { recipients: number }[];
      };
      expect(after.counts.reduce((sum, one) => sum + one.recipients, 0)).toBe(5);
    });
  }, 30_000);

  test("a key that may only send measures what is accepted, and refusals are counted by name", async () => {
    await withDaemon([], async ({ url, request }) => {
      const made = await request("/api-keys", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ name: "load", scopes: ["send"], daily_quota: 30 }),
      });
      const { token } = (await made.json()) as { token: string };
      const asked = ["--url", url, "--api-key", token, "--count", "40", "--concurrency", "2"];
      const blind = await stress(...asked);
      expect(blind.code).toBe(77);
      expect(blind.text).toContain("--no-follow");
      const report = await reported(...asked, "--no-follow", "--duration", "1s");
      expect(report).toMatchObject({ delivered: null, accounting: null, accepted: { count: 30 } });
      expect(report.failures.at_accept[0]?.class).toStartWith("429 ");
    });
  }, 30_000);
});
