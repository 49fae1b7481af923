#!/usr/bin/env bun
// Runs the table of faults (tests/faults) against the compiled binary and the senders that are installed, and prints who passes.
import { parseArgs } from "node:util";
import { contest, type Result } from "../tests/faults/arena.ts";
import { RESOLVER, enterLab, openLab } from "../tests/faults/lab.ts";
import { startNameServer } from "../tests/faults/nameServer.ts";
import { allCases } from "../tests/faults/rows/all.ts";
import { OURS, createPostrider } from "../tests/faults/senders/postrider.ts";

async function main(args: readonly string[]): Promise<number> {
  const entered = enterLab(import.meta.path, args);
  if (typeof entered === "number") return entered;
  if (typeof entered === "string") {
    console.error(entered);
    return 1;
  }
  const { values, positionals: rows } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { binary: { type: "string" }, verbose: { type: "boolean", short: "v" } },
  });
  const kinds = [createPostrider(values.binary)];
  const cases = allCases.filter(
    ({ row }) => rows.length === 0 || rows.includes(row) || row === "R0",
  );
  const lab = openLab();
  const names = await startNameServer(RESOLVER, 53);
  const results: Result[] = [];
  const progress = ({ row, what, sender, mark, why }: Result): void =>
    console.log(`${mark}\t${sender}\t${row}\t${what}${why === "" ? "" : `: ${why}`}`);
  for (const [number, kind] of kinds.entries())
    results.push(...(await contest({ lab, names, cases, progress }, kind, number)));
  await names.close();
  const failed = results.filter(({ mark, sender }) => mark === "fail" && sender === OURS);
  console.log(`${results.length} tried, ${failed.length} failed by ${OURS}`);
  return failed.length === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
