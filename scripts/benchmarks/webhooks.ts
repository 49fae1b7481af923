// What webhooks cost the mail: the same load on a daemon without one, on one whose receiver hangs, and on one whose receiver takes all that it
// is told. `scripts/bench webhooks`; --rounds, --count, --clients, --size.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { freePort, listens } from "../../tests/fixtures/process.ts";
import { until } from "../../tests/fixtures/until.ts";
import { peer } from "../../tests/peers.ts";
import { startOurs, type Ours } from "./ours.ts";
import { startSinkReceiver, startSmtpSink } from "./receiver.ts";
import { inTurns, medianOf, roundOf, type Side, writeReport } from "./sideBySide.ts";

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    count: { type: "string", default: "20000" },
    clients: { type: "string", default: "64" },
    size: { type: "string", default: "5120" },
  },
});

const TOLD_MS = 120_000;
const count = Number(flags.count);
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

async function isTold({ daemon }: Ours): Promise<boolean> {
  const text = await (await daemon.request("/metrics")).text();
  return /^postrider_webhook_pending_events 0$/m.test(text);
}

async function main(): Promise<void> {
  if (dnsmasq.missing) throw new Error("the sites of this benchmark need dnsmasq");
  const hanging = await startHooked("hangs");
  const taking = await startHooked("takes");
  const started = {
    without: await start(null),
    hanging: await start(hanging.endpoint),
    taking: await start(taking.endpoint),
  };
  const sides: Side<object>[] = Object.entries(started).map(([name, ours]) => ({
    name,
    async round() {
      const result = await roundOf(ours, count, count);
      // What is still told afterwards would be paid by the next one.
      if (name === "taking") await until("all is told", () => isTold(ours), TOLD_MS);
      return result;
    },
  }));
  try {
    for (const { round } of sides) await round();
    const rounds = await inTurns(sides, Number(flags.rounds));
    const share = (name: string): number => medianOf(rounds[name]) / medianOf(rounds["without"]);
    const came = { hanging: hanging.came(), taking: taking.came() };
    const shares = { hanging: share("hanging"), taking: share("taking") };
    writeReport("webhooks", folder, { count, shares, came, rounds });
    for (const [name, part] of Object.entries(shares))
      console.log(`with a receiver that is ${name}: ${(100 * part).toFixed(0)} % of the mail`);
    console.log(`requests that came: ${JSON.stringify(came)}`);
  } finally {
    hanging.stop();
    taking.stop();
    for (const ours of Object.values(started)) {
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
