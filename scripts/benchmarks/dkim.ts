// What signing costs: the same mail unsigned, with Ed25519, with RSA-2048 and with both, in turns before receivers of the same kind;
// and in each round what the cores can sign when they do nothing else. `scripts/bench dkim`; --rounds, --seconds, --warm-up, --sites,
// --size.
import { execFile } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs, promisify } from "node:util";
import { peer } from "../../tests/peers.ts";
import type { Round } from "./contender.ts";
import { describeMachine, loadAverage } from "./machine.ts";
import { startOurs, type Ours } from "./ours.ts";
import { startSinkReceiver, startSmtpSink } from "./receiver.ts";
import type { SignRate } from "./signRate.ts";
import { spreadOf } from "./table.ts";

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
    clients: { type: "string", default: "64" },
    size: { type: "string", default: "5120" },
    // A site belongs to one sender thread: with one alone, one core would sign.
    sites: { type: "string", default: "20" },
    "warm-up": { type: "string", default: "12" },
  },
});

const forms = {
  unsigned: [],
  ed25519: ["ed25519"],
  rsa: ["rsa"],
  both: ["rsa", "ed25519"],
} as const satisfies Record<string, readonly ("rsa" | "ed25519")[]>;
type Form = keyof typeof forms;
const formNames = Object.keys(forms) as readonly Form[];

const root = resolve(import.meta.dir, "..", "..");
const folder = mkdtempSync(join(root, "dist", "bench-"));
const dnsmasq = peer("dnsmasq");
const smtpSink = peer("smtp-sink");
const FIRST_LOOK = 500;

function configOf(form: Form): string {
  return join(folder, `${form}.toml`);
}

/** The generator writes from a@sender.test. */
function writeKeys(form: Form): void {
  const tables = forms[form].map((kind) => {
    const { privateKey } =
      kind === "rsa"
        ? generateKeyPairSync("rsa", { modulusLength: 2048 })
        : generateKeyPairSync("ed25519");
    const file = join(folder, `${form}-${kind}.pem`);
    writeFileSync(file, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    return `[[dkim]]\ndomain = "sender.test"\nselector = "${kind}"\nkey_file = "${file}"\n`;
  });
  writeFileSync(configOf(form), tables.join("\n"));
}

async function start(form: Form): Promise<Ours> {
  const sites = Number(flags.sites);
  writeFileSync(configOf(form), "");
  return startOurs({
    folder,
    dnsmasq: dnsmasq.path,
    receiver: smtpSink.missing
      ? await startSinkReceiver(sites)
      : await startSmtpSink(smtpSink.path, folder, sites),
    sites,
    clients: Number(flags.clients),
    bodyBytes: Number(flags.size),
    form: "json",
    idempotency: false,
    flags: ["--config", configOf(form)],
  });
}

/** Messages a second. */
async function warmUp(ours: Ours, pace: number): Promise<number> {
  const { deliveredPerSecond } = await ours.round(Math.ceil(pace * Number(flags["warm-up"])));
  return deliveredPerSecond;
}

/**
 * The runtime's compiler takes its time; a daemon runs for months. It goes by messages, of which a form that signs with RSA sends a
 * quarter as many: so all of them warm up unsigned, and then with their keys.
 */
async function startWarm(form: Form): Promise<{ readonly ours: Ours; readonly count: number }> {
  const ours = await start(form);
  const { deliveredPerSecond: first } = await ours.round(FIRST_LOOK);
  let pace = await warmUp(ours, first);
  if (forms[form].length > 0) {
    writeKeys(form);
    const { status } = await ours.daemon.request("/reload", { method: "POST" });
    if (status !== 200) throw new Error(`the keys were not taken: ${status}`);
    ({ deliveredPerSecond: pace } = await ours.round(FIRST_LOOK));
    pace = await warmUp(ours, pace);
  }
  return { ours, count: Math.ceil(pace * Number(flags.seconds)) };
}

/** What all cores together can sign a second. */
async function signRates(): Promise<SignRate> {
  const run = promisify(execFile);
  const program = join(import.meta.dir, "signRate.ts");
  const all = await Promise.all(cpus().map(() => run(process.execPath, [program])));
  const rates = all.map(({ stdout }) => JSON.parse(stdout) as SignRate);
  return {
    rsa: rates.reduce((sum, one) => sum + one.rsa, 0),
    ed25519: rates.reduce((sum, one) => sum + one.ed25519, 0),
  };
}

interface Compared {
  readonly rounds: Readonly<Record<Form, readonly Round[]>>;
  readonly bare: readonly SignRate[];
}

async function compare(): Promise<Compared> {
  const rounds = Object.fromEntries(formNames.map((form) => [form, [] as Round[]])) as Record<
    Form,
    Round[]
  >;
  const bare: SignRate[] = [];
  const all: { readonly form: Form; readonly ours: Ours; readonly count: number }[] = [];
  try {
    for (const form of formNames) all.push({ form, ...(await startWarm(form)) });
    for (let i = 0; i < Number(flags.rounds); i++) {
      bare.push(await signRates());
      for (const { form, ours, count } of all)
        rounds[form].push(tell(form, await ours.round(count)));
    }
    return { rounds, bare };
  } finally {
    for (const { ours } of all) {
      await ours.stop();
      await ours.receiver.stop();
    }
  }
}

function tell(form: Form, round: Round): Round {
  const us = Object.entries(round.cpuUs).map(([part, one]) => `${part} ${one.toFixed(0)}`);
  console.log(`${form}: ${round.deliveredPerSecond.toFixed(0)}/s, us a message: ${us.join(", ")}`);
  return round;
}

/** Round by round, since the machine's own pace drifts more than what is compared. */
function sharesOf({ rounds, bare }: Compared) {
  const share = (form: Form, of: (i: number) => number): number =>
    spreadOf(rounds[form].map((round, i) => round.deliveredPerSecond / of(i))).median;
  const unsigned = (i: number): number => rounds.unsigned[i]?.deliveredPerSecond ?? 0;
  const bareRsa = (i: number): number => bare[i]?.rsa ?? 0;
  /** Of cores that deliver as they do unsigned and sign as they do when they do nothing else. */
  const reachable = (i: number): number => 1 / (1 / unsigned(i) + 1 / bareRsa(i));
  return {
    ed25519OfUnsigned: share("ed25519", unsigned),
    rsaOfUnsigned: share("rsa", unsigned),
    rsaOfBare: share("rsa", bareRsa),
    rsaOfReachable: share("rsa", reachable),
    bothOfReachable: share("both", reachable),
  };
}

async function main(): Promise<void> {
  if (dnsmasq.missing) throw new Error("the sites of this benchmark need dnsmasq");
  const machine = describeMachine(folder);
  const load = loadAverage();
  const compared = await compare();
  const { rounds, bare } = compared;
  const median = (values: readonly number[]): number => spreadOf(values).median;
  const shares = sharesOf(compared);
  const results = join(import.meta.dir, "results");
  mkdirSync(results, { recursive: true });
  const { sites, clients, size } = flags;
  const options = { sites: Number(sites), clients: Number(clients), bodyBytes: Number(size) };
  const report = { machine, load, ...options, bare, shares, rounds };
  writeFileSync(join(results, "dkim.json"), `${JSON.stringify(report, null, 2)}\n`);
  console.log(
    `${cpus().length} cores sign ${median(bare.map(({ rsa }) => rsa)).toFixed(0)} RSA-2048/s ` +
      `or ${median(bare.map(({ ed25519 }) => ed25519)).toFixed(0)} Ed25519/s`,
  );
  for (const form of formNames) {
    const rate = median(rounds[form].map((round) => round.deliveredPerSecond));
    console.log(`${form}: median ${rate.toFixed(0)}/s`);
  }
  for (const [name, one] of Object.entries(shares))
    console.log(`${name}: ${(100 * one).toFixed(0)} %`);
}

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
