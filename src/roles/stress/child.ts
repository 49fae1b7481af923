// Another process of this same executable: `stress` runs its daemon and its sink as users do, so that their CPU and memory are their own
// and none of it is the load's. It ends with its standard input, so that nothing is left behind however the first one ends.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type Clock, systemClock } from "../../base/clock.ts";

export interface Child {
  readonly pid: number;
  /** All lines of its standard output from now on. */
  lines(hear: (line: string) => void): void;
  /** Resolves when it has ended, with the last of what it said of it. */
  readonly gone: Promise<string>;
  /** Resolves when it is gone: asked first, and killed when it does not listen. */
  stop(): Promise<void>;
}

const LAST_WORDS_CHARS = 2_000;
const STOP_WITHIN_MS = 3_000;

export function startChild(
  args: readonly string[],
  cwd: string,
  path: string,
  clock: Clock = systemClock,
): Child {
  const child = spawn(process.execPath, [...program(), ...args], {
    cwd,
    // Nothing that is set for the user's own daemon holds for this one.
    env: { PATH: path, HOME: cwd, LANG: "C.UTF-8" },
    stdio: ["pipe", "pipe", "pipe"],
    // A Ctrl-C on the terminal is for the command alone, which ends its parts in their order.
    detached: true,
  });
  let lastWords = "";
  child.stderr.on("data", (chunk: Buffer) => {
    lastWords = (lastWords + chunk.toString()).slice(-LAST_WORDS_CHARS);
  });
  child.stdin.on("error", () => {
    // It is gone already, which its exit tells.
  });
  const gone = goneOf(child).then((code) => `${lastWords.trim()} (exit ${code})`.trim());
  return {
    pid: child.pid ?? -1,
    lines: (hear) => void child.stdout.on("data", lineReader(hear)),
    gone,
    async stop() {
      child.stdin.end();
      const timer = clock.after(STOP_WITHIN_MS, () => void child.kill("SIGKILL"));
      await gone;
      timer.cancel();
    },
  };
}

async function goneOf(child: ChildProcess): Promise<string> {
  try {
    const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
    return String(code ?? signal);
  } catch (error) {
    return (error as Error).message;
  }
}

/** The compiled executable is the program; else the runtime is, and the program its first argument. */
function program(): readonly string[] {
  const [, entry = ""] = process.argv;
  return entry.startsWith("/$bunfs/") ? [] : [entry];
}

function lineReader(hear: (line: string) => void): (chunk: Buffer) => void {
  let rest = "";
  return (chunk) => {
    const lines = (rest + chunk.toString("latin1")).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) hear(line);
  };
}
