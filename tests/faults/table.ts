// The results as people read them: a row of the catalogue passes when all of its cases do.
import type { Result } from "./arena.ts";

export interface Run {
  readonly revision: string;
  readonly senders: readonly string[];
  readonly results: readonly Result[];
}

export interface Cell {
  readonly mark: Result["mark"];
  readonly passed: number;
  readonly tried: number;
  readonly why: string;
}

/** Rows that are no fault but the proof that the lab works. */
const CONTROL = "R0";

export function rowsOf({ results }: Run): string[] {
  return [...new Set(results.map(({ row }) => row))].filter((row) => row !== CONTROL);
}

export function cellOf({ results }: Run, row: string, sender: string): Cell {
  const own = results.filter((one) => one.row === row && one.sender === sender);
  const tried = own.filter(({ mark }) => mark !== "n.a.");
  const failed = tried.filter(({ mark }) => mark === "fail");
  if (tried.length === 0) return { mark: "n.a.", passed: 0, tried: 0, why: own[0]?.why ?? "" };
  const passed = tried.length - failed.length;
  const mark = failed.length === 0 ? "pass" : "fail";
  return { mark, passed, tried: tried.length, why: failed[0]?.why ?? "" };
}

export function totalsOf(run: Run, sender: string): Readonly<Record<Result["mark"], number>> {
  const totals = { pass: 0, fail: 0, "n.a.": 0 };
  for (const row of rowsOf(run)) totals[cellOf(run, row, sender).mark]++;
  return totals;
}

function shown({ mark, passed, tried }: Cell): string {
  if (mark === "n.a.") return "n.a.";
  return mark === "pass" ? "pass" : `fail (${passed} of ${tried})`;
}

/** What the cases of a row have in common, in the words of the first. */
function whatOf({ results }: Run, row: string): string {
  const whats = [...new Set(results.filter((one) => one.row === row).map(({ what }) => what))];
  const [first = ""] = whats;
  return whats.length === 1 ? first : `${first}; and ${whats.length - 1} more`;
}

export function markdown(run: Run): string {
  const head = ["row", "fault", ...run.senders];
  const lines = rowsOf(run).map((row) => [
    row,
    whatOf(run, row),
    ...run.senders.map((sender) => shown(cellOf(run, row, sender))),
  ]);
  const sums = run.senders.map((sender) => {
    const { pass, fail } = totalsOf(run, sender);
    return `${pass} of ${pass + fail}`;
  });
  const cells = [head, head.map(() => "---"), ...lines, ["", "rows passed", ...sums]];
  return cells
    .map((line) => `| ${line.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`)
    .join("\n");
}

export function plain(run: Run): string {
  const width = Math.max(...run.senders.map((sender) => sender.length), 14) + 2;
  const line = (cells: readonly string[]): string =>
    cells.map((cell, i) => cell.padEnd(i === 0 ? 5 : width)).join("");
  const rows = rowsOf(run).map((row) =>
    line([row, ...run.senders.map((sender) => shown(cellOf(run, row, sender)))]),
  );
  return [line(["row", ...run.senders]), ...rows].join("\n");
}
