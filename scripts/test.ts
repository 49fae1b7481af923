// Runs all checks and adds them up: the last line is the verdict (INTERFACE 1). Each check runs even when one before it failed, so
// that one run tells everything.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly string[];
}

/** One integration test may wait for a process of its own; a single hung test must not hold CI for ever. */
const TEST_TIMEOUT_MS = 60_000;

const checks: readonly (readonly [string, readonly string[]])[] = [
  ["format", ["bun", "fmt", "--check", "src", "tests", "scripts"]],
  ["types", ["bun", "check"]],
  // A browser has other globals than the daemon.
  ["types of the page", ["bun", "check", "--project", "src/ui"]],
  ["lint", ["bun", "run", "--bun", "biome", "lint", "--error-on-warnings", "--max-diagnostics=50"]],
  ["build", ["scripts/build"]],
  ["reproducible", ["bun", "scripts/build.ts", "--verify"]],
];

function run(command: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0] as string, command.slice(1), {
      stdio: ["ignore", "inherit", "inherit"],
    });
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

async function runCheck(name: string, command: readonly string[]): Promise<Counts> {
  console.log(`== ${name}`);
  const failed = (await run(command)) === 0 ? 0 : 1;
  return { passed: 1 - failed, failed, skipped: [] };
}

/** Reads the JUnit report, since only there a skipped test has its name. */
export function countsOf(junit: string, exitCode: number): Counts {
  const cases = [...junit.matchAll(/<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)];
  const skipped = cases.filter(([, , body]) => body?.includes("<skipped") === true);
  const failed = cases.filter(([, , body]) => /<(?:failure|error)\b/.test(body ?? "")).length;
  return {
    passed: cases.length - skipped.length - failed,
    // A run that fails without a failed test did not even load a file.
    failed: exitCode !== 0 && failed === 0 ? 1 : failed,
    skipped: skipped.map(([, attributes]) => nameIn(attributes ?? "")),
  };
}

const entities: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  amp: "&",
};

function nameIn(attributes: string): string {
  const name = /\bname="([^"]*)"/.exec(attributes)?.[1] ?? "?";
  return name.replace(/&(\w+);/g, (entity, word: string) => entities[word] ?? entity);
}

async function runTests(filters: readonly string[]): Promise<Counts> {
  console.log("== tests");
  const folder = mkdtempSync(join(tmpdir(), "postrider-test-"));
  const report = join(folder, "junit.xml");
  try {
    const code = await run([
      "bun",
      "test",
      `--timeout=${TEST_TIMEOUT_MS}`,
      // bunfig.toml leaves out what needs the binary; here it has been built.
      "--path-ignore-patterns=none",
      "--reporter=junit",
      `--reporter-outfile=${report}`,
      ...filters,
    ]);
    return countsOf(readFileSync(report, { encoding: "utf8", flag: "a+" }), code);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main(filters: readonly string[]): Promise<number> {
  const results: Counts[] = [];
  // A filter asks for some tests, not for the whole gate; the binary is still built, since tests may start it.
  const wanted = filters.length === 0 ? checks : checks.filter(([name]) => name === "build");
  for (const [name, command] of wanted) results.push(await runCheck(name, command));
  results.push(await runTests(filters));
  const skipped = results.flatMap((result) => result.skipped);
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  const failed = results.reduce((sum, result) => sum + result.failed, 0);
  for (const name of skipped) console.log(`skipped: ${name}`);
  console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
  return failed === 0 ? 0 : 1;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
