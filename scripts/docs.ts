#!/usr/bin/env bun
// Writes the README's tables of settings and metrics from the tables in the code; tests/docs.test.ts fails while they differ.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rowOf, settingKeys } from "../src/config/table.ts";
import { metricTable } from "../src/mail/metrics.ts";

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

export function metricsTable(): string {
  const rows = metricTable.map(({ name, kind, labels, help }) => {
    const shown = labels.length === 0 ? name : `${name}{${labels.join(",")}}`;
    return [`\`${shown}\``, kind, help];
  });
  return tableOf(["metric", "kind", "meaning"], rows);
}

/** The text between the two marks of that name is replaced. */
export function replaceBetween(text: string, name: string, content: string): string {
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the marks of ${name} are missing`);
  return `${text.slice(0, from)}${begin}\n${content}\n${text.slice(to)}`;
}

export function withTables(readme: string): string {
  const settings = replaceBetween(readme, "settings", settingsTable());
  return replaceBetween(settings, "metrics", metricsTable());
}

if (import.meta.main) writeFileSync(README, withTables(readFileSync(README, "utf8")));
