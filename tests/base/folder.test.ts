import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { makeFolder } from "../../src/base/folder.ts";
import { peer } from "../peers.ts";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "postrider-folder-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

test("a folder is made with those above it, for its owner only, and may be there already", () => {
  const folder = join(root, "a", "b");
  makeFolder(folder);
  makeFolder(folder);
  for (const one of [folder, dirname(folder)]) expect(statSync(one).mode & 0o777).toBe(0o700);
});

/** The paths of what a program opened and of what it synced, in order. */
function traced(name: string, program: string): string[] {
  const trace = join(root, `${name}.trace`);
  const calls = "trace=openat,fsync,fdatasync";
  spawnSync("strace", ["-f", "-y", "-o", trace, "-e", calls, process.execPath, "-e", program]);
  return readFileSync(trace, "utf8")
    .split("\n")
    .flatMap((line) => {
      const opened = / openat\(.*"([^"]*)"/.exec(line)?.[1];
      if (opened !== undefined) return [`open ${opened}`];
      const synced = / f(?:data)?sync\(\d+<([^>]*)>/.exec(line)?.[1];
      return synced === undefined ? [] : [`sync ${synced}`];
    });
}

const source = (file: string): string => JSON.stringify(join(import.meta.dir, "../../src", file));

peer("strace").test("each new folder's name is synced", () => {
  const folder = join(root, "x", "y");
  const calls = traced("folders", `require(${source("base/folder.ts")}).makeFolder("${folder}")`);
  expect(calls).toContain(`sync ${root}`);
  expect(calls).toContain(`sync ${join(root, "x")}`);
});

peer("strace").test("the ring's name is synced before its bytes are relied on", () => {
  const folder = join(root, "ring");
  const calls = traced(
    "ring",
    `const { openSqliteStore } = require(${source("queue/sqlite.ts")});
    const { systemRandom } = require(${source("base/random.ts")});
    const { store } = openSqliteStore({ dataDir: "${folder}", random: systemRandom });
    process.kill(process.pid, "SIGKILL");`,
  );
  const made = calls.findIndex((call) => call.endsWith("postrider.ring"));
  expect(calls.slice(made)).toContain(`sync ${folder}`);
});
