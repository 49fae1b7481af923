// Which daemon a command means: the one of the data folder, or that of --url; and what is said when it does not answer.
import { join } from "node:path";
import type { Command } from "commander";
import { unreachable } from "../base/unreachable.ts";
import { type Folders, loadFolders, problemLine } from "../config.ts";
import { type Answer, type DaemonClient, type Target, createDaemonClient } from "./daemonClient.ts";
import type { CliDeps } from "./deps.ts";
import { exitCodes } from "./exitCodes.ts";
import { CommandFailure, notAllowed } from "./failure.ts";
import { printable } from "./output.ts";

export interface TargetOptions {
  readonly url?: string;
  readonly apiKey?: string;
  readonly apiKeyFile?: string;
  readonly dataDir?: string;
  readonly config?: string;
}

/** What is asked for decides which sockets will do: by the one that is open to all, mail can be sent and no more. */
export type Purpose = "control" | "send";

export function withTarget(command: Command): Command {
  return command
    .option("--url <url>", "another host's API, such as http://10.0.0.5:8250")
    .option("--api-key <key>", "key for --url; better POSTRIDER_API_KEY or --api-key-file")
    .option("--api-key-file <file>", "file that holds the key for --url")
    .option("--data-dir <folder>", "data folder of the daemon on this host")
    .option("--config <file>", "settings' file of the daemon on this host");
}

export function clientFor(
  options: TargetOptions,
  deps: CliDeps,
  purpose: Purpose = "control",
): DaemonClient {
  return createDaemonClient(targetOf(options, deps, purpose), deps.clock);
}

export function targetOf(options: TargetOptions, deps: CliDeps, purpose: Purpose): Target {
  const url = options.url ?? deps.surroundings.env["POSTRIDER_URL"];
  if (url !== undefined) return { kind: "url", url: checkedUrl(url), key: keyFor(options, deps) };
  const { dataDir, runtimeDir } = foldersOf(options, deps);
  const own = join(dataDir, "control.sock");
  // Whoever names the folder means that daemon and no other.
  if (options.dataDir !== undefined) return { kind: "socket", paths: [own] };
  const control = [own, join(runtimeDir, "control.sock")];
  const paths = purpose === "send" ? [...control, join(runtimeDir, "submit.sock")] : control;
  return { kind: "socket", paths };
}

function checkedUrl(url: string): string {
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url;
  throw notAllowed("--url", url, "http://HOST:PORT");
}

function keyFor(options: TargetOptions, deps: CliDeps): string {
  const { env } = deps.surroundings;
  const direct =
    options.apiKey ?? (options.apiKeyFile === undefined ? env["POSTRIDER_API_KEY"] : undefined);
  if (direct !== undefined) return direct;
  const file =
    options.apiKeyFile ??
    env["POSTRIDER_API_KEY_FILE"] ??
    join(foldersOf(options, deps).dataDir, "api-key");
  try {
    const text = deps.surroundings.readFile(file);
    if (text !== undefined) return text.trim();
  } catch {
    // Not readable and not there are the same to whoever asked.
  }
  const hint = "give --api-key-file or POSTRIDER_API_KEY";
  throw new CommandFailure(exitCodes.noPermission, `no key can be read from ${file}: ${hint}`);
}

/** The folders as the daemon would find them. */
function foldersOf(options: TargetOptions, deps: CliDeps): Folders {
  const flags: Record<string, string> = {};
  if (options.dataDir !== undefined) flags["data_dir"] = options.dataDir;
  if (options.config !== undefined) flags["config"] = options.config;
  const loaded = loadFolders({ ...deps.surroundings, flags });
  if (loaded.kind === "ok") return loaded.folders;
  throw new CommandFailure(exitCodes.config, loaded.problems.map(problemLine).join("\n"));
}

/** The body of a 2xx answer; everything else ends the command. */
export function bodyOf(answer: Answer): unknown {
  return answered(answer).body;
}

export function answered(answer: Answer): Extract<Answer, { kind: "answer" }> {
  switch (answer.kind) {
    case "unreachable":
      throw new CommandFailure(
        exitCodes.unreachable,
        answer.nobody ? `${answer.why}\n${REMEDY}` : answer.why,
      );
    case "forbidden":
      throw new CommandFailure(exitCodes.noPermission, answer.why);
    case "answer": {
      if (answer.status < 300) return answer;
      throw new CommandFailure(codeOf(answer.status), problemText(answer));
    }
    default:
      return unreachable(answer);
  }
}

const REMEDY =
  "Start it with `postrider serve`; --data-dir names the folder of another one, --url one on another host.";

function codeOf(status: number): number {
  if (status === 429 || status === 503) return exitCodes.later;
  // What the daemon finds wrong in a request came from the command line.
  return status === 400 || status === 422 ? exitCodes.usage : exitCodes.failed;
}

interface ProblemBody {
  readonly title?: string;
  readonly detail?: string;
  readonly errors?: readonly { readonly pointer?: string; readonly detail?: string }[];
}

export function problemText({ status, body }: Extract<Answer, { kind: "answer" }>): string {
  const { title, detail, errors = [] } = (body ?? {}) as ProblemBody;
  const head = detail ?? title ?? `the daemon answered ${status}`;
  // A single fault stands in the first sentence already.
  const [first] = errors;
  if (errors.length === 1 && head.includes(first?.detail ?? "")) return printable(head);
  const faults = errors.map((fault) => `  ${fault.pointer ?? ""} ${fault.detail ?? ""}`);
  return [head, ...faults].map(printable).join("\n");
}
