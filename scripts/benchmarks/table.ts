// What `scripts/bench steady` measured, as a table.
import { grouped } from "../../src/base/human.ts";
import type { Round } from "./contender.ts";
import type { Compared, Report } from "./steady.ts";

const MB = 1_000_000;

interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (i: number): number => sorted[i] ?? 0;
  const half = sorted.length >> 1;
  return {
    median: sorted.length % 2 === 1 ? at(half) : (at(half - 1) + at(half)) / 2,
    min: at(0),
    max: at(sorted.length - 1),
  };
}

export const whole = (value: number): string => grouped(Math.round(value));

function rate(rounds: readonly Round[]): string {
  const { median, min, max } = spreadOf(rounds.map((round) => round.deliveredPerSecond));
  return `${whole(median)} (${whole(min)}-${whole(max)})`;
}

function cpuOf(rounds: readonly Round[], part: string): string {
  return whole(spreadOf(rounds.map((round) => round.cpuUs[part] ?? 0)).median);
}

function rowOf({ profile, rounds, syncsPerMessage }: Compared): string {
  const ours = rounds["postrider"] ?? [];
  const peer = rounds["postfix"] ?? [];
  const median = (of: readonly Round[]): number =>
    spreadOf(of.map((round) => round.deliveredPerSecond)).median;
  const cells = [
    `${profile.bodyBytes / 1024} KB`,
    `${profile.sites}`,
    rate(ours),
    peer.length === 0 ? "-" : rate(peer),
    peer.length === 0 ? "-" : `${(median(ours) / median(peer)).toFixed(1)} x`,
    ["door", "queue", "reader", "sender", "runtime"].map((part) => cpuOf(ours, part)).join(" / "),
    syncsPerMessage === null ? "-" : syncsPerMessage.toFixed(3),
    `${spreadOf(ours.map((round) => round.acceptP50Ms ?? 0)).median.toFixed(1)} / ${spreadOf(
      ours.map((round) => round.acceptP99Ms ?? 0),
    ).median.toFixed(1)}`,
    whole(spreadOf(ours.map((round) => round.writtenBytes ?? 0)).median),
  ];
  return `| ${cells.join(" | ")} |`;
}

export function tableOf(report: Report): string {
  const { machine, compared, rssQueued } = report;
  const [first] = compared;
  const memory = (bytes: number | undefined): string => `${whole((bytes ?? 0) / MB)} MB`;
  return [
    "| size | sites | delivered/s: Postrider, median (min-max) | Postfix | ratio | CPU us a message: " +
      "door / queue / reader / sender / runtime | syncs a message | accept p50 / p99 ms | bytes written a message |",
    "|---|---|---|---|---|---|---|---|---|",
    ...compared.map(rowOf),
    "",
    `Memory: idle ${memory(first?.rssIdleBytes)}, loaded ${memory(first?.rssPeakBytes)}` +
      (rssQueued === null ? "." : `, ${whole(rssQueued.count)} queued ${memory(rssQueued.bytes)}.`),
    `${report.clients} clients, both sync before they answer, counted at the receiver; generator, ` +
      `receiver and contenders share ${machine.cores} cores of ${machine.cpu}, ` +
      `${whole(machine.memoryBytes / 1e9)} GB, Linux ${machine.kernel}, ${machine.filesystem}, ` +
      `${machine.runtime}, revision ${machine.revision}.`,
  ].join("\n");
}
