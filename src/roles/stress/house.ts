// A daemon and a sink for the while of a load: ports of their own, a data folder of their own, and nothing of the user's settings.
import { chmodSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, systemClock } from "../../base/clock.ts";
import { type Child, startChild } from "./child.ts";

export interface StressHouse {
  readonly url: string;
  readonly key: string;
  readonly daemonPid: number;
  /** Told of each message that the sink takes. */
  onTaken(hear: (recipient: string, at: number) => void): void;
  /** Resolves when one of both has ended by itself, with its last words. */
  readonly died: Promise<string>;
  /** What the reader of the figures should know of the place. */
  readonly notes: readonly string[];
  stop(): Promise<void>;
}

export type HouseOpening =
  | { readonly kind: "open"; readonly house: StressHouse }
  | { readonly kind: "failed"; readonly text: string };

const START_WITHIN_MS = 30_000;
const TMPFS = 0x01021994;

export async function openHouse(parent: string | null, path: string): Promise<HouseOpening> {
  let folder: string;
  try {
    folder = mkdtempSync(join(parent ?? tmpdir(), "postrider-stress-"));
    chmodSync(folder, 0o700);
  } catch (error) {
    return { kind: "failed", text: `no temporary folder: ${(error as Error).message}` };
  }
  const children: Child[] = [];
  const close = async (): Promise<void> => {
    // The daemon first: it need not learn that its sink is gone.
    for (const child of children.toReversed()) await child.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    return { kind: "open", house: await furnish(folder, path, children, close) };
  } catch (error) {
    await close();
    return { kind: "failed", text: (error as Error).message };
  }
}

async function furnish(
  folder: string,
  path: string,
  children: Child[],
  stop: () => Promise<void>,
): Promise<StressHouse> {
  const sink = startChild([...sinkArgs], folder, path);
  children.push(sink);
  let taken: (recipient: string, at: number) => void = () => {};
  const sinkPort = await within("the sink", sink, (found) => {
    sink.lines((line) => {
      const [word, at, recipient] = line.split(" ");
      if (word === "took") return taken(recipient ?? "", Number(at));
      const port = /^\{"listening":"127\.0\.0\.1:(\d+)"/.exec(line)?.[1];
      if (port !== undefined) found(port);
    });
  });
  const dataDir = join(folder, "data");
  const file = join(folder, "postrider.toml");
  writeFileSync(file, settings(folder, dataDir, sinkPort));
  const daemon = startChild(["serve", "--config", file, "--json", "--lifeline"], folder, path);
  children.push(daemon);
  const url = await within("the daemon", daemon, (found) => {
    daemon.lines((line) => {
      const at = /^ {2}"url": "(http[^"]+)"/.exec(line)?.[1];
      if (at !== undefined) found(at);
    });
  });
  const died = Promise.race([
    daemon.gone.then((words) => `the daemon: ${words}`),
    sink.gone.then((words) => `the sink: ${words}`),
  ]);
  return {
    url,
    key: readFileSync(join(dataDir, "api-key"), "utf8").trim(),
    daemonPid: daemon.pid,
    onTaken: (hear) => void (taken = hear),
    died,
    notes: notesOn(folder),
    stop,
  };
}

const sinkArgs = ["sink", "--listen", "127.0.0.1:0", "--each", "--json", "--lifeline"];

/** What else the defaults would reach for on this host stays untouched. */
function settings(folder: string, dataDir: string, sinkPort: string): string {
  return [
    'listen = "127.0.0.1:0"',
    `data_dir = ${JSON.stringify(dataDir)}`,
    `runtime_dir = ${JSON.stringify(join(folder, "run"))}`,
    'pickup_dir = "none"',
    'hostname = "stress.test"',
    `relay = "smtp://127.0.0.1:${sinkPort}?tls=off"`,
    'log_level = "error"',
    "",
  ].join("\n");
}

function notesOn(folder: string): string[] {
  if (statfsSync(folder).type !== TMPFS) return [];
  return [
    `${folder} lies in memory (tmpfs), where a sync costs nothing: --folder names one on a disk`,
  ];
}

/** What a child says when it is ready. */
async function within(
  what: string,
  child: Child,
  listen: (found: (word: string) => void) => void,
  clock: Clock = systemClock,
): Promise<string> {
  const said = new Promise<string>((resolve) => listen(resolve));
  const late = Promise.withResolvers<never>();
  const timer = clock.after(START_WITHIN_MS, () =>
    late.reject(new Error(`${what} did not start in ${START_WITHIN_MS / 1000} s`)),
  );
  const ended = child.gone.then((words) => Promise.reject(new Error(`${what}: ${words}`)));
  // Whoever has lost the race is heard no more.
  ended.catch(() => {});
  try {
    return await Promise.race([said, late.promise, ended]);
  } finally {
    timer.cancel();
  }
}
