// What a setting costs: two daemons, with it and without it, carry the same load in turns, and each round is compared with the one beside
// it. Which of them comes first changes with each round, and both are started anew several times, since one process of a kind may by chance be
// compiled better than another.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { peer } from "../../tests/peers.ts";
import type { Round } from "./contender.ts";
import { describeMachine } from "./machine.ts";
import { startOurs, type Ours } from "./ours.ts";
import { writeReadme } from "./readme.ts";
import { startSinkReceiver, startSmtpSink } from "./receiver.ts";
import { writeReport } from "./sideBySide.ts";
import { spreadOf, whole } from "./table.ts";

export interface Compared {
  /** Its file of results, and the marks in the README. */
  readonly profile: string;
  /** What is on, in words. */
  readonly what: string;
  readonly on: readonly string[];
  readonly off: readonly string[];
  /** The share of throughput that must be left. */
  readonly least: number;
  /** Figures of whoever is told something, read at the end. */
  readonly told?: () => Promise<object>;
}

const SIDES = ["on", "off"] as const;
type SideName = (typeof SIDES)[number];
type Rounds = Record<SideName, Round[]>;

const { values: flags } = parseArgs({
  options: {
    starts: { type: "string", default: "2" },
    rounds: { type: "string", default: "8" },
    seconds: { type: "string", default: "2" },
    clients: { type: "string", default: "64" },
    size: { type: "string", default: "5120" },
    sites: { type: "string", default: "1" },
    "warm-up": { type: "string", default: "16" },
    readme: { type: "boolean", default: false },
  },
});

const FIRST_LOOK = 500;
const COUNT_MAX = 200_000;
const WARM_UP_STEP_S = 4;
const root = resolve(import.meta.dir, "..", "..");

async function start(folder: string, more: readonly string[]): Promise<Ours> {
  const [dnsmasq, smtpSink] = [peer("dnsmasq"), peer("smtp-sink")];
  if (dnsmasq.missing) throw new Error("the sites of this benchmark need dnsmasq");
  const sites = Number(flags.sites);
  const receiver = await (smtpSink.missing
    ? startSinkReceiver(sites)
    : startSmtpSink(smtpSink.path, folder, sites));
  return startOurs({
    ...{ folder, dnsmasq: dnsmasq.path, receiver, sites, flags: more },
    clients: Number(flags.clients),
    bodyBytes: Number(flags.size),
    form: "json",
    idempotency: false,
  });
}

/** The same number of messages for both: as many as the slower one carries in a round. */
async function warmUp(sides: Readonly<Record<SideName, Ours>>): Promise<number> {
  const rates = { on: 0, off: 0 };
  for (const name of SIDES) rates[name] = (await sides[name].round(FIRST_LOOK)).deliveredPerSecond;
  for (let leftS = Number(flags["warm-up"]); leftS > 0; leftS -= WARM_UP_STEP_S)
    for (const name of SIDES) {
      const count = Math.min(COUNT_MAX, Math.ceil(rates[name] * WARM_UP_STEP_S));
      rates[name] = (await sides[name].round(count)).deliveredPerSecond;
    }
  const slower = Math.min(rates.on, rates.off);
  return Math.min(COUNT_MAX, Math.ceil(slower * Number(flags.seconds)));
}

async function runOnce(folder: string, compared: Compared, rounds: Rounds): Promise<void> {
  const on = await start(folder, compared.on);
  const off = await start(folder, compared.off);
  const sides = { on, off };
  try {
    const count = await warmUp(sides);
    for (let i = 0; i < Number(flags.rounds); i++)
      for (const name of i % 2 === 0 ? SIDES : SIDES.toReversed()) {
        const round = await sides[name].round(count);
        rounds[name].push(round);
        console.log(lineOf(name, round));
      }
  } finally {
    for (const ours of [on, off]) {
      await ours.stop();
      await ours.receiver.stop();
    }
  }
}

function lineOf(name: SideName, { deliveredPerSecond, acceptP99Ms, cpuUs }: Round): string {
  const cpu = Object.entries(cpuUs).map(([part, us]) => `${part} ${us.toFixed(0)}`);
  const p99 = acceptP99Ms === null ? "" : ` p99 ${acceptP99Ms.toFixed(1)} ms,`;
  return `${name}: ${deliveredPerSecond.toFixed(0)}/s,${p99} us a message: ${cpu.join(", ")}`;
}

/** Of what the daemon itself takes; generator and receiver are no part of it. */
function ownCpuUs({ cpuUs }: Round): number {
  const parts = ["door", "queue", "reader", "sender", "runtime"];
  return parts.reduce((sum, part) => sum + (cpuUs[part] ?? 0), 0);
}

export async function compareOnOff(compared: Compared): Promise<void> {
  const folder = mkdtempSync(join(root, "dist", "bench-"));
  // The receiver gives up root and must still reach its files.
  chmodSync(folder, 0o755);
  const rounds: Rounds = { on: [], off: [] };
  try {
    for (let i = 0; i < Number(flags.starts); i++) await runOnce(folder, compared, rounds);
    const told = (await compared.told?.()) ?? {};
    const median = (values: readonly number[]): number => spreadOf(values).median;
    const rates = (name: SideName) => rounds[name].map((round) => round.deliveredPerSecond);
    const cpu = (name: SideName) => median(rounds[name].map(ownCpuUs));
    const pairs = spreadOf(rates("on").map((rate, i) => rate / (rates("off")[i] ?? NaN)));
    const result = {
      ratio: median(rates("on")) / median(rates("off")),
      ratioOfPairs: pairs,
      cpuRatio: cpu("on") / cpu("off"),
      cpuUs: { on: cpu("on"), off: cpu("off") },
      perSecond: { on: median(rates("on")), off: median(rates("off")) },
    };
    writeReport(compared.profile, folder, { ...compared, ...told, ...result, rounds });
    const text = sentenceOf(compared, rounds.on.length, result, describeMachine(folder).revision);
    console.log(`\n${text}`);
    if (flags.readme) writeReadme(compared.profile, text);
    const isEnough = Math.max(result.ratio, pairs.median) >= compared.least;
    if (!isEnough) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Result {
  readonly ratio: number;
  readonly ratioOfPairs: { readonly min: number; readonly max: number; readonly median: number };
  readonly cpuUs: Readonly<Record<SideName, number>>;
  readonly perSecond: Readonly<Record<SideName, number>>;
}

function sentenceOf({ what, least }: Compared, count: number, result: Result, at: string): string {
  const percent = (ratio: number): string => `${(100 * ratio).toFixed(1)} %`;
  const { ratio, ratioOfPairs: pairs, cpuUs, perSecond } = result;
  return [
    `With ${what}: ${whole(perSecond.on)}/s against ${whole(perSecond.off)}/s without, ${percent(ratio)}`,
    `(at least ${percent(least)} is wanted); by pairs of rounds ${percent(pairs.median)},`,
    `${percent(pairs.min)} to ${percent(pairs.max)}; CPU of the daemon ${whole(cpuUs.on)} against`,
    `${whole(cpuUs.off)} us a message. Medians of ${count} rounds in turns, revision ${at}.`,
  ].join(" ");
}
