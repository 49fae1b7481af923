#!/usr/bin/env bun
// Writes the answers of "When the phone rings" into the README, as a real daemon gives them (tests/integration/phoneWorld.ts). Times are
// shifted, so that the outage begins at three in the night.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { answerCalls, type Call } from "../tests/integration/phoneWorld.ts";

const README = join(import.meta.dir, "..", "README.md");
const THREE = "T03:00:00.000Z";

type Name = Call["name"];

function marksOf(name: Name): readonly [string, string] {
  return [`<!-- phone-${name}:begin -->`, `<!-- phone-${name}:end -->`];
}

/** Between the marks of that name. */
export function blockOf(text: string, name: Name): string {
  const [begin, end] = marksOf(name);
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`the marks of phone-${name} are missing`);
  return text.slice(from + begin.length, to);
}

const INSTANT = /(\d{4}-\d\d-\d\d)([ T])(\d\d:\d\d:\d\d)(\.\d{3})?/g;

/** Every instant of the text, by so many milliseconds. */
export function shifted(text: string, byMs: number): string {
  return text.replace(INSTANT, (_, day: string, between: string, time: string, ms = "") => {
    const at = new Date(Date.parse(`${day}T${time}${ms as string}Z`) + byMs).toISOString();
    return `${at.slice(0, 10)}${between}${at.slice(11, 19)}${ms === "" ? "" : at.slice(19, 23)}`;
  });
}

async function main(): Promise<void> {
  const { calls, threeAt, dataDir } = await answerCalls();
  const day = new Date(threeAt).toISOString().slice(0, 10);
  let text = readFileSync(README, "utf8");
  for (const { name, command, output } of calls) {
    const told = shifted(output, Date.parse(day + THREE) - threeAt);
    const shown = told.replaceAll(dataDir, "/var/lib/postrider");
    const block = `\n\n\`\`\`sh\ndist/${command}\n\`\`\`\n\n\`\`\`text\n${shown}\n\`\`\`\n\n`;
    const [begin, end] = marksOf(name);
    text = text.replace(begin + blockOf(text, name) + end, () => begin + block + end);
  }
  writeFileSync(README, text);
}

if (import.meta.main) await main();
