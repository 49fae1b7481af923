// What `postrider stress` found out, as JSON and as text for people.
import { grouped } from "../base/human.ts";
import type { SpreadSummary } from "../base/spread.ts";
import { printable, table } from "./output.ts";

export interface ClassCount {
  readonly class: string;
  readonly count: number;
}

export interface StressReport {
  readonly object: "stress";
  /** False: the figures are not those of the daemon, or they do not add up; `problems` says why. */
  readonly valid: boolean;
  readonly problems: readonly string[];
  readonly notes: readonly string[];
  readonly ended_by: "count" | "time" | "stopped" | "refused" | "unreachable" | "daemon_ended";
  readonly load: {
    readonly kind: "closed" | "open";
    readonly daemon: "own" | "running";
    readonly domain: string;
    readonly recipients: Readonly<Record<string, number>>;
    readonly connections: number;
    readonly rate_per_second: number | null;
    readonly size_bytes: number;
    readonly priority: string;
    readonly elapsed_seconds: number;
    readonly drain_seconds: number;
  };
  readonly requests: {
    readonly started: number;
    /** Of an open loop: due, while no connection was free until the end. */
    readonly never_started: number;
    readonly started_late: number;
    readonly refused: number;
    readonly unanswered: number;
    readonly unsent: number;
  };
  readonly accepted: { readonly count: number; readonly per_second: number };
  /** Null: nobody followed. */
  readonly delivered: {
    readonly count: number;
    readonly per_second: number;
    /** After a try that failed. */
    readonly late: number;
    readonly repeated: number;
  } | null;
  readonly accept: SpreadSummary | null;
  readonly accept_to_delivered: SpreadSummary | null;
  readonly failures: {
    /** Of all requests. */
    readonly at_accept_rate: number;
    readonly at_accept: readonly ClassCount[];
    /** Of all accepted messages, those that were not delivered by the end of the report. */
    readonly at_delivery_rate: number;
    readonly at_delivery: readonly ClassCount[];
  };
  readonly accounting: Accounting | null;
  readonly generator: {
    /** Of one core. */
    readonly cpu_share: number;
    readonly lag_p99_ms: number;
  };
  readonly daemon: DaemonFigures | null;
}

export interface Accounting {
  readonly accepted: number;
  /** Taken though their requests were never answered. */
  readonly unseen: number;
  readonly delivered: number;
  readonly failed: number;
  /** Of a sink of its own: taken, while its reply was lost or has not been recorded yet. */
  readonly in_doubt: number;
  /** Null: there are too many to be asked for. */
  readonly queued: number | null;
  readonly adds_up: boolean;
}

export interface DaemonFigures {
  readonly cpu_share: number;
  readonly cpu_us_per_message: number | null;
  readonly rss_bytes: number;
  /** Null: not of this host, or not told by this system. */
  readonly rss_peak_bytes: number | null;
  /** Each synced at least once. */
  readonly commits: number;
  readonly messages_per_commit: number | null;
}

export function reportText(report: StressReport): string {
  const { accounting, daemon, generator } = report;
  const blocks = [
    table([["load", loadLine(report)], ["requests", requestLine(report)], ...rates(report)]),
    spreads(report),
    failures(report),
    accounting === null ? "" : `accounting  ${accountingLine(accounting)}`,
    daemon === null ? "" : `daemon      ${daemonLine(daemon)}`,
    `generator   ${percent(generator.cpu_share)} of a core${lagOf(report)}`,
    report.notes.map((note) => `note: ${note}`).join("\n"),
    report.problems.map((problem) => `problem: ${problem}`).join("\n"),
    report.valid ? "" : "THE FIGURES ARE NOT VALID",
  ];
  return printableLines(blocks.filter((block) => block !== "").join("\n"));
}

const printableLines = (text: string): string => text.split("\n").map(printable).join("\n");

const whole = (value: number): string => grouped(Math.round(value));
const percent = (share: number): string => `${(share * 100).toFixed(share < 0.1 ? 2 : 0)} %`;
const ms = (value: number): string => value.toFixed(value < 100 ? 1 : 0);
const MB = 1_000_000;

function loadLine({ load, ended_by: endedBy }: StressReport): string {
  const pace =
    load.kind === "open"
      ? `open loop, ${whole(load.rate_per_second ?? 0)}/s on at most ${load.connections} connections`
      : `closed loop, ${load.connections} connections`;
  const whom = load.daemon === "own" ? "its own daemon and sink" : "a running daemon";
  return [
    `${pace}, ${load.elapsed_seconds.toFixed(1)} s (${ends[endedBy]})`,
    `${whole(load.size_bytes)} B to ${load.domain}, ${load.priority}`,
    whom,
  ].join("; ");
}

const ends = {
  count: "the count was reached",
  time: "the time was up",
  stopped: "stopped",
  refused: "everything was refused",
  unreachable: "the daemon no longer answers",
  daemon_ended: "the daemon ended",
} as const;

function requestLine({ requests, accepted }: StressReport): string {
  const { started, refused, unanswered, unsent, never_started: never } = requests;
  return [
    `${whole(started)} started`,
    `${whole(accepted.count)} accepted`,
    ...(refused > 0 ? [`${whole(refused)} refused`] : []),
    ...(unanswered > 0 ? [`${whole(unanswered)} never answered`] : []),
    ...(unsent > 0 ? [`${whole(unsent)} not sent`] : []),
    ...(never > 0 ? [`${whole(never)} never started`] : []),
    ...(requests.started_late > 0 ? [`${whole(requests.started_late)} started late`] : []),
  ].join(", ");
}

function rates({ accepted, delivered }: StressReport): string[][] {
  const rows = [["accepted", `${whole(accepted.per_second)}/s`]];
  if (delivered === null) return [...rows, ["delivered", "not followed"]];
  const { late, repeated } = delivered;
  const more = [
    ...(late > 0 ? [`${whole(late)} after a try that failed`] : []),
    ...(repeated > 0 ? [`${whole(repeated)} taken once more`] : []),
  ];
  return [...rows, ["delivered", [`${whole(delivered.per_second)}/s`, ...more].join(", ")]];
}

function spreads({ accept, accept_to_delivered: delivered }: StressReport): string {
  const row = (name: string, spread: SpreadSummary | null): string[] => {
    if (spread === null) return [name, "-"];
    const { mean_ms, p50_ms, p95_ms, p99_ms, max_ms } = spread;
    const cells = [mean_ms, p50_ms, p95_ms, p99_ms, max_ms].map((value) => ms(value).padStart(7));
    return [name, ...cells];
  };
  const head = ["mean", "p50", "p95", "p99", "max"].map((name) => name.padStart(7));
  return table([
    ["milliseconds", ...head],
    row("accept", accept),
    row("accept to delivered", delivered),
  ]);
}

function failures({ failures: found, delivered }: StressReport): string {
  const rows = (classes: readonly ClassCount[]): string[][] =>
    classes.map((one) => ["", one.class, whole(one.count)]);
  const parts = [
    ["failed", "at accept", percent(found.at_accept_rate)],
    ...rows(found.at_accept),
    ...(delivered === null ? [] : [["", "at delivery", percent(found.at_delivery_rate)]]),
    ...rows(found.at_delivery),
  ];
  return table(parts);
}

function accountingLine(sums: Accounting): string {
  const { accepted, unseen, delivered, failed, queued, in_doubt: doubt } = sums;
  const left = `${whole(accepted)} accepted${unseen > 0 ? ` + ${whole(unseen)} taken without an answer` : ""}`;
  const right = `${whole(delivered)} delivered + ${whole(failed)} failed + ${queued === null ? "too many" : whole(queued)} queued${doubt > 0 ? ` (${whole(doubt)} of them taken by the sink, which the daemon does not know)` : ""}`;
  return `${left} ${sums.adds_up ? "=" : queued === null ? "?" : "IS NOT"} ${right}`;
}

function daemonLine(daemon: DaemonFigures): string {
  const { cpu_us_per_message: each, rss_peak_bytes: peak, messages_per_commit: batch } = daemon;
  return [
    `${percent(daemon.cpu_share)} of a core${each === null ? "" : `, ${whole(each)} us a message`}`,
    `memory ${whole(daemon.rss_bytes / MB)} MB${peak === null ? "" : `, at most ${whole(peak / MB)} MB`}`,
    `${whole(daemon.commits)} commits${batch === null ? "" : `, ${batch.toFixed(1)} messages each`}`,
  ].join("; ");
}

function lagOf({ load, generator }: StressReport): string {
  return load.kind === "closed" ? "" : `; its own lag at p99 ${ms(generator.lag_p99_ms)} ms`;
}
