// The promise of DESIGN 1 against SIGKILL: what was answered with 2xx arrives, and arrives twice
// only when the process died between the final dot and the record of its reply, which the timeline
// then says. The sink and the books live outside the killed process. With `--idempotent` each client
// repeats each request with its key until it is answered, and each request ends as one message.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { seededRandom, type Random } from "../src/base/random.ts";
import { isFinal, type StateName } from "../src/mail/state.ts";
import type { Taken } from "../src/sink/dialogue.ts";
import { startSink, type Sink } from "../src/sink/server.ts";
import { startDaemon, type Daemon } from "../tests/fixtures/daemon.ts";
import { until } from "../tests/fixtures/until.ts";
import { createBooks, type Books, type Violation } from "./ledgerBooks.ts";
import { createPoster, type Poster } from "./ledgerClient.ts";

const KILL_MIN_MS = 20;
const KILL_SPREAD_MS = 380;
/** Some kills hit the start itself, before it listens. */
const EARLY_KILLS = 0.1;
const EARLY_SPREAD_MS = 100;
const CHECKED_AT_ONCE = 16;
/**
 * What was in flight at a kill comes back at once, or the drain would take as long as the schedule.
 */
const QUICK_RETRIES = '[retry]\np0 = ["1s"]\np1 = ["1s"]\np2 = ["1s"]\n';
const SETTLES_WITHIN_MS = 20_000;

const { values: flags } = parseArgs({
  options: {
    kills: { type: "string", default: "20" },
    clients: { type: "string", default: "16" },
    drain: { type: "string", default: "120" },
    seed: { type: "string", default: String(process.pid) },
    idempotent: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
  },
});

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function start(dataDir: string, sink: Sink): Promise<Daemon> {
  const relay = `smtp://127.0.0.1:${sink.port}?tls=off`;
  const config = `${dataDir}.toml`;
  return startDaemon({
    dataDir,
    flags: ["--config", config, "--relay", relay, "--hostname", "ledger.test"],
  });
}

/** Our own id stands in the Message-ID. */
function messageOf(taken: Taken): string {
  return (
    /^message-id: *<([^@>]+)@/im.exec(Buffer.from(taken.content()).toString("latin1"))?.[1] ?? ""
  );
}

interface Run {
  readonly dataDir: string;
  readonly sink: Sink;
  readonly books: Books;
  readonly posters: readonly Poster[];
  readonly random: Random;
}

async function killOnce({ dataDir, sink, books, posters, random }: Run): Promise<void> {
  if (random.roll() < EARLY_KILLS) {
    const starting = start(dataDir, sink).catch(() => undefined);
    const killer = killStarting(dataDir, random.roll() * EARLY_SPREAD_MS);
    await Promise.all([starting, killer]);
    return buried(sink, books);
  }
  const daemon = await start(dataDir, sink);
  for (const poster of posters) poster.resume(daemon.port, daemon.key);
  await pause(KILL_MIN_MS + random.roll() * KILL_SPREAD_MS);
  await daemon.process.stop("SIGKILL");
  await Promise.all(posters.map((poster) => poster.halted()));
  await buried(sink, books);
}

/**
 * What the dead process had given to the kernel still arrives, and belongs to the time before the
 * kill.
 */
async function buried(sink: Sink, books: Books): Promise<void> {
  await until("the dead connections are closed", () => sink.openConnections() === 0);
  books.killed(performance.now());
}

/** A daemon that does not answer yet is known only by its folder's name on its command line. */
async function killStarting(dataDir: string, afterMs: number): Promise<void> {
  await pause(afterMs);
  for (const pid of children(dataDir)) process.kill(pid, "SIGKILL");
}

function children(dataDir: string): number[] {
  const listed = Bun.spawnSync(["ps", "--ppid", String(process.pid), "-o", "pid=,args="]);
  return listed.stdout
    .toString()
    .split("\n")
    .filter((line) => line.includes(dataDir) && line.includes(" serve "))
    .map((line) => parseInt(line, 10));
}

async function timelineSaysDoubt(daemon: Daemon, id: string): Promise<boolean> {
  const text = await (await daemon.request(`/emails/${id}/events`)).text();
  return /"doubt":\s*true/.test(text);
}

async function stateOf(daemon: Daemon, id: string): Promise<string> {
  const shown = (await (await daemon.request(`/emails/${id}`)).json()) as {
    recipients?: { state: string }[];
  };
  return shown.recipients?.[0]?.state ?? "unknown";
}

/** Taken already, and perhaps owed again: a lease that a kill ended is tried once more. */
async function settledState(daemon: Daemon, id: string): Promise<string> {
  let state = "";
  await until(
    `${id} settles`,
    async () => isFinal((state = await stateOf(daemon, id)) as StateName),
    SETTLES_WITHIN_MS,
  ).catch(() => undefined);
  return state;
}

async function eachOf<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async (): Promise<void> => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await run(item);
  };
  await Promise.all(Array.from({ length: CHECKED_AT_ONCE }, worker));
}

/**
 * The last daemon is left alone until it owes nothing; then its own words are compared with the
 * books.
 */
async function settle({ dataDir, sink, books, posters }: Run): Promise<Violation[]> {
  const daemon = await start(dataDir, sink);
  try {
    if (flags.idempotent)
      await Promise.all(posters.map((poster) => poster.finish(daemon.port, daemon.key)));
    await until(
      "the queue drains",
      () => books.missing().length === 0,
      Number(flags.drain) * 1000,
    ).catch(() => undefined);
    const violations = flags.idempotent ? books.violationsOfOnce() : books.violations();
    await eachOf(books.duplicates(), async ({ key, id }) => {
      if (id === undefined || (await timelineSaysDoubt(daemon, id))) return;
      violations.push({ key, what: `${id} was taken twice and its timeline has no doubt` });
    });
    await eachOf(books.accepted(), async ({ key, id }) => {
      const state = await settledState(daemon, id);
      if (state === "delivered") return;
      violations.push({ key, what: `${id} is ${state} and not delivered` });
    });
    return violations;
  } finally {
    await daemon.stop();
  }
}

async function main(): Promise<number> {
  const kills = Number(flags.kills);
  const random = seededRandom(Number(flags.seed));
  const dataDir = mkdtempSync(join(tmpdir(), "postrider-ledger-"));
  writeFileSync(`${dataDir}.toml`, QUICK_RETRIES);
  const books = createBooks();
  const sink = await startSink({
    listen: { host: "127.0.0.1", port: 0 },
    onTaken: (taken) => books.taken(taken.id, performance.now(), messageOf(taken)),
  });
  const posters = Array.from({ length: Number(flags.clients) }, (_, index) =>
    createPoster({ index, books, idempotent: flags.idempotent }),
  );
  const run: Run = { dataDir, sink, books, posters, random };
  try {
    for (let i = 1; i <= kills; i++) {
      await killOnce(run);
      if (i % 10 === 0) console.log(`${i} kills, ${books.summary()}`);
    }
    const violations = await settle(run);
    console.log(`seed ${flags.seed}, ${kills} kills, ${books.summary()}`);
    for (const { key, what } of violations.slice(0, 50)) console.log(`VIOLATION ${key}: ${what}`);
    console.log(violations.length === 0 ? "nothing lost" : `${violations.length} violations`);
    return violations.length === 0 ? 0 : 1;
  } finally {
    await sink.stop();
    if (flags.keep) console.log(`data folder: ${dataDir}`);
    else for (const path of [dataDir, `${dataDir}.toml`]) rmSync(path, { recursive: true });
  }
}

process.exit(await main());
