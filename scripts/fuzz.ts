// Hostile bodies against the door: `scripts/fuzz --bodies 1000000 [--seed 1] [--workers 2]` makes them in every form and judges what
// the door did with each; `--seed S --at I` runs one of them again. Exit 0 only when nothing was wrong.
import { spawn } from "node:child_process";
import { parseArgs } from "node:util";
import { caseFor } from "../tests/fuzz/bodies.ts";
import { runFuzz, type Tally } from "../tests/fuzz/run.ts";

const { values } = parseArgs({
  options: {
    bodies: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    at: { type: "string" },
    from: { type: "string", default: "0" },
    workers: { type: "string", default: "2" },
    "read-back": { type: "string", default: "25" },
    worker: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const EXIT_USAGE = 64;
/** A worker of its own for every so many, so that none lives so long that it hides what it leaves behind. */
const SLICE = 20_000;

function number(name: "bodies" | "seed" | "at" | "from" | "workers" | "read-back"): number {
  const value = Number(values[name]);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  console.error(`--${name} is a whole number`);
  process.exit(EXIT_USAGE);
}

function add(sum: Tally, part: Tally): void {
  sum.bodies += part.bodies;
  sum.accepted += part.accepted;
  sum.readBack += part.readBack;
  sum.failures.push(...part.failures);
  for (const [status, count] of Object.entries(part.statuses))
    sum.statuses[status] = (sum.statuses[status] ?? 0) + count;
}

/** Of a process that died only that is known. */
function inProcess(from: number, count: number): Promise<Tally> {
  return new Promise((resolve) => {
    const options = [
      "--worker",
      "--seed",
      String(number("seed")),
      "--read-back",
      values["read-back"],
    ];
    const range = ["--from", String(from), "--bodies", String(count)];
    const args = [import.meta.path, ...options, ...range];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => void (said += chunk.toString()));
    child.on("exit", (code, signal) => {
      if (code === 0) return resolve(JSON.parse(said) as Tally);
      const why = `the process died: ${signal ?? code}`;
      resolve({
        bodies: 0,
        accepted: 0,
        readBack: 0,
        statuses: {},
        failures: [{ index: from, why }],
      });
    });
  });
}

async function runAll(): Promise<Tally> {
  const sum: Tally = { bodies: 0, accepted: 0, readBack: 0, statuses: {}, failures: [] };
  const first = number("from");
  const end = first + number("bodies");
  let next = first;
  const worker = async (): Promise<void> => {
    while (next < end && sum.failures.length === 0) {
      const from = next;
      next = Math.min(end, from + SLICE);
      add(sum, await inProcess(from, next - from));
    }
  };
  await Promise.all(Array.from({ length: number("workers") }, worker));
  return sum;
}

async function main(): Promise<void> {
  if (values.help) {
    console.log("usage: scripts/fuzz --bodies N [--seed S] [--workers W] | --seed S --at I");
    return;
  }
  const seed = number("seed");
  const readBackOf = Math.max(1, number("read-back"));
  if (values.worker) {
    const options = { seed, from: number("from"), count: number("bodies"), readBackOf };
    process.stdout.write(JSON.stringify(await runFuzz(options)));
    return;
  }
  const startedAt = performance.now();
  const isOne = values.at !== undefined;
  if (isOne) {
    const { body, ...rest } = caseFor(seed, number("at"));
    console.log(JSON.stringify(rest), JSON.stringify(Buffer.from(body).toString("latin1")));
  }
  const sum = isOne
    ? await runFuzz({ seed, from: number("at"), count: 1, readBackOf: 1 })
    : await runAll();
  for (const { index, why } of sum.failures)
    console.log(`${why}\nagain: scripts/fuzz --seed ${seed} --at ${index}`);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const statuses = Object.entries(sum.statuses).map(([status, count]) => `${status}: ${count}`);
  console.log(
    `${sum.bodies} bodies of seed ${seed}, ${sum.failures.length} failed, ${sum.accepted} messages accepted, ` +
      `${sum.readBack} read back, ${statuses.join(", ")}, ${seconds} s`,
  );
  process.exitCode = sum.failures.length === 0 ? 0 : 1;
}

await main();
