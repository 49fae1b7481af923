// The command line with its real surroundings. What is heavy is loaded only by the command that needs it, so that `postrider version`
// is quick.
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { systemClock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { runCli } from "../commands/cli.ts";
import type { CliDeps, DaemonHooks, GoodConfig } from "../commands/deps.ts";
import { createOutput } from "../commands/output.ts";
import { type Config, realSurroundings, shownSettings } from "../config.ts";
import { parseRelays } from "../route/relay.ts";
import { keyFaults } from "./dkimKeys.ts";
import { openTerminal } from "./terminal.ts";
import { lineSender, watchOutput } from "./standardOut.ts";
import { leave } from "./signals.ts";
import type { StressIo } from "./stress/watch.ts";

export function runCommand(argv: readonly string[]): Promise<number> {
  const readerGone = watchOutput(argv[0] === "serve" || argv[0] === "sink");
  const surroundings = realSurroundings({ relayProblems, keyFaults });
  const output = createOutput({
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    bytes: (bytes) => void process.stdout.write(bytes),
    color: process.stdout.isTTY === true && surroundings.env["NO_COLOR"] === undefined,
  });
  const deps: CliDeps = {
    surroundings,
    output,
    clock: systemClock,
    readStdin,
    stdin: () => process.stdin as AsyncIterable<Uint8Array>,
    user,
    readBytes,
    readPieces: (path) => (existsSync(path) ? createReadStream(path) : undefined),
    startDaemon: (loaded, hooks) => startDaemon(deps, loaded, hooks),
    startSink: async (request) => (await import("./sinkCommand.ts")).startSinkCommand(request),
    runStress: async (request) =>
      (await import("./stress/command.ts")).runStress(request, stressIo(deps)),
    endWithStdin,
    terminal: openTerminal,
    untilStopped: () => Promise.race([untilStopped(), readerGone]),
  };
  return runCli([...calledAs(process.argv0), ...argv], deps);
}

/** The binary may be linked under the names that other programs call. */
const OTHER_NAMES = new Map([
  ["sendmail", ["sendmail"]],
  ["mailq", ["mailq"]],
  ["newaliases", ["sendmail", "-bi"]],
]);

function calledAs(name: string): readonly string[] {
  return OTHER_NAMES.get(basename(name)) ?? [];
}

/** By number: variables such as USER are not set by cron, and say what they like elsewhere. */
function user(): string {
  const uid = String(process.getuid?.() ?? "");
  for (const line of (readIfThere("/etc/passwd") ?? "").split("\n")) {
    const [name = "", , number] = line.split(":");
    if (name !== "" && number === uid) return name;
  }
  return uid === "" ? "unknown" : `uid-${uid}`;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function relayProblems(relays: string): readonly string[] {
  const parsed = parseRelays(relays);
  return parsed.kind === "refused" ? parsed.problems : [];
}

/** For the last lines of the log to leave. */
const LAST_LINES_MS = 1000;

async function startDaemon(
  { output, surroundings }: CliDeps,
  { config, file, origins }: GoodConfig,
  { onReady, load }: DaemonHooks,
): Promise<number> {
  const [{ runDaemon }, { createLogWriter }, { createLogOut, tellLost }] = await Promise.all([
    import("./daemon.ts"),
    import("../report/log.ts"),
    import("../report/logOut.ts"),
  ]);
  const log: Log = (level, event, fields) => writer.log(level, event, fields);
  const lost = tellLost(log);
  const out = createLogOut({ send: lineSender(lost), lost });
  const writerOf = ({ logLevel, logFormat }: Config) =>
    createLogWriter({
      clock: systemClock,
      levels: logLevel,
      format: logFormat === "text" ? "pretty" : "json",
      color: process.stderr.isTTY === true && surroundings.env["NO_COLOR"] === undefined,
      write: out.write,
    });
  let writer = writerOf(config);
  const code = await runDaemon(config, {
    log,
    logAs: (next) => void (writer = writerOf(next)),
    logFrom: (levels) => writer.logFrom(levels),
    load,
    file,
    settings: changedSettings(config, origins),
    failed: output.err,
    started: (facts) => onReady({ ...facts, file }),
  });
  // What nobody reads would hold the process for ever.
  if (!(await out.drained(systemClock, LAST_LINES_MS))) leave(code);
  return code;
}

/** As `config show` has them, one after the other. */
function changedSettings(config: Config, origins: GoodConfig["origins"]): string {
  const changed = shownSettings(config, origins).filter(({ from }) => from !== "default");
  return changed.map(({ name, value }) => `${name}=${value}`).join(" ");
}

async function readStdin(): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function readBytes(path: string): Uint8Array | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function stressIo({ surroundings }: CliDeps): StressIo {
  const { stderr } = process;
  // The line is written over the one before it.
  const progress = (line: string): void => void stderr.write(`\r\u001b[K${line}`);
  return {
    path: surroundings.env["PATH"] ?? "",
    progress: stderr.isTTY === true ? progress : null,
    // A terminal that is closed must not leave its folder behind either.
    untilStopped: () => untilStopped(["SIGTERM", "SIGINT", "SIGHUP"]),
  };
}

function endWithStdin(): void {
  const { stdin } = process;
  stdin.on("end", () => process.emit("SIGTERM"));
  stdin.resume();
  // It must not be what keeps the process.
  stdin.unref();
}

function untilStopped(signals: readonly NodeJS.Signals[] = ["SIGTERM", "SIGINT"]): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of signals) process.once(signal, () => resolve());
  });
}
