// The whole queue and delivery in simulated time: `scripts/sim --seed 4711 --trace` replays one run, `--seeds 0..9999` runs many,
// `--plant NAME` puts a known bug in. The same seed gives the same trace under Bun and under Node.
import { parseArgs } from "node:util";
import { type Plant, plants } from "../tests/sim/plants.ts";
import { runSeed } from "../tests/sim/world.ts";

const TRACE_LINES = 30;

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string" },
    trace: { type: "boolean", default: false },
    hashes: { type: "boolean", default: false },
    plant: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

function usage(problem?: string): never {
  if (problem !== undefined) console.error(problem);
  console.error(
    `usage: scripts/sim [--seed N | --seeds A..B] [--trace] [--hashes] [--plant ${plants.join("|")}]`,
  );
  process.exit(problem === undefined ? 0 : 64);
}

function range(): [number, number] {
  const [first, last] = (values.seeds ?? `${values.seed ?? "0"}..${values.seed ?? "99"}`).split(
    "..",
  );
  const from = Number(first);
  const to = Number(last ?? first);
  if (!Number.isInteger(from) || !Number.isInteger(to) || from > to) usage("a seed is a number");
  return [from, to];
}

const plant = values.plant as Plant | undefined;
if (values.help) usage();
if (plant !== undefined && !plants.includes(plant)) usage(`there is no plant ${plant}`);
const [from, to] = range();
let failed = 0;
let steps = 0;
const startedAt = performance.now();
for (let seed = from; seed <= to; seed++) {
  const run = await runSeed(seed, plant, values.trace ? Infinity : TRACE_LINES);
  steps += run.steps;
  if (values.trace) for (const line of run.trace) console.log(line);
  if (values.hashes || from === to) console.log(`${seed} ${run.hash}`);
  if (run.violations.length === 0) continue;
  failed++;
  if (!values.trace) for (const line of run.trace) console.log(line);
  for (const text of run.violations) console.log(`seed ${seed}: ${text}`);
  console.log(`again: scripts/sim --seed ${seed}${plant === undefined ? "" : ` --plant ${plant}`}`);
}
const seconds = (performance.now() - startedAt) / 1000;
console.log(`${to - from + 1} seeds, ${failed} failed, ${steps} steps, ${seconds.toFixed(1)} s`);
process.exitCode = failed === 0 ? 0 : 1;
