#!/usr/bin/env bun
// Runs the table of faults (tests/faults) against the compiled binary and the senders that are installed, prints who passes, and with
// `--write` keeps the table for the README. `scripts/faults R9 D4` tries those rows only.
import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Result, type SenderKind, contest } from "../tests/faults/arena.ts";
import { RESOLVER, enterLab, openLab } from "../tests/faults/lab.ts";
import { startNameServer } from "../tests/faults/nameServer.ts";
import { allCases } from "../tests/faults/rows/all.ts";
import { msmtp, nodemailer } from "../tests/faults/senders/direct.ts";
import { postfix } from "../tests/faults/senders/postfix.ts";
import { OURS, createPostrider } from "../tests/faults/senders/postrider.ts";
import { type Run, plain, totalsOf } from "../tests/faults/table.ts";

export const RESULTS = join(import.meta.dir, "..", "tests", "faults", "results.json");

const options = {
  /** Another build than dist/postrider. */
  binary: { type: "string" },
  /** Postrider alone, without its peers. */
  ours: { type: "boolean" },
  /** Without the cases that take more than a minute. */
  quick: { type: "boolean" },
  /** Where the results go as JSON. */
  json: { type: "string" },
  /** Into the repository, from where the README's table is made. */
  write: { type: "boolean" },
} as const;

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals: rows } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options,
  });
  const entered = enterLab(import.meta.path, args);
  if (typeof entered === "number") return entered;
  if (typeof entered === "string") {
    console.error(entered);
    return 1;
  }
  const run = await runAll(rows, values);
  console.log(`\n${plain(run)}`);
  for (const sender of run.senders) {
    const { pass, fail, "n.a.": none } = totalsOf(run, sender);
    console.log(`${sender}: ${pass} rows passed, ${fail} failed, ${none} do not apply`);
  }
  const text = `${JSON.stringify(run, null, 1)}\n`;
  if (values.json !== undefined) writeFileSync(values.json, text);
  if (values.write === true) {
    writeFileSync(RESULTS, text);
    execFileSync("bun", ["fmt", RESULTS], { stdio: "ignore" });
  }
  return totalsOf(run, OURS).fail === 0 ? 0 : 1;
}

interface Chosen {
  readonly binary?: string | undefined;
  readonly ours?: boolean | undefined;
  readonly quick?: boolean | undefined;
}

async function runAll(rows: readonly string[], { binary, ours, quick }: Chosen): Promise<Run> {
  const cases = allCases
    .filter(({ slow }) => slow !== true || quick !== true)
    .filter(({ row }) => rows.length === 0 || rows.includes(row) || row === "R0");
  const own = createPostrider(binary);
  const peers = ours === true ? [] : [postfix, msmtp, nodemailer];
  const lab = openLab();
  const names = await startNameServer(RESOLVER, 53);
  const results: Result[] = [];
  const tried = (kind: SenderKind, number: number, some = cases): Promise<Result[]> =>
    contest({ lab, names, cases: some, progress }, kind, number);
  results.push(...(await tried(own, 0)));
  // None of them works hard, so they need not wait for each other.
  for (const found of await Promise.all(peers.map((kind, i) => tried(kind, i + 1)))) {
    const well = found.filter(({ mark }) => mark !== "fail");
    results.push(...well);
    // What a peer failed at beside all others it may try once more, so that no load of this machine counts against it.
    const once = cases.filter(({ what }) => !well.some((one) => one.what === what));
    const kind = peers.find(({ name }) => name === found[0]?.sender);
    if (kind !== undefined && once.length > 0)
      results.push(...(await tried(kind, SECOND_TRY + peers.indexOf(kind), once)));
  }
  await names.close();
  const senders = [own, ...peers].map(({ name }) => name);
  return { revision: revision(), senders, results: results.sort(inOrder(cases)) };
}

/** Above the numbers of the first tries. */
const SECOND_TRY = 4;

function progress({ row, what, sender, mark, why }: Result): void {
  if (mark !== "n.a.")
    console.log(`${mark} ${sender} ${row} ${what}${why === "" ? "" : `: ${why}`}`);
}

/** As the cases stand in the table, whichever ended first. */
function inOrder(cases: readonly { readonly what: string }[]) {
  const place = new Map(cases.map(({ what }, i) => [what, i]));
  return (x: Result, y: Result): number => (place.get(x.what) ?? 0) - (place.get(y.what) ?? 0);
}

/** Empty in a tree without its history. */
function revision(): string {
  const args = ["rev-parse", "--short", "HEAD"];
  return spawnSync("git", args, { cwd: import.meta.dir, encoding: "utf8" }).stdout.trim();
}

// Some senders leave connections open behind their back.
if (import.meta.main) process.exit(await main(process.argv.slice(2)));
