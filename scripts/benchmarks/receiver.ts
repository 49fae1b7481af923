// The server that takes the mail of a benchmark: Postfix's smtp-sink, which costs least, or our own
// sink, which counts by id. Its count, not the client's, is what is reported.
import { spawn } from "node:child_process";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { freePort, listens } from "../../tests/fixtures/process.ts";
import { until } from "../../tests/fixtures/until.ts";

export interface Receiver {
  readonly port: number;
  readonly pid: number;
  /** Messages since the start; different ones where ids are known. */
  count(): number;
  /** Messages that came more than once; null where ids are not known. */
  repeated(): number | null;
  stop(): Promise<void>;
}

const BACKLOG = 1000;
/** Its own limit is 256: with two connections to each of 500 sites, most would wait to be greeted. */
const SESSIONS_MAX = 4000;
const TAIL_BYTES = 200;

/**
 * `-c` writes its counters of sessions, quits and messages after each event; a file takes them without a reader. Many sites need
 * many addresses of loopback, and so a server on all addresses.
 */
export async function startSmtpSink(
  program: string,
  folder: string,
  sites: number,
  fixedPort?: number,
): Promise<Receiver> {
  const port = fixedPort ?? (await freePort());
  const host = sites === 1 ? "127.0.0.1" : "0.0.0.0";
  const file = join(folder, `smtp-sink-${port}`);
  const out = openSync(file, "w+");
  const args = [
    "-u",
    "nobody",
    "-c",
    "-m",
    String(SESSIONS_MAX),
    "-h",
    "sink.test",
    `${host}:${port}`,
    String(BACKLOG),
  ];
  const child = spawn(program, args, { stdio: ["ignore", out, "inherit"] });
  const exited = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  await until("smtp-sink listens", () => listens(port));
  return {
    port,
    pid: child.pid ?? -1,
    count() {
      const { size } = fstatSync(out);
      const tail = Buffer.alloc(Math.min(size, TAIL_BYTES));
      readSync(out, tail, 0, tail.length, size - tail.length);
      return Number([...tail.toString().matchAll(/mesg=(\d+)/g)].at(-1)?.[1] ?? 0);
    },
    repeated: () => null,
    async stop() {
      child.kill("SIGTERM");
      await exited;
      closeSync(out);
    },
  };
}

const sinkProgram = join(import.meta.dir, "sinkProgram.ts");

/**
 * Our own sink in a process of its own; it counts by id, so that two takings of one message show as
 * one.
 */
export async function startSinkReceiver(
  sites: number,
  fixedPort = 0,
  tls: "starttls" | "clear" = "clear",
  delayMs = 0,
): Promise<Receiver> {
  const host = sites === 1 ? "127.0.0.1" : "0.0.0.0";
  const args = [sinkProgram, host, String(fixedPort), tls, String(delayMs)];
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  let port = 0;
  let count = 0;
  let repeated = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    for (const line of chunk
      .toString()
      .split("\n")
      .filter((text) => text !== "")) {
      const said = JSON.parse(line) as { port: number; distinct: number; all: number };
      port = said.port;
      count = said.distinct;
      repeated = said.all - said.distinct;
    }
  });
  await until("the sink listens", () => port !== 0);
  return {
    port,
    pid: child.pid ?? -1,
    count: () => count,
    repeated: () => repeated,
    async stop() {
      child.kill("SIGTERM");
      await exited;
    },
  };
}
