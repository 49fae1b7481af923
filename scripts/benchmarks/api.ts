// How fast mail is taken: 64 clients against a daemon that sends nothing (its queue is paused), in every form that the API has, in turns.
// `scripts/bench api`; --rounds, --seconds, --clients, --size, --form narrow it; --readme puts the table into the README.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import type { QueueView } from "../../src/mail/query.ts";
import { startDaemon, type Daemon } from "../../tests/fixtures/daemon.ts";
import { apiTable, type ApiRound } from "./apiTable.ts";
import { perMessage } from "./contender.ts";
import { createLoad, type Load } from "./load.ts";
import { describeMachine, loadAverage } from "./machine.ts";
import { cpuByThread } from "./ours.ts";
import { peakRssBytes } from "./proc.ts";
import { BATCH, type Form } from "./request.ts";
import { writeReadme } from "./readme.ts";
import { measureSignRate } from "./signRate.ts";

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    clients: { type: "string", default: "64" },
    size: { type: "string", default: "5120" },
    "warm-up": { type: "string", default: "8" },
    form: { type: "string", multiple: true },
    readme: { type: "boolean", default: false },
  },
});

interface Case {
  readonly what: string;
  readonly form: Form;
  readonly idempotency: boolean;
  readonly bodyBytes: number;
}

const size = Number(flags.size);
const ATTACHED_BYTES = 102_400;
const SMALL_BYTES = 1024;

const asked = (what: string, form: Form, bodyBytes: number, idempotency = false): Case => ({
  what: `${what}, ${bodyBytes / 1024} KB`,
  ...{ form, bodyBytes, idempotency },
});

const KEYED = "JSON with an idempotency key";
const LIST = `${BATCH} at once, each`;

const cases: Readonly<Record<string, Case>> = {
  single: asked("JSON", "json", size),
  keyed: asked(KEYED, "json", size, true),
  small: asked("JSON", "json", SMALL_BYTES),
  "small-keyed": asked(KEYED, "json", SMALL_BYTES, true),
  cbor: asked("CBOR", "cbor", size),
  raw: asked("`message/rfc822`", "raw", size),
  batch: asked(LIST, "batch", size),
  "small-batch": asked(LIST, "batch", SMALL_BYTES),
  attachment: asked("JSON, nearly all of it an attachment", "attachment", ATTACHED_BYTES),
};

interface Running extends Case {
  readonly name: string;
  readonly daemon: Daemon;
  readonly load: Load;
  readonly rounds: ApiRound[];
  count: number;
}

const root = resolve(import.meta.dir, "..", "..");
const folder = mkdtempSync(join(root, "dist", "bench-"));
const FIRST_LOOK = 2000;
/** All that is taken stays queued. */
const QUEUE_FLAGS = ["--queue-max-messages", "50000000", "--queue-max-bytes", "100GB"];

async function start(name: string, given: Case): Promise<Running> {
  const dataDir = mkdtempSync(join(folder, `${name}-`));
  const flagsOf = ["--hostname", "bench.test", "--log-level", "warn", ...QUEUE_FLAGS];
  const daemon = await startDaemon({ dataDir, flags: flagsOf });
  const paused = await daemon.request("/queue/pause", { method: "POST", body: '{"all":true}' });
  if (!paused.ok) throw new Error(`the queue was not paused: ${await paused.text()}`);
  const load = createLoad({ ...given, clients: Number(flags.clients), sites: 20 });
  return { name, ...given, daemon, load, rounds: [], count: 0 };
}

/** The runtime's compiler takes its time, and a daemon runs for months. */
async function warmUp(running: Running): Promise<void> {
  const { daemon, load } = running;
  const perSecond = async (count: number): Promise<number> => {
    const { accepted, seconds } = await load(daemon, count);
    return accepted / seconds;
  };
  const first = await perSecond(FIRST_LOOK);
  const settled = await perSecond(wholeBatches(first * Number(flags["warm-up"])));
  running.count = wholeBatches(settled * Number(flags.seconds));
}

const wholeBatches = (count: number): number => Math.ceil(count / 100) * 100;

async function round({ daemon, load, count, rounds, name }: Running): Promise<void> {
  const { pid } = daemon.process;
  const before = cpuByThread(pid, process.pid);
  const { accepted, seconds, p50Ms, p99Ms, cpuUs } = await load(daemon, count);
  const { receiver: _, ...threads } = perMessage(before, cpuByThread(pid, process.pid), count);
  const one: ApiRound = {
    acceptedPerSecond: accepted / seconds,
    p50Ms,
    p99Ms,
    cpuUs: { ...threads, generator: cpuUs / count },
  };
  rounds.push(one);
  const us = Object.entries(one.cpuUs).map(([part, value]) => `${part} ${value.toFixed(0)}`);
  console.log(
    `${name}: ${one.acceptedPerSecond.toFixed(0)}/s, p50 ${p50Ms.toFixed(1)} ms, ` +
      `p99 ${p99Ms.toFixed(1)} ms, us a message: ${us.join(", ")}`,
  );
}

/** What was answered is what is there. */
async function verify({ name, daemon, load }: Running): Promise<void> {
  const view = (await (await daemon.request("/queue")).json()) as Pick<QueueView, "counts">;
  const queued = view.counts.reduce((sum, { recipients }) => sum + recipients, 0);
  if (queued !== load.total())
    throw new Error(`${name}: ${load.total()} answered, ${queued} in the queue`);
}

async function main(): Promise<void> {
  const machine = describeMachine(folder);
  const load = loadAverage();
  const signedPerSecond = measureSignRate().rsa;
  const names = flags.form ?? Object.keys(cases);
  const all: Running[] = [];
  try {
    for (const name of names) {
      const given = cases[name];
      if (given === undefined) throw new Error(`no form ${name}: ${Object.keys(cases).join(", ")}`);
      all.push(await start(name, given));
    }
    for (const one of all) await warmUp(one);
    for (let i = 0; i < Number(flags.rounds); i++) for (const one of all) await round(one);
    for (const one of all) await verify(one);
    const measured = all.map(({ name, what, form, idempotency, bodyBytes, rounds, daemon }) => ({
      ...{ name, what, form, idempotency, bodyBytes, rounds },
      rssPeakBytes: peakRssBytes(daemon.process.pid),
    }));
    const clients = Number(flags.clients);
    const report = { machine, load, clients, signedPerSecond, cases: measured };
    write(report);
    for (const { name, rssPeakBytes } of measured)
      console.log(`${name}: ${(rssPeakBytes / 1e6).toFixed(0)} MB at most`);
    const table = apiTable(report);
    if (flags.readme) writeReadme("api", table);
    console.log(`\n${table}`);
  } finally {
    for (const { daemon } of all) await daemon.stop();
  }
}

function write(report: unknown): void {
  const results = join(import.meta.dir, "results");
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, "api.json"), `${JSON.stringify(report, null, 2)}\n`);
}

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
