// What `scripts/observe` ships, read by the checker of those who run it: its settings, its rules, and what each rule is to say when.
import { expect } from "bun:test";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { observeFolder } from "../fixtures/observe.ts";
import { peer } from "../peers.ts";

const promtool = peer("promtool");
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
  promtool.test(`each rule says what it should when it should: ${name}`, () => {
    const { code, said } = promtoolSays("test", "rules", join(rules, name));
    expect([code, said]).toEqual([0, said]);
  });
