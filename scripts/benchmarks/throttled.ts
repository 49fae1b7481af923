// One site of twenty refuses every connection: the other nineteen must not notice. The same load goes to nineteen sites alone, and to
// twenty of which one refuses. `scripts/bench throttled`; --rounds, --count, --clients, --size.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { listens } from "../../tests/fixtures/process.ts";
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

const GOOD_SITES = 19;
const ALL_SITES = 20;
const root = resolve(import.meta.dir, "..", "..");
const folder = mkdtempSync(join(root, "dist", "bench-"));
const dnsmasq = peer("dnsmasq");
const smtpSink = peer("smtp-sink");

function start(sites: number): Promise<Ours> {
  const isRefusing = sites === ALL_SITES;
  return (
    smtpSink.missing ? startSinkReceiver(sites) : startSmtpSink(smtpSink.path, folder, sites)
  ).then((receiver) =>
    startOurs({
      ...{ folder, dnsmasq: dnsmasq.path, receiver, sites, isRefusing },
      clients: Number(flags.clients),
      bodyBytes: Number(flags.size),
      form: "json",
      idempotency: false,
    }),
  );
}

/** Says 421 to whoever comes, at an address that the receiver does not have. */
async function startRefuser(port: number): Promise<() => void> {
  const child = spawn(process.execPath, [join(import.meta.dir, "refuser.ts"), String(port)], {
    stdio: "inherit",
  });
  await until("the refusing server listens", () => listens(port, "::1"));
  return () => void child.kill("SIGTERM");
}

async function main(): Promise<void> {
  if (dnsmasq.missing) throw new Error("the sites of this benchmark need dnsmasq");
  const calm = await start(GOOD_SITES);
  const throttled = await start(ALL_SITES);
  const stopRefuser = await startRefuser(throttled.receiver.port);
  // As many as fill all sites evenly.
  const each = Math.ceil(Number(flags.count) / GOOD_SITES);
  const good = each * GOOD_SITES;
  const sides: Side<object>[] = [
    { name: "calm", round: () => roundOf(calm, good, good) },
    { name: "throttled", round: () => roundOf(throttled, each * ALL_SITES, good) },
  ];
  try {
    for (const { round } of sides) await round();
    const rounds = await inTurns(sides, Number(flags.rounds));
    const share = medianOf(rounds["throttled"]) / medianOf(rounds["calm"]);
    writeReport("throttled", folder, { count: good, share, rounds });
    console.log(`with one site refusing the others carry ${(100 * share).toFixed(0)} %`);
  } finally {
    stopRefuser();
    for (const ours of [calm, throttled]) {
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
