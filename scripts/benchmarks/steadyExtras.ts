// What is measured apart from the rounds, since measuring it would slow them: syncs by a system
// call tracer, memory of a full queue.
import { spawn } from "node:child_process";
import { until } from "../../tests/fixtures/until.ts";
import { peer } from "../../tests/peers.ts";
import { startOurs, type Ours } from "./ours.ts";
import { rssBytes } from "./proc.ts";

const TRACED = 5_000;

/** fsync and fdatasync calls of the whole process per message; null without strace. */
export async function syncsPerMessage(ours: Ours): Promise<number | null> {
  const strace = peer("strace");
  if (strace.missing) return null;
  const { pid } = ours.daemon.process;
  const args = ["-f", "-c", "-e", "trace=fsync,fdatasync", "-p", String(pid)];
  const child = spawn(strace.path, args, { stdio: ["ignore", "ignore", "pipe"] });
  let table = "";
  child.stderr.on("data", (chunk: Buffer) => (table += chunk.toString()));
  const exited = new Promise<void>((resolve) => child.on("exit", () => resolve()));
  await until("strace is attached", () => table.includes("attached"));
  await ours.round(TRACED);
  child.kill("SIGINT");
  await exited;
  const calls = [...table.matchAll(/^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+).*\b(?:fsync|fdatasync)$/gm)];
  return calls.reduce((sum, [, count]) => sum + Number(count), 0) / TRACED;
}

const CLIENTS = 64;
const BODY_BYTES = 5_120;

export interface QueuedOptions {
  readonly folder: string;
  readonly dnsmasq: string;
  readonly queued: number;
}

/** Nothing listens at the receiver's port: all that is accepted stays. */
export async function measureQueued({
  folder,
  dnsmasq,
  queued,
}: QueuedOptions): Promise<{ count: number; bytes: number }> {
  const nobody = {
    port: 9,
    pid: process.pid,
    count: () => 0,
    repeated: () => null,
    stop: async () => {},
  };
  const ours = await startOurs({
    ...{ folder, dnsmasq, sites: 20, clients: CLIENTS, bodyBytes: BODY_BYTES },
    receiver: nobody,
    form: "json",
    idempotency: false,
  });
  try {
    await ours.load(queued);
    return { count: queued, bytes: rssBytes(ours.daemon.process.pid) };
  } finally {
    await ours.stop();
  }
}
