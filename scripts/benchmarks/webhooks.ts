// What webhooks cost the mail: the same load on a daemon without one, on one whose receiver hangs, on one whose receiver is not there, and on
// one whose receiver takes all that it is told. Each round is compared with the one without beside it. `scripts/bench webhooks`; --rounds,
// --seconds, --clients, --size, --receiver narrow it.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { freePort, listens } from "../../tests/fixtures/process.ts";
import { until } from "../../tests/fixtures/until.ts";
import { peer } from "../../tests/peers.ts";
import type { Round } from "./contender.ts";
import { startOurs, type Ours } from "./ours.ts";
import { startSinkReceiver, startSmtpSink } from "./receiver.ts";
import { writeReport } from "./sideBySide.ts";
import { spreadOf } from "./table.ts";

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "3" },
    "warm-up": { type: "string", default: "8" },
    clients: { type: "string", default: "64" },
    size: { type: "string", default: "5120" },
    receiver: { type: "string", multiple: true },
  },
});

const TOLD_MS = 120_000;
const FIRST_LOOK = 1000;
const WARM_UP_STEP_S = 4;
const root = resolve(import.meta.dir, "..", "..");
const folder = mkdtempSync(join(root, "dist", "bench-"));
const dnsmasq = peer("dnsmasq");
const smtpSink = peer("smtp-sink");

async function start(endpoint: string | null): Promise<Ours> {
  const receiver = await (smtpSink.missing
    ? startSinkReceiver(1)
    : startSmtpSink(smtpSink.path, folder, 1));
  const ours = await startOurs({
    ...{ folder, dnsmasq: dnsmasq.path, receiver, sites: 1 },
    clients: Number(flags.clients),
    bodyBytes: Number(flags.size),
    form: "json",
    idempotency: false,
    flags: ["--webhook-allow", "127.0.0.0/8"],
  });
  if (endpoint === null) return ours;
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ endpoint });
  const made = await ours.daemon.request("/webhooks", { method: "POST", headers, body });
  if (made.status !== 201) throw new Error(await made.text());
  return ours;
}

interface Hooked {
  readonly endpoint: string;
  came(): number;
  stop(): void;
}

/** Takes everything, or answers nothing. */
async function startHooked(manner: "takes" | "hangs"): Promise<Hooked> {
  const port = await freePort();
  const program = join(import.meta.dir, "hookReceiver.ts");
  const child = spawn(process.execPath, [program, String(port), manner], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => void (said = chunk.toString()));
  await until("the receiver of webhooks listens", () => listens(port));
  return {
    endpoint: `http://127.0.0.1:${port}/`,
    came: () => Number(said.trim().split("\n").at(-1)),
    stop: () => void child.kill("SIGTERM"),
  };
}

/** Nobody listens there. */
async function startDead(): Promise<Hooked> {
  return { endpoint: `http://127.0.0.1:${await freePort()}/`, came: () => 0, stop: () => {} };
}

const receivers: Readonly<Record<string, () => Promise<Hooked>>> = {
  hanging: () => startHooked("hangs"),
  dead: startDead,
  taking: () => startHooked("takes"),
};

async function isTold({ daemon }: Ours): Promise<boolean> {
  const text = await (await daemon.request("/metrics")).text();
  return /^postrider_webhook_pending_events 0$/m.test(text);
}

interface Side {
  readonly name: string;
  readonly ours: Ours;
  readonly hooked: Hooked | null;
  readonly rounds: Round[];
}

async function startSide(name: string, hooked: Hooked | null): Promise<Side> {
  return { name, ours: await start(hooked?.endpoint ?? null), hooked, rounds: [] };
}

async function roundOf({ name, ours }: Side, count: number): Promise<Round> {
  const round = await ours.round(count);
  // What is still told afterwards would be paid by the next one.
  if (name === "taking") await until("all is told", () => isTold(ours), TOLD_MS);
  return round;
}

/** The same number of messages for all: as many as the slowest carries in a round. */
async function warmUp(sides: readonly Side[]): Promise<number> {
  const rates = new Map<string, number>();
  const look = async (side: Side, count: number): Promise<void> =>
    void rates.set(side.name, (await roundOf(side, count)).deliveredPerSecond);
  for (const side of sides) await look(side, FIRST_LOOK);
  for (let leftS = Number(flags["warm-up"]); leftS > 0; leftS -= WARM_UP_STEP_S)
    for (const side of sides)
      await look(side, Math.ceil((rates.get(side.name) ?? 0) * WARM_UP_STEP_S));
  return Math.ceil(Math.min(...rates.values()) * Number(flags.seconds));
}

const ownParts = ["door", "queue", "reader", "sender", "runtime"];

function ownCpuUs({ cpuUs }: Round): number {
  return ownParts.reduce((sum, part) => sum + (cpuUs[part] ?? 0), 0);
}

const medianOf = (values: readonly number[]): number => spreadOf(values).median;

/** Each round beside the one without a webhook that ran next to it. */
function compared({ name, rounds, hooked }: Side, without: readonly Round[]) {
  const pairs = (of: (round: Round) => number): readonly number[] =>
    rounds.map((round, i) => of(round) / of(without[i] ?? round));
  return {
    name,
    perSecond: medianOf(rounds.map((round) => round.deliveredPerSecond)),
    rateOfPairs: spreadOf(pairs((round) => round.deliveredPerSecond)),
    cpuOfPairs: spreadOf(pairs(ownCpuUs)),
    cpuUs: Object.fromEntries(
      ownParts.map((part) => [part, medianOf(rounds.map(({ cpuUs }) => cpuUs[part] ?? 0))]),
    ),
    requests: hooked?.came() ?? 0,
  };
}

function lineOf({
  name,
  perSecond,
  rateOfPairs,
  cpuOfPairs,
  cpuUs,
  requests,
}: ReturnType<typeof compared>) {
  const percent = (ratio: number): string => `${(100 * ratio).toFixed(1)} %`;
  const cpu = Object.entries(cpuUs).map(([part, us]) => `${part} ${us.toFixed(0)}`);
  return (
    `${name}: ${perSecond.toFixed(0)}/s; by pairs ${percent(rateOfPairs.median)} of the mail ` +
    `(${percent(rateOfPairs.min)} to ${percent(rateOfPairs.max)}), ${percent(cpuOfPairs.median)} of the CPU; ` +
    `us a message: ${cpu.join(", ")}; ${requests} requests came`
  );
}

async function main(): Promise<void> {
  if (dnsmasq.missing) throw new Error("the sites of this benchmark need dnsmasq");
  const names = flags.receiver ?? Object.keys(receivers);
  const sides: Side[] = [];
  try {
    sides.push(await startSide("without", null));
    for (const name of names) {
      const startReceiver = receivers[name];
      if (startReceiver === undefined)
        throw new Error(`no receiver ${name}: ${Object.keys(receivers).join(", ")}`);
      sides.push(await startSide(name, await startReceiver()));
    }
    const count = await warmUp(sides);
    for (let i = 0; i < Number(flags.rounds); i++)
      for (const side of i % 2 === 0 ? sides : sides.toReversed()) {
        const round = await roundOf(side, count);
        side.rounds.push(round);
        console.log(`${side.name}: ${round.deliveredPerSecond.toFixed(0)}/s`);
      }
    const results = sides.map((side) => compared(side, sides[0]?.rounds ?? []));
    const rounds = Object.fromEntries(sides.map((side) => [side.name, side.rounds]));
    writeReport("webhooks", folder, { count, results, rounds });
    for (const one of results) console.log(lineOf(one));
  } finally {
    for (const { ours, hooked } of sides) {
      hooked?.stop();
      await ours.stop();
      await ours.receiver.stop();
    }
  }
}

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
