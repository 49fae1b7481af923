// How fast mail is taken by SMTP: Postfix's smtp-source, on connections that it keeps and with a connection for each message, against a
// daemon that sends nothing (its queue is paused) and against one that delivers meanwhile. `scripts/bench smtp`; --rounds, --seconds,
// --clients, --size, --form narrow it.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { peer } from "../../tests/peers.ts";
import { freePort, listens } from "../../tests/fixtures/process.ts";
import { until } from "../../tests/fixtures/until.ts";
import { perMessage, untilTaken } from "./contender.ts";
import { cpuByThread, startOurs, type Ours } from "./ours.ts";
import { treeCpuUs } from "./proc.ts";
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
    form: { type: "string", multiple: true },
  },
});

/** What each must reach where it delivers meanwhile. */
const forms = {
  kept: { args: ["-d"], leastPerSecond: 3000 },
  new: { args: [], leastPerSecond: 1500 },
} as const;
type FormName = keyof typeof forms;

const root = resolve(import.meta.dir, "..", "..");
const folder = mkdtempSync(join(root, "dist", "bench-"));
// The receiver gives up root and must still reach its files.
chmodSync(folder, 0o755);
const FIRST_LOOK = 1000;
const WARM_UP_STEP_S = 4;
/** All that is taken by the paused one stays queued. */
const QUEUE_FLAGS = ["--queue-max-messages", "50000000", "--queue-max-bytes", "100GB"];

interface Round {
  readonly acceptedPerSecond: number;
  /** CPU a message: by thread of the daemon, of smtp-source, and of what logs in for it. */
  readonly cpuUs: Readonly<Record<string, number>>;
}

/** A daemon, and the way to its SMTP door. */
interface Served {
  readonly ours: Ours;
  readonly delivers: boolean;
  readonly proxy: Bun.Subprocess;
  readonly port: number;
  accepted: number;
}

interface Side {
  readonly name: string;
  readonly form: FormName;
  readonly served: Served;
  readonly rounds: Round[];
  count: number;
}

async function startServed(delivers: boolean): Promise<Served> {
  const [dnsmasq, smtpSink] = [peer("dnsmasq"), peer("smtp-sink")];
  if (dnsmasq.missing) throw new Error("the sites of this benchmark need dnsmasq");
  const receiver = await (smtpSink.missing
    ? startSinkReceiver(1)
    : startSmtpSink(smtpSink.path, folder, 1));
  const [doorPort, port] = [await freePort(), await freePort()];
  const ours = await startOurs({
    ...{ folder, dnsmasq: dnsmasq.path, receiver, sites: 1, form: "json", idempotency: false },
    ...{ clients: Number(flags.clients), bodyBytes: Number(flags.size) },
    flags: ["--smtp-listen", `127.0.0.1:${doorPort}`, ...QUEUE_FLAGS],
  });
  const { daemon } = ours;
  if (!delivers) {
    const paused = await daemon.request("/queue/pause", { method: "POST", body: '{"all":true}' });
    if (!paused.ok) throw new Error(`the queue was not paused: ${await paused.text()}`);
  }
  const program = join(import.meta.dir, "loginProxy.ts");
  const args = [String(port), String(doorPort), daemon.key];
  const proxy = Bun.spawn([process.execPath, program, ...args], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  await until("the proxy that logs in listens", () => listens(port));
  return { ours, delivers, proxy, port, accepted: 0 };
}

interface Load {
  readonly seconds: number;
  readonly sourceUs: number;
}

/** Its exit status matters: it "finishes" at once when nobody answers, and leaves at the first refusal. */
async function load({ form, served }: Side, count: number): Promise<Load> {
  const { clients, size } = flags;
  const args = [...forms[form].args, "-N", "-s", clients, "-l", size, "-m", String(count)];
  const addresses = ["-f", "a@sender.test", "-t", "x@s000.test"];
  const startedAtMs = performance.now();
  const child = Bun.spawn([smtpSource(), ...args, ...addresses, `127.0.0.1:${served.port}`], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  const code = await child.exited;
  if (code !== 0) throw new Error(`smtp-source ended with ${code}`);
  served.accepted += count;
  const seconds = (performance.now() - startedAtMs) / 1000;
  return { seconds, sourceUs: Number(child.resourceUsage()?.cpuTime.total ?? 0) };
}

function smtpSource(): string {
  const { path, missing } = peer("smtp-source");
  if (missing) throw new Error("this benchmark needs smtp-source");
  return path;
}

async function round(side: Side, count: number): Promise<Round> {
  const { ours, delivers, proxy } = side.served;
  const { receiver } = ours;
  const total = receiver.count() + count;
  const pid = ours.daemon.process.pid;
  const before = cpuByThread(pid, receiver.pid);
  const proxyBefore = treeCpuUs(proxy.pid);
  const [{ seconds, sourceUs }] = await Promise.all([
    load(side, count),
    delivers ? untilTaken(receiver, total) : undefined,
  ]);
  return {
    acceptedPerSecond: count / seconds,
    cpuUs: {
      ...perMessage(before, cpuByThread(pid, receiver.pid), count),
      source: sourceUs / count,
      proxy: (treeCpuUs(proxy.pid) - proxyBefore) / count,
    },
  };
}

/** The runtime's compiler takes its time, and a daemon runs for months. */
async function warmUp(side: Side): Promise<void> {
  let { acceptedPerSecond } = await round(side, FIRST_LOOK);
  for (let leftS = Number(flags["warm-up"]); leftS > 0; leftS -= WARM_UP_STEP_S)
    ({ acceptedPerSecond } = await round(side, Math.ceil(acceptedPerSecond * WARM_UP_STEP_S)));
  side.count = Math.ceil(acceptedPerSecond * Number(flags.seconds));
}

/** What was answered is what was taken. */
async function verify({ ours, accepted }: Served): Promise<void> {
  await until(`${accepted} messages are counted as taken`, async () => {
    const text = await (await ours.daemon.request("/metrics")).text();
    const counted = /^postrider_messages_accepted_total\{door="smtp"\} (\d+)$/m.exec(text)?.[1];
    return Number(counted) === accepted;
  });
}

function lineOf(name: string, rounds: readonly Round[]): string {
  const { median, min, max } = spreadOf(rounds.map((one) => one.acceptedPerSecond));
  const cpu = Object.keys(rounds[0]?.cpuUs ?? {}).map((part) => {
    const us = spreadOf(rounds.map((one) => one.cpuUs[part] ?? 0)).median;
    return `${part} ${us.toFixed(0)}`;
  });
  const spread = `${median.toFixed(0)} (${min.toFixed(0)}-${max.toFixed(0)})`;
  return `${name}: ${spread} messages/s; us a message: ${cpu.join(", ")}`;
}

async function main(): Promise<void> {
  const names = (flags.form ?? Object.keys(forms)).map((name) => {
    if (name === "kept" || name === "new") return name;
    throw new Error(`no form ${name}: ${Object.keys(forms).join(", ")}`);
  });
  const started: Served[] = [];
  try {
    for (const delivers of [false, true]) started.push(await startServed(delivers));
    const sides: Side[] = started.flatMap((served) =>
      names.map((form) => {
        const name = `${form}${served.delivers ? ", delivering" : ""}`;
        return { name, form, served, rounds: [], count: 0 };
      }),
    );
    for (const side of sides) await warmUp(side);
    for (let i = 0; i < Number(flags.rounds); i++)
      for (const side of sides) {
        const one = await round(side, side.count);
        side.rounds.push(one);
        console.log(lineOf(side.name, [one]));
      }
    for (const one of started) await verify(one);
    const { clients, size } = flags;
    writeReport("smtp", folder, {
      ...{ clients: Number(clients), bodyBytes: Number(size) },
      cases: sides.map(({ name, form, rounds }) => ({ name, ...forms[form], rounds })),
    });
    console.log("");
    for (const { name, rounds } of sides) console.log(lineOf(name, rounds));
  } finally {
    for (const { ours, proxy } of started) {
      proxy.kill();
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
