// `scripts/bench PROFILE [options]`: each profile is a program of its own in this folder, so that it measures in a process of its own.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { didYouMean } from "../../src/config.ts";

const profiles: Readonly<Record<string, string>> = {
  writer: "the store alone, on top of a long history",
  wire: "the wire between threads",
  dns: "how long mail waits for the DNS: cold, from memory, from the database, through an outage",
  steady: "delivered a second beside Postfix, in turns before the same receiver",
  tls: "what encrypting costs, on connections that are reused and on new ones",
  dkim: "what signing costs, beside what the cores can sign",
  reuse: "a hundred clients with connections that are reused, and with one message on each",
  throttled: "one site of twenty refuses: what the other nineteen notice",
  distant: "a server whose every reply takes 100 ms",
  api: "how fast mail is taken: singles, keys, CBOR, raw, batches, attachments",
  smtp: "how fast mail is taken by SMTP, on kept connections and on new ones, alone and while it is delivered",
  memory: "what large mail costs in memory, in every form",
  measuring: "what counting and timing cost: metrics on and off, in turns",
  seeing: "what it costs to see everything: metrics, traces and dialogues, on and off in turns",
  webhooks: "what webhooks cost the mail, with a receiver that hangs and with one that takes all",
  backlog: "a full queue, a held snapshot, a restart and the drain",
};

const EXIT_USAGE = 64;

function help(): string {
  const rows = Object.entries(profiles).map(([name, what]) => `  ${name.padEnd(9)}${what}`);
  const results = "Results go to scripts/benchmarks/results/.";
  return ["usage: scripts/bench PROFILE [options]", "", ...rows, "", results].join("\n");
}

function run(profile: string, options: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const args = [join(import.meta.dir, `${profile}.ts`), ...options];
    const child = spawn(process.execPath, args, { stdio: "inherit" });
    // Each profile tidies up after itself, so it is told and not left behind.
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.on(signal, () => child.kill(signal));
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

async function main(profile: string | undefined, options: readonly string[]): Promise<number> {
  if (profile === undefined || profile === "--help") {
    console.log(help());
    return 0;
  }
  if (profiles[profile] !== undefined) return run(profile, options);
  console.error(`no profile ${profile}${didYouMean(profile, Object.keys(profiles))}\n${help()}`);
  return EXIT_USAGE;
}

process.exitCode = await main(process.argv[2], process.argv.slice(3));
