// The launcher of the benchmarks: a profile that it lists can be run.
import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const folder = join(import.meta.dir, "..", "..", "scripts", "benchmarks");
const run = (...args: string[]): { readonly status: number | null; readonly text: string } => {
  const ran = spawnSync(process.execPath, [join(folder, "main.ts"), ...args], { encoding: "utf8" });
  return { status: ran.status, text: ran.stdout + ran.stderr };
};

test("without a profile all are listed, and each is there", () => {
  const { status, text } = run();
  expect(status).toBe(0);
  const names = [...text.matchAll(/^ {2}([a-z]+) {2}/gm)].map((match) => match[1] as string);
  expect(names.length).toBeGreaterThan(3);
  for (const name of names) expect(existsSync(join(folder, `${name}.ts`))).toBe(true);
});

test("a profile that is not there ends with 64 and the nearest name", () => {
  const { status, text } = run("stedy");
  expect(status).toBe(64);
  expect(text).toContain("did you mean steady?");
});
