// What reusing connections is worth: a hundred clients, one site, with connections that carry many messages and with one each; latency
// and the sockets that are left behind in TIME_WAIT. `scripts/bench reuse`; --rounds, --count, --size.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { peer } from "../../tests/peers.ts";
import { startOurs, type Ours } from "./ours.ts";
import { startSinkReceiver, startSmtpSink } from "./receiver.ts";
import { inTurns, medianOf, roundOf, type Side, writeReport } from "./sideBySide.ts";

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    count: { type: "string", default: "10000" },
    size: { type: "string", default: "5120" },
  },
});

const CLIENTS = 100;
const root = resolve(import.meta.dir, "..", "..");
const folder = mkdtempSync(join(root, "dist", "bench-"));
const dnsmasq = peer("dnsmasq");
const smtpSink = peer("smtp-sink");

async function start(more: readonly string[]): Promise<Ours> {
  return startOurs({
    ...{ folder, dnsmasq: dnsmasq.path, sites: 1, clients: CLIENTS },
    receiver: smtpSink.missing
      ? await startSinkReceiver(1)
      : await startSmtpSink(smtpSink.path, folder, 1),
    bodyBytes: Number(flags.size),
    form: "json",
    idempotency: false,
    flags: ["--site-connect-rate", "unlimited", "--site-connections", "100", ...more],
  });
}

/** Sockets to or from this port that only wait for their time to be over (state 06 of proc(5)). */
function timeWaits(port: number): number {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const rows = readFileSync("/proc/net/tcp", "utf8").split("\n").slice(1);
  return rows.filter((row) => {
    const [, local = "", remote = "", state] = row.trim().split(/\s+/);
    return state === "06" && (local.endsWith(suffix) || remote.endsWith(suffix));
  }).length;
}

async function main(): Promise<void> {
  if (dnsmasq.missing) throw new Error("the sites of this benchmark need dnsmasq");
  const reused = await start([]);
  const single = await start(["--connection-messages", "1"]);
  const count = Number(flags.count);
  const side = (name: string, ours: Ours): Side<{ timeWaits: number }> => ({
    name,
    async round() {
      const before = timeWaits(ours.receiver.port);
      const taken = await roundOf(ours, count, count);
      return { ...taken, timeWaits: Math.max(0, timeWaits(ours.receiver.port) - before) };
    },
  });
  const sides = [side("reused", reused), side("one message each", single)];
  try {
    for (const { round } of sides) await round();
    const rounds = await inTurns(sides, Number(flags.rounds));
    const gain = medianOf(rounds["reused"]) / medianOf(rounds["one message each"]);
    writeReport("reuse", folder, { count, clients: CLIENTS, gain, rounds });
    console.log(`reuse carries ${gain.toFixed(1)} times as much`);
  } finally {
    for (const ours of [reused, single]) {
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
