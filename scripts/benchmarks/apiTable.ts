// What `scripts/bench api` measured, as a table.
import type { Machine } from "./machine.ts";
import { spreadOf, whole } from "./table.ts";

export interface ApiRound {
  readonly acceptedPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly cpuUs: Readonly<Record<string, number>>;
}

export interface ApiCase {
  /** What is asked, in words. */
  readonly what: string;
  readonly rounds: readonly ApiRound[];
}

export interface ApiReport {
  readonly machine: Machine;
  readonly clients: number;
  /** RSA-2048 signatures that one core makes a second beside nothing else: how fast this machine was in that hour. */
  readonly signedPerSecond: number;
  readonly cases: readonly ApiCase[];
}

const PARTS = ["door", "queue", "reader", "runtime", "generator"];

function rowOf({ what, rounds }: ApiCase): string {
  const median = (of: (round: ApiRound) => number): number => spreadOf(rounds.map(of)).median;
  const { median: rate, min, max } = spreadOf(rounds.map((one) => one.acceptedPerSecond));
  const cells = [
    what,
    `${whole(rate)} (${whole(min)}-${whole(max)})`,
    `${median((one) => one.p50Ms).toFixed(1)} / ${median((one) => one.p99Ms).toFixed(1)}`,
    PARTS.map((part) => whole(median((one) => one.cpuUs[part] ?? 0))).join(" / "),
  ];
  return `| ${cells.join(" | ")} |`;
}

export function apiTable({ machine, clients, signedPerSecond, cases }: ApiReport): string {
  return [
    `| request | messages/s, median (min-max) | p50 / p99 ms | CPU us a message: ${PARTS.join(" / ")} |`,
    "|---|---|---|---|",
    ...cases.map(rowOf),
    "",
    `${clients} clients, every answer behind its commit, the queue paused; the generator shares the ${machine.cores} cores of ` +
      `${machine.cpu}, of which one signed ${whole(signedPerSecond)} times a second with RSA-2048 (which says how fast it was in ` +
      `that hour), Linux ${machine.kernel}, ${machine.runtime}, revision ${machine.revision}.`,
  ].join("\n");
}
