// "When the phone rings" in the README holds what the commands say today: each call is made to happen, and answered.
import { beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { blockOf } from "../../scripts/phone.ts";
import { answerCalls, type Call, kindsOf } from "./phoneWorld.ts";

const readme = readFileSync(join(import.meta.dir, "..", "..", "README.md"), "utf8");

describe("when the phone rings", () => {
  let calls: readonly Call[] = [];
  beforeAll(async () => {
    ({ calls } = await answerCalls());
  }, 120_000);

  for (const name of ["customer", "slow", "stopped"] as const)
    test(`one command answers the call "${name}", with what the README shows (scripts/phone.ts writes it)`, () => {
      const call = calls.find((one) => one.name === name);
      const block = blockOf(readme, name);
      expect(block).toContain(`dist/${call?.command}\n`);
      const shown = /```text\n([\s\S]*?)\n```/.exec(block)?.[1] ?? "";
      expect(kindsOf(shown)).toEqual([...kindsOf(call?.output ?? "")]);
    });

  test("the answers name the server's words, the slow phase and what happened at three", () => {
    const outputs = Object.fromEntries(calls.map(({ name, output }) => [name, output]));
    expect(outputs["customer"]).toContain("452 4.2.2 The mailbox is full");
    expect(outputs["slow"]).toContain("Its server is slow: taking the message (the dot)");
    expect(outputs["stopped"]).toContain("uplink.down");
    expect(outputs["stopped"]).toContain("uplink.up");
  });
});
