// A server that is far away: each of its replies takes 100 ms. What counts is how many connections are opened, and how few replies a
// message waits for. `scripts/bench distant`; --rounds, --count, --size, --delay, --sites.
import { mkdtempSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { peer } from "../../tests/peers.ts";
import { startOurs, type Ours } from "./ours.ts";
import { startSinkReceiver } from "./receiver.ts";
import { inTurns, medianOf, roundOf, type Side, writeReport } from "./sideBySide.ts";

const { values: flags } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    count: { type: "string", default: "500" },
    clients: { type: "string", default: "64" },
    size: { type: "string", default: "5120" },
    delay: { type: "string", default: "100" },
    sites: { type: "string", multiple: true },
  },
});

const root = resolve(import.meta.dir, "..", "..");
const folder = mkdtempSync(join(root, "dist", "bench-"));
const dnsmasq = peer("dnsmasq");

async function start(sites: number): Promise<Ours> {
  return startOurs({
    ...{ folder, dnsmasq: dnsmasq.path, sites },
    receiver: await startSinkReceiver(sites, 0, "clear", Number(flags.delay)),
    clients: Number(flags.clients),
    bodyBytes: Number(flags.size),
    form: "json",
    idempotency: false,
  });
}

async function main(): Promise<void> {
  if (dnsmasq.missing) throw new Error("the sites of this benchmark need dnsmasq");
  const count = Number(flags.count);
  const all: { readonly sites: number; readonly ours: Ours }[] = [];
  try {
    for (const sites of (flags.sites ?? ["1", "20"]).map(Number))
      all.push({ sites, ours: await start(sites) });
    const sides = all.map(({ sites, ours }): Side<object> => ({
      name: `${sites} sites`,
      round: () => roundOf(ours, count * sites, count * sites),
    }));
    for (const { round } of sides) await round();
    const rounds = await inTurns(sides, Number(flags.rounds));
    writeReport("distant", folder, { count, delayMs: Number(flags.delay), rounds });
    for (const { name } of sides)
      console.log(`${name}: median ${medianOf(rounds[name]).toFixed(0)}/s`);
  } finally {
    for (const { ours } of all) {
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
