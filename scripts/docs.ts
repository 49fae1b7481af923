#!/usr/bin/env bun
// Writes the README's tables of settings, metrics, sink addresses and faults; tests/docs.test.ts fails while they differ.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rowOf, settingKeys } from "../src/config/table.ts";
import { logTable } from "../src/base/logTable.ts";
import { unreachable } from "../src/base/unreachable.ts";
import { metricTable } from "../src/mail/metrics.ts";
import { type Run, markdown } from "../tests/faults/table.ts";
import { providers } from "../src/route/providers.ts";
import { type Reaction, plainNames, scenarios } from "../src/sink/scenarios.ts";

/** Written by `scripts/faults --write`. */
const FAULTS = join(import.meta.dir, "..", "tests", "faults", "results.json");
const README = join(import.meta.dir, "..", "README.md");

const cell = (text: string): string => text.replaceAll("|", "\\|");

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}

export function settingsTable(): string {
  const rows = settingKeys.map((key) => {
    const row = rowOf(key);
    const value =
      typeof row.default === "function" || row.usually !== undefined
        ? (row.usually ?? "")
        : `\`${row.kind.show(row.default)}\``;
    return [`\`${row.name}\``, value, row.help];
  });
  return tableOf(["setting", "default", "meaning"], rows);
}

/** What the shipped table tightens; without a number the general settings hold. */
function providersTable(): string {
  const shown = (value: number | undefined): string => (value === undefined ? "" : String(value));
  const rows = providers.map(({ site, suffixes, limits }) => [
    `\`${site}\``,
    suffixes.map((suffix) => `\`*.${suffix}\``).join(", "),
    shown(limits?.connections),
    shown(limits?.connectionMessages),
    shown(limits?.transactionRecipients),
  ]);
  const head = ["site", "MX hosts", "connections", "messages each", "recipients each"];
  return tableOf(head, rows);
}

function metricsTable(): string {
  const rows = metricTable.map(({ name, kind, labels, help }) => {
    const shown = labels.length === 0 ? name : `${name}{${labels.join(",")}}`;
    return [`\`${shown}\``, kind, help];
  });
  return tableOf(["metric", "kind", "meaning"], rows);
}

function logLinesTable(): string {
  const rows = [...logTable]
    .sort((a, b) => (a.event < b.event ? -1 : 1))
    .map(({ event, level, fields, means, kept }) => {
      const names = fields.split(" ").filter((name) => name !== "");
      return [`\`${event}\`${kept === true ? " •" : ""}`, level, names.join(", "), means];
    });
  return tableOf(["event", "level", "fields", "meaning"], rows);
}

/** Replies of the sink may be as long as a server's malice. */
const REPLY_SHOWN_MAX = 60;

function wordsOf(reaction: Reaction): string {
  switch (reaction.kind) {
    case "reply": {
      const text = JSON.stringify(reaction.text)
        .slice(1, -1)
        .replace(/[\u0080-\u009f]/g, (raw) => `\\u00${raw.charCodeAt(0).toString(16)}`);
      const shown = text.length > REPLY_SHOWN_MAX ? `${text.slice(0, REPLY_SHOWN_MAX)}...` : text;
      return `\`${shown}\`${reaction.close === true ? ", then hangs up" : ""}`;
    }
    case "delay":
      return `waits ${reaction.delayMs / 1000} s, then goes on`;
    case "hang":
      return `says nothing any more${reaction.taken === true ? ", but has taken the message" : ""}`;
    case "drop":
      return `hangs up${reaction.taken === true ? ", but has taken the message" : ""}`;
    case "greylist":
      return `refuses for ${reaction.delayMs / 1000} s after the first try`;
    default:
      return unreachable(reaction);
  }
}

function sinkTable(): string {
  const plain = plainNames.map((name) => [`\`${name}@\``, "", "takes the message"]);
  const rows = [...scenarios].map(([name, { phase, reaction }]) => [
    `\`${name}@\``,
    phase,
    wordsOf(reaction),
  ]);
  return tableOf(["address", "at", "the sink"], [...plain, ...rows]);
}

function faultsTable(): string {
  const run = JSON.parse(readFileSync(FAULTS, "utf8")) as Run;
  return markdown(run);
}

/** The text between the two marks of that name is replaced. */
function replaceBetween(text: string, name: string, content: string): string {
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the marks of ${name} are missing`);
  return `${text.slice(0, from)}${begin}\n${content}\n${text.slice(to)}`;
}

export function withTables(readme: string): string {
  const settings = replaceBetween(readme, "settings", settingsTable());
  const limits = replaceBetween(settings, "providers", providersTable());
  const metrics = replaceBetween(limits, "metrics", metricsTable());
  const log = replaceBetween(metrics, "log", `\n${logLinesTable()}\n`);
  const sink = replaceBetween(log, "sink", `\n${sinkTable()}\n`);
  return replaceBetween(sink, "faults", `\n${faultsTable()}\n`);
}

if (import.meta.main) writeFileSync(README, withTables(readFileSync(README, "utf8")));
