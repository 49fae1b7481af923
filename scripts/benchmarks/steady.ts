// The comparison of DESIGN 9: the same messages, the same durability, the same receiver, rounds
// interleaved. `scripts/bench steady` runs the standard profile; --rounds, --seconds, --size,
// --sites, --clients narrow it.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { peer } from "../../tests/peers.ts";
import type { Contender, Round } from "./contender.ts";
import { describeMachine, loadAverage, type Machine } from "./machine.ts";
import { startOurs, type Ours } from "./ours.ts";
import { startPostfixContender } from "./postfix.ts";
import { peakRssBytes, rssBytes } from "./proc.ts";
import { startSinkReceiver, startSmtpSink, type Receiver } from "./receiver.ts";
import { measureQueued, syncsPerMessage } from "./steadyExtras.ts";
import { writeReadme } from "./readme.ts";
import { tableOf } from "./table.ts";

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
    clients: { type: "string", default: "64" },
    size: { type: "string", multiple: true },
    sites: { type: "string", multiple: true },
    form: { type: "string", default: "json" },
    key: { type: "boolean", default: false },
    "warm-up": { type: "string", default: "20" },
    queued: { type: "string", default: "200000" },
    readme: { type: "boolean", default: false },
  },
});

const root = resolve(import.meta.dir, "..", "..");
const folder = mkdtempSync(join(root, "dist", "bench-"));
// Postfix's daemons give up root and must still reach their queue.
chmodSync(folder, 0o755);
const dnsmasq = peer("dnsmasq");
const smtpSink = peer("smtp-sink");

export interface Profile {
  readonly bodyBytes: number;
  readonly sites: number;
}

export interface Compared {
  readonly profile: Profile;
  readonly rounds: Readonly<Record<string, readonly Round[]>>;
  readonly rssIdleBytes: number;
  readonly rssPeakBytes: number;
  readonly syncsPerMessage: number | null;
}

export interface Report {
  readonly machine: Machine;
  readonly load: number;
  readonly clients: number;
  readonly form: string;
  readonly idempotencyKey: boolean;
  readonly compared: readonly Compared[];
  readonly rssQueued: { readonly count: number; readonly bytes: number } | null;
}

function profiles(): Profile[] {
  const sizes = (flags.size ?? ["5120"]).map(Number);
  const sites = (flags.sites ?? ["1"]).map(Number);
  if (flags.size !== undefined || flags.sites !== undefined)
    return sizes.flatMap((bodyBytes) => sites.map((count) => ({ bodyBytes, sites: count })));
  return [
    { bodyBytes: 5120, sites: 1 },
    { bodyBytes: 5120, sites: 20 },
    { bodyBytes: 5120, sites: 500 },
    { bodyBytes: 1024, sites: 1 },
    { bodyBytes: 102_400, sites: 1 },
  ];
}

/** One receiver each: no contender waits for another's leftovers. */
function startReceiver(sites: number, byId: boolean): Promise<Receiver> {
  return byId || smtpSink.missing
    ? startSinkReceiver(sites)
    : startSmtpSink(smtpSink.path, folder, sites);
}

async function start(profile: Profile, byId: boolean): Promise<{ ours: Ours; peers: Contender[] }> {
  const clients = Number(flags.clients);
  const common = { folder, clients, ...profile };
  const ours = await startOurs({
    ...common,
    dnsmasq: dnsmasq.path,
    receiver: await startReceiver(profile.sites, byId),
    form: flags.form === "raw" ? "raw" : "json",
    idempotency: flags.key,
  });
  const peers: Contender[] = [];
  if (!peer("postfix").missing)
    peers.push(
      await startPostfixContender({
        ...common,
        receiver: await startReceiver(profile.sites, byId),
      }),
    );
  return { ours, peers };
}

const FIRST_LOOK = 500;
const WARM_UP_STEP_S = 4;
const COUNT_MAX = 200_000;
const VERIFIED = 1_000;

/**
 * A daemon runs for months, so its first seconds are no measure: each contender carries the same load for as long before it counts
 * (the compiler of the runtime takes that long to settle; for a peer in C it changes nothing). Tells how many messages fill a round.
 */
async function warmUp(contender: Contender): Promise<number> {
  let { deliveredPerSecond } = await contender.round(FIRST_LOOK);
  for (let leftS = Number(flags["warm-up"]); leftS > 0; leftS -= WARM_UP_STEP_S) {
    const count = Math.ceil(deliveredPerSecond * WARM_UP_STEP_S);
    ({ deliveredPerSecond } = await contender.round(Math.min(COUNT_MAX, count)));
  }
  return Math.min(COUNT_MAX, Math.ceil(deliveredPerSecond * Number(flags.seconds)));
}

/**
 * smtp-sink counts and knows no ids: so a first round goes to our own sink, where each id must come
 * exactly once.
 */
async function verifyById(profile: Profile): Promise<void> {
  const { ours, peers } = await start(profile, true);
  const all: Contender[] = [ours, ...peers];
  try {
    for (const one of all) {
      await one.round(VERIFIED);
      const repeated = one.receiver.repeated();
      if (repeated !== 0) throw new Error(`${one.name} sent ${repeated} messages more than once`);
    }
  } finally {
    await stopAll(all);
  }
}

async function stopAll(all: readonly Contender[]): Promise<void> {
  for (const one of all) {
    await one.stop();
    await one.receiver.stop();
  }
}

async function compare(profile: Profile): Promise<Compared> {
  await verifyById(profile);
  const { ours, peers } = await start(profile, false);
  const all: Contender[] = [ours, ...peers];
  try {
    const { pid } = ours.daemon.process;
    const rssIdleBytes = rssBytes(pid);
    const counts = new Map<string, number>();
    for (const one of all) counts.set(one.name, await warmUp(one));
    const rounds: Record<string, Round[]> = Object.fromEntries(all.map(({ name }) => [name, []]));
    for (let i = 0; i < Number(flags.rounds); i++) {
      for (const one of all) {
        const round = await one.round(counts.get(one.name) ?? FIRST_LOOK);
        rounds[one.name]?.push(round);
        console.log(lineOf(profile, one.name, round));
      }
    }
    return {
      profile,
      rounds,
      rssIdleBytes,
      rssPeakBytes: peakRssBytes(pid),
      syncsPerMessage: await syncsPerMessage(ours),
    };
  } finally {
    await stopAll(all);
  }
}

function lineOf(profile: Profile, name: string, round: Round): string {
  const cpu = Object.entries(round.cpuUs).map(([part, us]) => `${part} ${us.toFixed(0)}`);
  return [
    `${profile.bodyBytes} B, ${profile.sites} sites, ${name}:`,
    `${round.deliveredPerSecond.toFixed(0)}/s delivered,`,
    `${round.acceptedPerSecond.toFixed(0)}/s accepted,`,
    ...(round.acceptP99Ms === null ? [] : [`p99 ${round.acceptP99Ms.toFixed(1)} ms,`]),
    `us a message: ${cpu.join(", ")}`,
  ].join(" ");
}

async function main(): Promise<void> {
  if (dnsmasq.missing) throw new Error("the sites of this benchmark need dnsmasq");
  const machine = describeMachine(folder);
  const load = loadAverage();
  const compared: Compared[] = [];
  for (const profile of profiles()) compared.push(await compare(profile));
  const queued = Number(flags.queued);
  const report: Report = {
    machine,
    load,
    clients: Number(flags.clients),
    form: flags.form,
    idempotencyKey: flags.key,
    compared,
    rssQueued: queued === 0 ? null : await measureQueued({ folder, dnsmasq: dnsmasq.path, queued }),
  };
  const results = join(import.meta.dir, "results");
  mkdirSync(results, { recursive: true });
  const file = join(results, "steady.json");
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
  console.log(`written to ${file}`);
  const table = tableOf(report);
  if (flags.readme) writeReadme("bench", table);
  console.log(`\n${table}`);
}

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
