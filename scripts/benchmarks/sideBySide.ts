// Two or more ways of one daemon beside each other: rounds in turns, the median of each, a file of results. Shared by the profiles that
// ask what a setting or a remote server changes.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { untilTaken } from "./contender.ts";
import { describeMachine, loadAverage } from "./machine.ts";
import type { Ours } from "./ours.ts";
import { bucketsIn, quantileBetween } from "./scrape.ts";
import { spreadOf } from "./table.ts";

export interface Taken {
  readonly deliveredPerSecond: number;
  readonly acceptP99Ms: number;
  /** From acceptance to the commit of the remote's 250; upper bounds of the histogram's buckets. */
  readonly deliveredP50Ms: number;
  readonly deliveredP99Ms: number;
}

/** One load of `count` messages, of which `taken` must come to the receiver. */
export async function roundOf(ours: Ours, count: number, taken: number): Promise<Taken> {
  const { receiver } = ours;
  const total = receiver.count() + taken;
  const before = await deliveredIn(ours);
  const startedAtMs = performance.now();
  const [load, endedAtMs] = await Promise.all([ours.load(count), untilTaken(receiver, total)]);
  // The last verdicts are committed, and the metrics drained, a moment after the receiver has all.
  await Bun.sleep(METRICS_MS);
  const after = await deliveredIn(ours);
  return {
    deliveredPerSecond: (taken * 1000) / (endedAtMs - startedAtMs),
    acceptP99Ms: load.p99Ms,
    deliveredP50Ms: quantileBetween(before, after, 0.5) * 1000,
    deliveredP99Ms: quantileBetween(before, after, 0.99) * 1000,
  };
}

const METRICS_MS = 1500;
const HISTOGRAM = "postrider_accept_to_delivered_seconds";

/** The generator sends everything at the usual priority. */
async function deliveredIn({ daemon }: Ours): Promise<ReturnType<typeof bucketsIn>> {
  const text = await (await daemon.request("/metrics")).text();
  const lines = text.split("\n").filter((line) => line.includes('priority="p1"'));
  return bucketsIn(lines.join("\n"), HISTOGRAM);
}

export interface Side<Extra extends object> {
  readonly name: string;
  round(): Promise<Taken & Extra>;
}

export async function inTurns<Extra extends object>(
  sides: readonly Side<Extra>[],
  rounds: number,
): Promise<Readonly<Record<string, readonly (Taken & Extra)[]>>> {
  const all: Record<string, (Taken & Extra)[]> = {};
  for (let i = 0; i < rounds; i++)
    for (const { name, round } of sides) {
      const one = await round();
      (all[name] ??= []).push(one);
      console.log(`${name}: ${figuresOf(one).join(", ")}`);
    }
  return all;
}

function figuresOf(round: object): string[] {
  return Object.entries(round).map(([name, value]) => `${name} ${Number(value).toFixed(1)}`);
}

export function medianOf(rounds: readonly Taken[] | undefined): number {
  return spreadOf((rounds ?? []).map((round) => round.deliveredPerSecond)).median;
}

export function writeReport(profile: string, folder: string, report: object): void {
  const results = join(import.meta.dir, "results");
  mkdirSync(results, { recursive: true });
  const whole = { machine: describeMachine(folder), load: loadAverage(), ...report };
  writeFileSync(join(results, `${profile}.json`), `${JSON.stringify(whole, null, 2)}\n`);
}
