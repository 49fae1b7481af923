// A million messages while the remote server is down, a reader that will not let go of its
// snapshot, a restart in the middle, and the drain (DESIGN 9). `scripts/bench backlog [--count
// 1000000]`.
import { Database } from "bun:sqlite";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import {
  binaryPath,
  cleanEnvironment,
  reachable,
  type Daemon,
} from "../../tests/fixtures/daemon.ts";
import { freePort, listens, startProcess } from "../../tests/fixtures/process.ts";
import { until } from "../../tests/fixtures/until.ts";
import { peer } from "../../tests/peers.ts";
import { untilTaken } from "./contender.ts";
import type { LoadResult } from "./generator.ts";
import { createLoad } from "./load.ts";
import { describeMachine } from "./machine.ts";
import { rssBytes } from "./proc.ts";
import { startSinkReceiver, startSmtpSink, type Receiver } from "./receiver.ts";
import { quantileBetween, readHistogram } from "./scrape.ts";

const { values: flags } = parseArgs({
  options: {
    count: { type: "string", default: "1000000" },
    sample: { type: "string", default: "30000" },
    size: { type: "string", default: "5120" },
    clients: { type: "string", default: "64" },
  },
});

const HELD_MS = 10_000;
const SHRINK_WITHIN_MS = 120_000;
const MB = 1_000_000;

const root = resolve(import.meta.dir, "..", "..");
const folder = mkdtempSync(join(root, "dist", "bench-"));
const dataDir = mkdtempSync(join(folder, "data-"));
const sample = Number(flags.sample);

interface Started {
  readonly daemon: Daemon;
  readonly listeningMs: number;
}

async function start(sinkPort: number): Promise<Started> {
  const port = await freePort();
  const relay = `smtp://127.0.0.1:${sinkPort}?tls=off`;
  const at = ["--data-dir", dataDir, "--listen", `127.0.0.1:${port}`];
  // A twentieth of the queue is kept for p0.
  const args = ["serve", ...at, "--relay", relay, "--queue-max-messages", "100000000"];
  const options = { env: cleanEnvironment(), cwd: folder };
  const startedAtMs = performance.now();
  const running = startProcess(binaryPath, [...args, "--hostname", "bench.test"], options);
  await until("it listens", () => listens(port));
  const listeningMs = performance.now() - startedAtMs;
  const rest = await reachable(running, dataDir);
  return { daemon: { process: running, ...rest, stop: () => running.stop() }, listeningMs };
}

const load = createLoad({
  clients: Number(flags.clients),
  bodyBytes: Number(flags.size),
  sites: 1,
  form: "json",
  idempotency: false,
});

const sizeOf = (name: string): number =>
  statSync(join(dataDir, name), { throwIfNoEntry: false })?.size ?? 0;
const rateOf = (result: LoadResult): number => result.accepted / result.seconds;

/** Single samples differ by half on a shared machine. */
const SAMPLES = 5;

async function medianRate(daemon: Daemon): Promise<number> {
  const rates: number[] = [];
  for (let i = 0; i < SAMPLES; i++) rates.push(rateOf(await load(daemon, sample)));
  return rates.sort((a, b) => a - b)[Math.floor(SAMPLES / 2)] ?? 0;
}

interface Held {
  readonly walMaxBytes: number;
  readonly commitP99Ms: number;
}

/** Load while `hold` reads; what it leaves behind is seen until one more sample is in. */
async function whileReading(
  daemon: Daemon,
  hold: (ended: () => boolean) => Promise<void>,
): Promise<Held> {
  const before = await readHistogram(daemon, "postrider_commit_duration_seconds");
  const endAtMs = performance.now() + HELD_MS;
  const ended = (): boolean => performance.now() >= endAtMs;
  let walMaxBytes = 0;
  const watch = setInterval(() => {
    walMaxBytes = Math.max(walMaxBytes, sizeOf("postrider.db-wal"));
  }, 20);
  const reading = hold(ended);
  // A log that cannot be written back is refused to grow, until the reader lets go.
  while (!ended()) await load(daemon, sample, true);
  await reading;
  await until("mail is taken again", async () => (await load(daemon, 100, true)).accepted > 0);
  await load(daemon, sample);
  clearInterval(watch);
  const after = await readHistogram(daemon, "postrider_commit_duration_seconds");
  return { walMaxBytes, commitP99Ms: quantileBetween(before, after, 0.99) * 1000 };
}

/** The heaviest questions that a user may put, each again and again. */
async function ask(daemon: Daemon, ended: () => boolean): Promise<void> {
  const paths = ["/emails?status=queued&limit=100", "/emails?domain=s000.test&limit=100", "/queue"];
  const one = async (path: string): Promise<void> => {
    while (!ended()) await (await daemon.request(path)).arrayBuffer();
  };
  await Promise.all(paths.map(one));
}

/** A connection from outside, such as a curious operator's: nobody can end its snapshot. */
async function holdFromOutside(ended: () => boolean): Promise<void> {
  const reader = new Database(join(dataDir, "postrider.db"), { readonly: true });
  reader.run("BEGIN");
  reader.query("SELECT count(*) FROM (SELECT 1 FROM sqlite_schema LIMIT 1)").get();
  await until("it has been held long enough", () => ended());
  reader.run("COMMIT");
  reader.close();
}

async function startReceiver(port: number): Promise<Receiver> {
  const smtpSink = peer("smtp-sink");
  return smtpSink.missing
    ? startSinkReceiver(1, port)
    : startSmtpSink(smtpSink.path, folder, 1, port);
}

async function drain(
  sinkPort: number,
  total: number,
): Promise<{ perSecond: number; shrunkBytes: number }> {
  const receiver = await startReceiver(sinkPort);
  try {
    await until("the first message arrives", () => receiver.count() > 0, 600_000);
    const startedAtMs = performance.now();
    const fullBytes = sizeOf("postrider.db");
    const endedAtMs = await untilTaken(receiver, total);
    await until(
      "the file shrinks",
      () => sizeOf("postrider.db") < fullBytes / 2,
      SHRINK_WITHIN_MS,
    ).catch(() => undefined);
    return {
      perSecond: total / ((endedAtMs - startedAtMs) / 1000),
      shrunkBytes: sizeOf("postrider.db"),
    };
  } finally {
    await receiver.stop();
  }
}

async function main(): Promise<void> {
  const sinkPort = await freePort();
  const first = await start(sinkPort);
  await load(first.daemon, 2_000);
  const empty = await medianRate(first.daemon);
  const asked = await whileReading(first.daemon, (ended) => ask(first.daemon, ended));
  const held = await whileReading(first.daemon, holdFromOutside);
  const missing = Number(flags.count) - load.total() - SAMPLES * sample;
  if (missing > 0) await load(first.daemon, missing);
  const full = await medianRate(first.daemon);
  const rssQueuedBytes = rssBytes(first.daemon.process.pid);
  const fullBytes = sizeOf("postrider.db");
  await first.daemon.stop();
  const second = await start(sinkPort);
  const drained = await drain(sinkPort, load.total());
  await second.daemon.stop();
  const report = {
    machine: describeMachine(folder),
    queued: load.total(),
    acceptedPerSecond: { empty, full },
    acceptRatio: full / empty,
    walMaxMb: { apiReaders: asked.walMaxBytes / MB, outsideReader: held.walMaxBytes / MB },
    commitP99Ms: { apiReaders: asked.commitP99Ms, outsideReader: held.commitP99Ms },
    rssQueuedMb: rssQueuedBytes / MB,
    databaseMb: { full: fullBytes / MB, drained: drained.shrunkBytes / MB },
    startToListeningMs: { empty: first.listeningMs, full: second.listeningMs },
    drainedPerSecond: drained.perSecond,
  };
  const results = join(import.meta.dir, "results");
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, "backlog.json"), `${JSON.stringify(report, null, 2)}\n`);
  console.log(JSON.stringify(report, null, 2));
}

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
