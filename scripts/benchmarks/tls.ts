// What encryption costs: the same mail in clear, encrypted on connections that are used again, and with a connection of its own for each
// message, in turns before receivers of the same kind; and beside it what opening a connection costs a sender and a bare client, in
// turns too. `scripts/bench tls`; --rounds, --seconds, --warm-up, --clients, --size.
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs, promisify } from "node:util";
import { peer } from "../../tests/peers.ts";
import type { Round } from "./contender.ts";
import { describeMachine, loadAverage } from "./machine.ts";
import { startOurs, type Ours } from "./ours.ts";
import { startSinkReceiver } from "./receiver.ts";
import { spreadOf } from "./table.ts";
import type { OpeningRates } from "./tlsClient.ts";

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
    clients: { type: "string", default: "64" },
    size: { type: "string", default: "5120" },
    "warm-up": { type: "string", default: "12" },
  },
});

const single = ["--connection-messages", "1", "--site-connect-rate", "unlimited"];
const forms = {
  clear: ["--tls-policy", "off"],
  encrypted: ["--tls-policy", "required"],
  /** One connection a message: what is left is the handshake. */
  clearEach: ["--tls-policy", "off", ...single],
  resumedEach: ["--tls-policy", "required", ...single],
} as const satisfies Record<string, readonly string[]>;
type Form = keyof typeof forms;
const formNames = Object.keys(forms) as readonly Form[];

const root = resolve(import.meta.dir, "..", "..");
const folder = mkdtempSync(join(root, "dist", "bench-"));
const dnsmasq = peer("dnsmasq");
const FIRST_LOOK = 200;

async function start(form: Form): Promise<Ours> {
  return startOurs({
    folder,
    dnsmasq: dnsmasq.path,
    receiver: await startSinkReceiver(1, 0, "starttls"),
    sites: 1,
    clients: Number(flags.clients),
    bodyBytes: Number(flags.size),
    form: "json",
    idempotency: false,
    flags: forms[form],
  });
}

async function openingRates(): Promise<OpeningRates> {
  const receiver = await startSinkReceiver(1, 0, "starttls");
  try {
    const program = join(import.meta.dir, "tlsClient.ts");
    const args = [program, String(receiver.port), flags.seconds];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    return JSON.parse(stdout) as OpeningRates;
  } finally {
    await receiver.stop();
  }
}

async function compare(): Promise<Readonly<Record<Form, readonly Round[]>>> {
  const rounds = Object.fromEntries(formNames.map((form) => [form, [] as Round[]])) as Record<
    Form,
    Round[]
  >;
  const all: { readonly form: Form; readonly ours: Ours; readonly count: number }[] = [];
  try {
    for (const form of formNames) {
      const ours = await start(form);
      const first = await ours.round(FIRST_LOOK);
      // The runtime's compiler takes its time; a daemon runs for months.
      const warm = Math.ceil(first.deliveredPerSecond * Number(flags["warm-up"]));
      const { deliveredPerSecond } = await ours.round(warm);
      all.push({ form, ours, count: Math.ceil(deliveredPerSecond * Number(flags.seconds)) });
    }
    for (let i = 0; i < Number(flags.rounds); i++)
      for (const { form, ours, count } of all) {
        const round = await ours.round(count);
        rounds[form].push(round);
        const us = Object.entries(round.cpuUs).map(([part, one]) => `${part} ${one.toFixed(0)}`);
        console.log(
          `${form}: ${round.deliveredPerSecond.toFixed(0)}/s, us a message: ${us.join(", ")}`,
        );
      }
    return rounds;
  } finally {
    for (const { ours } of all) {
      await ours.stop();
      await ours.receiver.stop();
    }
  }
}

async function main(): Promise<void> {
  if (dnsmasq.missing) throw new Error("the site of this benchmark needs dnsmasq");
  const machine = describeMachine(folder);
  const load = loadAverage();
  const openings = await openingRates();
  for (const [manner, { bare, ours }] of Object.entries(openings))
    console.log(
      `${manner}: ours ${ours.perSecond.toFixed(0)}/s, ${ours.cpuUs.toFixed(0)} us each; ` +
        `bare client ${bare.perSecond.toFixed(0)}/s, ${bare.cpuUs.toFixed(0)} us each`,
    );
  const rounds = await compare();
  const median = (form: Form, of: (round: Round) => number): number =>
    spreadOf(rounds[form].map(of)).median;
  const rate = (form: Form): number => median(form, (round) => round.deliveredPerSecond);
  const senderUs = (form: Form): number => median(form, (round) => round.cpuUs["sender"] ?? 0);
  const ofBare = ({ ours, bare }: OpeningRates["full"]): number => ours.perSecond / bare.perSecond;
  const found = {
    encryptedOfClear: rate("encrypted") / rate("clear"),
    // Connections with a handshake, as often as a bare client makes them.
    fullOfBare: ofBare(openings.full),
    resumedOfBare: ofBare(openings.resumed),
    // What the second EHLO and the handshake cost a sender.
    resumedHandshakeUs: senderUs("resumedEach") - senderUs("clearEach"),
  };
  const results = join(import.meta.dir, "results");
  mkdirSync(results, { recursive: true });
  const { clients, size } = flags;
  const options = { clients: Number(clients), bodyBytes: Number(size) };
  const report = { machine, load, ...options, openings, found, rounds };
  writeFileSync(join(results, "tls.json"), `${JSON.stringify(report, null, 2)}\n`);
  for (const form of formNames) console.log(`${form}: median ${rate(form).toFixed(0)}/s`);
  const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
  console.log(`encrypted of clear: ${percent(found.encryptedOfClear)}`);
  console.log(`full handshakes of a bare client: ${percent(found.fullOfBare)}`);
  console.log(`resumed handshakes of a bare client: ${percent(found.resumedOfBare)}`);
  console.log(`a resumed handshake: ${found.resumedHandshakeUs.toFixed(0)} us of a sender`);
}

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
