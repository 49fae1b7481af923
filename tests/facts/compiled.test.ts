// What a compiled binary does before its first line runs, and what works inside it.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { peer } from "../peers.ts";

const program = `
  import { Database } from "bun:sqlite";
  import { isMainThread, parentPort, Worker } from "node:worker_threads";
  import page from "./page.html" with { type: "text" };
  if (isMainThread) {
    const worker = new Worker(new URL(Bun.main, "file:///"));
    worker.once("message", (sqlite) => {
      const dotenv = process.env.FROM_DOTENV ?? "none";
      const preload = globalThis.fromPreload ?? "none";
      console.log(JSON.stringify({ dotenv, preload, sqlite, page }));
      process.exit(0);
    });
  } else parentPort.postMessage(new Database(":memory:").query("SELECT 40 + 2 AS n").get().n);
`;

const HARDENED = ["--no-compile-autoload-bunfig", "--no-compile-autoload-dotenv"];
let folder: string;
/** A working directory that somebody else filled. */
let hostile: string;

function compile(name: string, flags: readonly string[]): string {
  const outfile = join(folder, name, "program");
  mkdirSync(join(folder, name));
  const fixed = ["build", "--compile", "--bytecode", "--format=esm"];
  const args = [...fixed, ...flags, join(folder, "main.ts"), "--outfile", outfile];
  execFileSync(process.execPath, args, { stdio: "ignore" });
  return outfile;
}

function said(binary: string, env: Record<string, string> = {}): unknown {
  const { stdout } = spawnSync(binary, [], { cwd: hostile, env, encoding: "utf8" });
  return JSON.parse(stdout.split("\n").find((line) => line.startsWith("{")) ?? "null");
}

const sha256 = (file: string): string =>
  createHash("sha256").update(readFileSync(file)).digest("hex");

let hardened: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "facts-compiled-"));
  hostile = join(folder, "hostile");
  mkdirSync(hostile);
  writeFileSync(join(folder, "main.ts"), program);
  writeFileSync(join(folder, "page.html"), "<p>page</p>");
  writeFileSync(join(hostile, ".env"), "FROM_DOTENV=loaded\n");
  writeFileSync(join(hostile, "bunfig.toml"), 'preload = ["./preload.ts"]\n');
  writeFileSync(join(hostile, "preload.ts"), 'globalThis.fromPreload = "ran";\n');
  hardened = compile("hardened", HARDENED);
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("compiled with both flags it loads neither .env nor bunfig.toml of its working directory", () => {
  expect(said(hardened)).toMatchObject({ dotenv: "none", preload: "none" });
});

test("threads, SQLite and imported assets work in a compiled binary", () => {
  expect(said(hardened)).toMatchObject({ sqlite: 42, page: "<p>page</p>" });
});

test("compiled without the flags it loads .env and runs the preload of its working directory", () => {
  expect(said(compile("plain", []))).toMatchObject({ dotenv: "loaded", preload: "ran" });
});

test("BUN_OPTIONS still runs foreign code in a hardened binary", () => {
  const options = `--preload=${join(hostile, "preload.ts")}`;
  expect(said(hardened, { BUN_OPTIONS: options })).toMatchObject({ preload: "ran" });
});

test("BUN_BE_BUN turns a hardened binary into the runtime", () => {
  const env = { BUN_BE_BUN: "1" };
  const { stdout } = spawnSync(hardened, ["-e", "console.log(6 * 7)"], { env, encoding: "utf8" });
  expect(stdout.trim()).toBe("42");
});

test("the same sources compile to the same bytes under the same name", () => {
  expect(sha256(compile("again", HARDENED))).toBe(sha256(hardened));
});

peer("strip").test("stripping the binary breaks it", () => {
  const stripped = join(folder, "stripped");
  copyFileSync(hardened, stripped);
  execFileSync("strip", [stripped], { stdio: "ignore" });
  expect(said(stripped)).toBeNull();
});
