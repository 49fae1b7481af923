// Where settings come from: three layers, each read into the same shape, with what is unknown in it already told.
import { isAbsolute, join } from "node:path";
import { parseEnv } from "node:util";
import { TomlError, parse as parseToml } from "smol-toml";
import type { Surroundings } from "./machine.ts";
import { maskUrls } from "./relay.ts";
import { didYouMean, nearest } from "./suggest.ts";
import { rowOf, settingKeys } from "./table.ts";

export interface LoadInput extends Surroundings {
  /** By the setting's name, such as `data_dir` or `api_key_file`; `config` names the file. */
  readonly flags: Readonly<Record<string, string>>;
}

export interface Problem {
  /** A setting's name, or what else is wrong, such as a file. */
  readonly setting: string;
  /** Where the value came from, in words. */
  readonly from: string;
  /** What was found; secrets are masked. */
  readonly found: string;
  /** What is allowed instead. */
  readonly allowed: string;
}

export interface Origin {
  readonly from: "flag" | "environment" | "dotenv" | "credential" | "file" | "default";
  /** In words, for people. */
  readonly text: string;
}

export interface Given {
  readonly raw: unknown;
  readonly origin: Origin;
}

export interface Layer {
  /** By the setting's name. */
  readonly values: ReadonlyMap<string, Given>;
  readonly problems: readonly Problem[];
}

export interface EnvironmentLayer extends Layer {
  readonly warnings: readonly string[];
  /** `POSTRIDER_CONFIG`, as written. */
  readonly configFile: string | undefined;
}

export interface FileLayer extends Layer {
  readonly path: string | null;
}

const PREFIX = "POSTRIDER_";
const rows = settingKeys.map(rowOf);
const scalars = rows.filter((row) => row.table !== true).map((row) => row.name);
const secrets = rows.filter((row) => row.secret === true).map((row) => row.name);
const secretFiles = secrets.map((name) => `${name}_file`);

/** Every name that a flag or a variable may set, `..._file` included. */
export const scalarNames: readonly string[] = [...scalars, ...secretFiles];

/** A setting's name as a flag. */
export const flagOf = (name: string): string => `--${name.replaceAll("_", "-")}`;

/** Variables that commands read and the daemon does not. */
const CLIENT_VARIABLES = ["url"];

/** Kubernetes sets these for each service in the namespace, also for one that is called postrider or postrider-smtp. */
const SERVICE_LINK =
  /_SERVICE_(?:HOST|PORT(?:_\w+)?)$|_PORT_\d+_(?:TCP|UDP)(?:_(?:PROTO|PORT|ADDR))?$/;

function isServiceLink(name: string, value: string): boolean {
  return SERVICE_LINK.test(name) || (/_PORT$/.test(name) && /^(?:tcp|udp):\/\//.test(value));
}

/** Collects one layer: a `..._file` is read in the place of its secret. */
function createCollector(input: LoadInput): {
  put(name: string, raw: unknown, origin: Origin): void;
  problem(problem: Problem): void;
  readonly values: Map<string, Given>;
  readonly problems: Problem[];
} {
  const values = new Map<string, Given>();
  const problems: Problem[] = [];
  return {
    values,
    problems,
    problem: (problem) => void problems.push(problem),
    put(name, raw, origin) {
      const secret = name.replace(/_file$/, "");
      const there = secrets.includes(secret) ? values.get(secret)?.origin : undefined;
      if (there !== undefined && there.from === origin.from) {
        const found = `${secret} and ${secret}_file`;
        problems.push({ setting: secret, from: origin.text, found, allowed: "one of the two" });
      }
      if (!secretFiles.includes(name)) return void values.set(name, { raw, origin });
      const found = typeof raw === "string" ? readSecret(input, raw) : undefined;
      if (found !== undefined) values.set(secret, { raw: found, origin });
      else
        problems.push({
          setting: name,
          from: origin.text,
          found: String(raw),
          allowed: "a file that is there and readable",
        });
    },
  };
}

/** What stands beside a name that we do not know may be a secret with a slip in its name. */
function unknownValue(name: string, raw: string): string {
  const near = nearest(name, [...scalars, ...secretFiles]) ?? "";
  return secrets.includes(near) || /key|pass|secret|token/i.test(name) ? "***" : maskUrls(raw);
}

function readSecret(input: LoadInput, path: string): string | undefined {
  try {
    return input.readFile(fromCwd(input, path))?.trimEnd();
  } catch {
    return undefined;
  }
}

const fromCwd = (input: LoadInput, path: string): string =>
  isAbsolute(path) ? path : join(input.cwd, path);

export function readFlags(input: LoadInput): Layer {
  const { put, problem, values, problems } = createCollector(input);
  for (const [name, raw] of Object.entries(input.flags)) {
    const spelled = flagOf(name);
    if (name === "config") continue;
    if (scalarNames.includes(name)) put(name, raw, { from: "flag", text: `flag ${spelled}` });
    else {
      const known = scalarNames.map(flagOf);
      const hint = didYouMean(spelled, known);
      problem({
        setting: spelled,
        from: "flag",
        found: unknownValue(name, raw),
        allowed: `no such flag${hint}`,
      });
    }
  }
  return { values, problems };
}

export function readEnvironment(input: LoadInput): EnvironmentLayer {
  const { put, problem, values, problems } = createCollector(input);
  const warnings: string[] = [];
  let configFile: string | undefined;
  readCredentials(input, (name, raw) =>
    put(name, raw, { from: "credential", text: `credential ${name}` }),
  );
  const take = (from: "environment" | "dotenv", where: string, env: LoadInput["env"]): void => {
    for (const [variable, raw] of Object.entries(env)) {
      if (!variable.startsWith(PREFIX) || raw === undefined || isServiceLink(variable, raw))
        continue;
      const name = variable.slice(PREFIX.length).toLowerCase();
      if (name === "config") configFile = raw;
      else if (scalarNames.includes(name)) put(name, raw, { from, text: `${where} ${variable}` });
      else if (!CLIENT_VARIABLES.includes(name)) {
        const known = scalarNames.map((one) => PREFIX + one.toUpperCase());
        warnings.push(`${variable} (${where}) is no setting${didYouMean(variable, known)}`);
      }
    }
  };
  const dotenv = readOr(input, join(input.cwd, ".env"), problem);
  if (dotenv !== undefined) take("dotenv", ".env", parseEnv(dotenv));
  take("environment", "environment", input.env);
  return { values, problems, warnings, configFile };
}

/** systemd's LoadCredential=api_key:/path puts a file of that name there. */
function readCredentials(input: LoadInput, put: (name: string, raw: string) => void): void {
  const folder = input.env["CREDENTIALS_DIRECTORY"];
  if (folder === undefined || folder === "") return;
  for (const name of secrets) {
    const found = readSecret(input, join(folder, name));
    if (found !== undefined) put(name, found);
  }
}

/** Undefined when there is no such file; a file that cannot be read is a problem. */
function readOr(
  input: LoadInput,
  path: string,
  problem: (problem: Problem) => void,
): string | undefined {
  try {
    return input.readFile(path);
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    problem({ setting: path, from: "file", found, allowed: "a readable file" });
    return undefined;
  }
}

/** Where the file is looked for when none is named. */
function usualFiles(input: LoadInput): string[] {
  const xdg = input.env["XDG_CONFIG_HOME"];
  const folder = xdg === undefined || xdg === "" ? join(input.home, ".config") : xdg;
  return [join(folder, "postrider", "postrider.toml"), "/etc/postrider/postrider.toml"];
}

export function readFile(input: LoadInput, environment: EnvironmentLayer): FileLayer {
  const { put, problem, values, problems } = createCollector(input);
  const named = input.flags["config"] ?? environment.configFile;
  const paths = named === undefined ? usualFiles(input) : [fromCwd(input, named)];
  for (const path of paths) {
    const text = readOr(input, path, problem);
    if (text === undefined) continue;
    for (const [key, raw] of Object.entries(tomlOf(path, text, problem))) {
      const known = [...rows.map((row) => row.name), ...secretFiles];
      if (known.includes(key)) put(key, raw, { from: "file", text: `file ${path}` });
      else {
        const allowed = `no such setting${didYouMean(key, known)}`;
        const found = unknownValue(key, JSON.stringify(raw));
        problem({ setting: key, from: `file ${path}`, found, allowed });
      }
    }
    return { values, problems, path };
  }
  if (named !== undefined && problems.length === 0) {
    const from = input.flags["config"] === undefined ? "POSTRIDER_CONFIG" : "flag --config";
    problem({ setting: "config", from, found: named, allowed: "a file that is there" });
  }
  return { values, problems, path: null };
}

function tomlOf(
  path: string,
  text: string,
  problem: (problem: Problem) => void,
): Readonly<Record<string, unknown>> {
  try {
    return parseToml(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [what = ""] = error.message.split("\n");
    const place = `line ${error.line}, column ${error.column}`;
    problem({ setting: path, from: "file", found: `${what} at ${place}`, allowed: "TOML" });
    return {};
  }
}
