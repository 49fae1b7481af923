// What `scripts/observe` ships, read by the checker of those who run it: its settings, its rules, and what each rule is to say when.
import { expect } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { observeFolder } from "../fixtures/observe.ts";
import { freePort, ready, startProcess } from "../fixtures/process.ts";
import { peer } from "../peers.ts";

const promtool = peer("promtool");
const prometheus = peer("prometheus");
const root = resolve(observeFolder, "..", "..");
/** It reckons hours of each rule, minute by minute. */
const TEST_MS = 60_000;
const rules = join(observeFolder, "rules");

function promtoolSays(...args: string[]): { readonly code: number | null; readonly said: string } {
  const { status, stdout, stderr } = spawnSync(promtool.path, args, { encoding: "utf8" });
  return { code: status, said: stdout + stderr };
}

promtool.test("promtool takes the example of prometheus.yml, with the rules that it names", () => {
  const { code, said } = promtoolSays("check", "config", join(observeFolder, "prometheus.yml"));
  expect([code, said]).toEqual([0, said]);
  expect(said.match(/SUCCESS: \d+ rules found/g)).toHaveLength(2);
});

for (const name of readdirSync(rules).filter((one) => one.endsWith(".test.yml")))
  promtool.test(
    `each rule says what it should when it should: ${name}`,
    () => {
      const { code, said } = promtoolSays("test", "rules", join(rules, name));
      expect([code, said]).toEqual([0, said]);
    },
    TEST_MS,
  );

/** The lines of fenced `sh` blocks that begin so. */
function commandsOf(document: string, program: string): readonly string[][] {
  const text = readFileSync(join(root, document), "utf8");
  const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = ""]) => block);
  const lines = blocks.flatMap((block) => block.split("\n"));
  return lines.filter((line) => line.startsWith(`${program} `)).map((line) => line.split(" "));
}

for (const document of ["README.md", "scripts/observe/README.md"]) {
  promtool.test(`what ${document} checks is well`, () => {
    const commands = commandsOf(document, "promtool");
    expect(commands).not.toEqual([]);
    for (const [, ...args] of commands) {
      const { status } = spawnSync(promtool.path, args, { cwd: root });
      expect([args, status]).toEqual([args, 0]);
    }
  });

  prometheus.test(`as ${document} starts it, Prometheus follows all rules`, async () => {
    const [command = []] = commandsOf(document, "prometheus");
    const args = command.slice(1).map((word) => word.replace("=scripts/", `=${root}/scripts/`));
    const port = await freePort();
    const folder = mkdtempSync(join(tmpdir(), "postrider-observe-"));
    const running = startProcess(
      prometheus.path,
      [...args, `--web.listen-address=127.0.0.1:${port}`],
      { cwd: folder },
    );
    try {
      const groups = await ready(running, "Prometheus tells its rules", async () => {
        const answer = await fetch(`http://127.0.0.1:${port}/api/v1/rules`).catch(() => undefined);
        if (answer?.ok !== true) return undefined;
        const { data } = (await answer.json()) as { data: { groups: { name: string }[] } };
        return data.groups.length > 0 && data.groups.map(({ name }) => name);
      });
      const names = ["host", "mail", "recording", "reputation"].map((name) => `postrider.${name}`);
      expect(groups.sort()).toEqual(names);
    } finally {
      await running.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  });
}
