// The README's figures, written by the benchmarks themselves between two marks, so that none is copied by hand.
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const README = join(resolve(import.meta.dir, "..", ".."), "README.md");

/** Replaces what stands between `<!-- NAME:begin -->` and its end, which must be there. */
export function writeReadme(name: string, figures: string): void {
  const text = readFileSync(README, "utf8");
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`README.md lacks ${begin} ... ${end}`);
  writeFileSync(README, `${text.slice(0, from)}${begin}\n${figures}\n${text.slice(to)}`);
}
