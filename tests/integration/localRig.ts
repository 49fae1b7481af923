// A daemon with all its local ways in, and the programs of a host that use them: the binary under the name `sendmail`, run as an
// ordinary user where the test itself is root.
import { spawn } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { InboxItem, InboxView, ListView } from "../../src/mail/query.ts";
import { binaryPath, cleanEnvironment, type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { findProgram } from "../peers.ts";

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Host {
  readonly dataDir: string;
  readonly dropDir: string;
  /** Holds the binary, and its other names. */
  readonly binDir: string;
  /** Starts the daemon, with these flags besides. */
  start(flags?: readonly string[]): Promise<Daemon>;
  /** A program of the host; `who` is `stranger` for a user who may not open the data folder. */
  run(program: string, args: readonly string[], options?: RunOptions): Promise<Ended>;
  remove(): void;
}

export interface RunOptions {
  readonly who?: "owner" | "stranger";
  readonly input?: string | Uint8Array;
}

/** Whether another user's programs can be run here. */
export const strangers =
  process.getuid?.() === 0 && findProgram("setpriv", process.env["PATH"] ?? "") !== undefined;
const NOBODY = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];

export function createHost(): Host {
  const root = mkdtempSync(join(tmpdir(), "postrider-host-"));
  chmodSync(root, 0o755);
  const [dataDir, runDir, dropDir, bin] = ["data", "run", "drop", "bin"].map((name) =>
    join(root, name),
  ) as [string, string, string, string];
  for (const folder of [dataDir, runDir, bin]) mkdirSync(folder);
  chmodSync(dataDir, 0o700);
  mkdirSync(dropDir);
  chmodSync(dropDir, 0o1733);
  // Where the test's own folder is closed to others, the binary is not.
  copyFileSync(binaryPath, join(bin, "postrider"));
  chmodSync(join(bin, "postrider"), 0o755);
  for (const name of ["sendmail", "mailq"]) symlinkSync("postrider", join(bin, name));
  const env = {
    ...cleanEnvironment(),
    HOME: root,
    PATH: `${bin}:${process.env["PATH"]}`,
    POSTRIDER_DATA_DIR: dataDir,
    POSTRIDER_RUNTIME_DIR: runDir,
    POSTRIDER_PICKUP_DIR: dropDir,
    POSTRIDER_HOSTNAME: "host.example",
  };
  return {
    dataDir,
    dropDir,
    binDir: bin,
    start: (flags = []) =>
      startDaemon({
        dataDir,
        binary: join(bin, "postrider"),
        flags: [
          ...["--runtime-dir", runDir, "--pickup-dir", dropDir, "--hostname", "host.example"],
          ...flags,
        ],
      }),
    run(program, args, { who = "owner", input = "" } = {}) {
      const isOther = who === "stranger" && strangers;
      const [file, all] = isOther
        ? ["setpriv", [...NOBODY, "--", program, ...args]]
        : [program, args];
      return ended(spawn(file, all, { env, cwd: "/" }), input);
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

function ended(child: ReturnType<typeof spawn>, input: string | Uint8Array): Promise<Ended> {
  let [out, err] = ["", ""];
  child.stdout?.on("data", (chunk: Buffer) => void (out += chunk.toString()));
  child.stderr?.on("data", (chunk: Buffer) => void (err += chunk.toString()));
  child.stdin?.on("error", () => {});
  child.stdin?.end(input);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code: code ?? -1, out, err }));
  });
}

/** What the inbox holds for a recipient, once it holds something. */
export async function inboxOf(daemon: Daemon, to: string): Promise<readonly InboxItem[]> {
  const path = `/inbox?to=${encodeURIComponent(to)}&limit=100`;
  const response = await daemon.request(path, { headers: { prefer: "wait=20" } });
  return ((await response.json()) as ListView<InboxItem>).data;
}

export async function messageFor(daemon: Daemon, to: string): Promise<InboxView> {
  const [item] = await inboxOf(daemon, to);
  if (item === undefined) throw new Error(`nothing came for ${to}`);
  return (await (await daemon.request(`/inbox/${item.id}`)).json()) as InboxView;
}
