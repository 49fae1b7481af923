// `postrider queue stats`: how much waits, for whom and since when, as qshape tells it.
import type { Command } from "commander";
import { humanDuration } from "../base/human.ts";
import { lineName, type QueueView } from "../mail/query.ts";
import type { ShapeRow, ShapeView } from "../mail/shape.ts";
import { FIRST_FINAL, recipientStates } from "../mail/state.ts";
import { countOf } from "./counts.ts";
import { pathWith } from "./daemonClient.ts";
import type { CliDeps } from "./deps.ts";
import { notAllowed } from "./failure.ts";
import { json, printable, table } from "./output.ts";
import { bodyOf, clientFor, type TargetOptions, withTarget } from "./target.ts";

interface Options extends TargetOptions {
  readonly by?: string;
  readonly state?: string;
  readonly limit?: string;
  readonly json?: boolean;
}

export function addStats(group: Command, deps: CliDeps): void {
  const command = group
    .command("stats")
    .description("how much waits, by state and priority, and by site and age in minutes");
  withTarget(command)
    .option("--by <what>", "rows: site or domain", "site")
    .option("--state <state>", `only this state: ${waiting.join(", ")}`)
    .option("--limit <n>", "at most so many rows", "20")
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider queue stats --by domain --state deferred")
    .action(async (options: Options) => {
      oneOf("--by", options.by, ["site", "domain"]);
      oneOf("--state", options.state, waiting);
      const client = clientFor(options, deps);
      const limit = String(countOf("--limit", options.limit, 1) ?? 20);
      const path = pathWith("/queue/ages", { by: options.by, state: options.state, limit });
      const ages = bodyOf(await client.ask({ method: "GET", path })) as ShapeView;
      const view = bodyOf(await client.ask({ method: "GET", path: "/queue" })) as QueueView;
      deps.output.out(options.json === true ? json({ ...view, ages }) : statsText(view, ages));
    });
}

const waiting = recipientStates.slice(0, FIRST_FINAL);

function oneOf(option: string, text: string | undefined, all: readonly string[]): void {
  if (text === undefined || all.includes(text)) return;
  throw notAllowed(option, text, all.join(", "));
}

function statsText(view: QueueView, ages: ShapeView): string {
  const counts = view.counts.filter((one) => one.recipients > 0);
  const oldest = Object.entries(view.oldest_age_seconds).flatMap(([priority, age]) =>
    age === null ? [] : [`oldest ${priority}: ${humanDuration(age * 1000)}`],
  );
  const { uplink, paused, search_lag: lag } = view;
  const parts = [
    counts.length === 0
      ? "no recipients"
      : table(counts.map((one) => [one.state, one.priority, String(one.recipients)])),
    ...oldest,
    ...(uplink === undefined || uplink.detail === null ? [] : [printable(uplink.detail)]),
    ...paused.map(({ kind, name, since }) =>
      printable(
        `an operator paused ${kind === "all" ? "everything" : `${kind} ${name}`} at ${since}`,
      ),
    ),
    ...(lag > 0 ? [`lists lag by ${lag} events`] : []),
    ...(ages.total.recipients === 0 ? [] : ["", shapeText(ages)]),
  ];
  return parts.join("\n");
}

/** Numbers stand on the right, as people compare them. */
function shapeText({ by, bounds_minutes, total, data, more, sample }: ShapeView): string {
  const heads = [...bounds_minutes.map(String), `${bounds_minutes.at(-1)}+`];
  const rows = [[by, "total", ...heads], rowOf({ ...total, name: "all" }), ...data.map(rowOf)];
  const widths =
    rows[0]?.map((_, i) => Math.max(...rows.map((row) => (row[i] ?? "").length))) ?? [];
  const lines = rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join("  "),
  );
  if (more > 0) lines.push(`and ${more} more: --limit`);
  if (sample !== null) lines.push(`reckoned from ${sample} messages: the queue is long`);
  return lines.join("\n");
}

const NAME_MAX = 24;

function rowOf({ name, recipients, ages }: ShapeRow): string[] {
  const shown = printable(lineName(name));
  const cut = shown.length > NAME_MAX ? `…${shown.slice(1 - NAME_MAX)}` : shown;
  return [cut, brief(recipients), ...ages.map((count) => (count === 0 ? "." : brief(count)))];
}

/** Five characters at most, so that the table is as wide as a terminal. */
function brief(count: number): string {
  if (count < 100_000) return String(count);
  return count < 9_950_000 ? `${(count / 1e6).toFixed(1)}M` : `${Math.round(count / 1e6)}M`;
}
