// `postrider journal`: what the daemon itself went through: when mail stopped to flow, and what happened at that moment.
import type { Command } from "commander";
import { humanDuration } from "../base/human.ts";
import type { LogFields } from "../base/log.ts";
import { prettyLine } from "../base/logLine.ts";
import type { JournalLine, JournalView } from "../mail/journal.ts";
import { countOf } from "./counts.ts";
import { pathWith } from "./daemonClient.ts";
import type { CliDeps } from "./deps.ts";
import { jsonLine } from "./output.ts";
import { bodyOf, clientFor, type TargetOptions, withTarget } from "./target.ts";
import { whenOf } from "./when.ts";

interface Options extends TargetOptions {
  readonly since?: string;
  readonly until?: string;
  readonly event?: string;
  readonly limit?: string;
  readonly json?: boolean;
}

export function addJournal(program: Command, deps: CliDeps): void {
  const command = program
    .command("journal")
    .description(
      "what the daemon itself went through: starts, stops, outages, pauses, orders, traffic",
    );
  withTarget(command)
    .option("--since <when>", "from then on: 03:00, 2h, 2026-12-31 03:00")
    .option("--until <when>", "up to then")
    .option("--event <keys>", "only these, such as uplink,queue.order")
    .option("--limit <n>", "at most so many: the first ones since then, else the last ones", "200")
    .option("--json", "one JSON object a line, as it was logged")
    .addHelpText("after", "\nExample:\n  postrider journal --since 03:00")
    .action(async (options: Options) => {
      const now = deps.clock.now();
      const path = pathWith("/journal", {
        since: whenOf("--since", options.since, now),
        until: whenOf("--until", options.until, now),
        event: options.event,
        limit:
          options.limit === undefined ? undefined : String(countOf("--limit", options.limit, 1)),
      });
      const view = bodyOf(await clientFor(options, deps).ask({ method: "GET", path }));
      tell(view as JournalView, options, deps);
    });
}

function tell({ data, has_more }: JournalView, options: Options, { output }: CliDeps): void {
  if (options.json === true) {
    for (const line of data) output.out(jsonLine(line));
    return;
  }
  if (data.length === 0) output.out("nothing");
  const pretty = prettyLine({ color: output.colors.isColorSupported, date: true });
  for (const { time, level, event, ...fields } of gathered(data)) {
    const isTraffic = event === TRAFFIC;
    const line = pretty(time, level, event, (isTraffic ? {} : fields) as LogFields).trimEnd();
    output.out(isTraffic ? `${line}     ${trafficText(fields)}` : line);
  }
  if (has_more)
    output.err(
      `there is more ${options.since === undefined ? "before" : "behind"} it: --limit, --until`,
    );
}

const TRAFFIC = "daemon.traffic";
const COUNTS = ["accepted", "delivered", "deferred", "bounced", "expired", "refused"] as const;

/** Of traffic that goes on as it was the lines are added up: what is looked for is where it changes. */
export function gathered(lines: readonly JournalLine[]): JournalLine[] {
  const shown: JournalLine[] = [];
  for (const line of lines) {
    const last = shown.at(-1);
    if (last?.event !== TRAFFIC || line.event !== TRAFFIC || flows(last) !== flows(line)) {
      shown.push(line);
      continue;
    }
    const sums = ["for_s", ...COUNTS].map((name) => [name, count(last, name) + count(line, name)]);
    shown[shown.length - 1] = { ...line, ...(Object.fromEntries(sums) as object) };
  }
  return shown;
}

function count(line: Readonly<Record<string, unknown>>, name: string): number {
  const value = line[name];
  return typeof value === "number" ? value : 0;
}

function flows(line: JournalLine): boolean {
  return count(line, "delivered") > 0 || count(line, "waiting") === 0;
}

function trafficText(fields: Readonly<Record<string, unknown>>): string {
  const counts = COUNTS.flatMap((name) => {
    const value = count(fields, name);
    return value === 0 && name !== "delivered" ? [] : [`${value} ${name}`];
  });
  const waiting = count(fields, "waiting");
  const oldest = count(fields, "oldest_s");
  const age = oldest === 0 ? "" : `, the oldest for ${humanDuration(oldest * 1000)}`;
  const rest = waiting === 0 ? "nothing waits" : `${waiting} wait${age}`;
  const forMs = count(fields, "for_s") * 1000;
  if (forMs > 0) return `in ${humanDuration(forMs)}: ${counts.join(", ")}; ${rest}`;
  // The present, with which an answer ends: hardly anything can have gone through.
  const isQuiet = COUNTS.every((name) => count(fields, name) === 0);
  return `now: ${isQuiet ? rest : `${counts.join(", ")}; ${rest}`}`;
}
