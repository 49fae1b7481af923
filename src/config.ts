// Settings: flags over environment over file over default become a Config, or the list of all problems at once.
import { resolve } from "node:path";
import { defaultRuntimeDir } from "./config/localSettings.ts";
import { maskUrls } from "./config/relay.ts";
import {
  type Layer,
  type LoadInput,
  type Origin,
  type Problem,
  readEnvironment,
  readFile,
  readFlags,
} from "./config/layers.ts";
import type { KeyFaults, Machine } from "./config/machine.ts";
import {
  type Config,
  type Setting,
  type SettingKey,
  defaultDataDir,
  rowOf,
  settingKeys,
} from "./config/table.ts";
import { smtpContradictions } from "./config/smtpSettings.ts";
import { caFault } from "./config/tlsCa.ts";
import { pairFault } from "./config/tlsPair.ts";
import { ipFamily, inRanges, loopbackRanges } from "./base/cidr.ts";

export type { Config } from "./config/table.ts";
export { type LoadInput, type Origin, type Problem, flagOf, scalarNames } from "./config/layers.ts";
export { realSurroundings, type Surroundings } from "./config/machine.ts";
export { didYouMean } from "./config/suggest.ts";

export type Origins = Readonly<Record<SettingKey, Origin>>;

export type LoadedConfig =
  | {
      readonly kind: "ok";
      readonly config: Config;
      readonly warnings: readonly string[];
      readonly origins: Origins;
      /** The file that was read; null: none was there. */
      readonly file: string | null;
    }
  | { readonly kind: "bad"; readonly problems: readonly Problem[] };

/** Bun runs what these name before our first line, inside the compiled binary too (DESIGN 11). */
const FOREIGN_CODE = ["BUN_OPTIONS", "BUN_BE_BUN"];

export function loadConfig(input: LoadInput): LoadedConfig {
  const problems: Problem[] = FOREIGN_CODE.filter((name) => input.env[name] !== undefined).map(
    (name) => ({
      setting: name,
      from: "environment",
      found: input.env[name] ?? "",
      allowed: "not set: it makes the runtime execute foreign code",
    }),
  );
  const environment = readEnvironment(input);
  const file = readFile(input, environment);
  const flags = readFlags(input);
  const layers: readonly Layer[] = [flags, environment, file];
  problems.push(...layers.flatMap((layer) => layer.problems));

  const { values, origins, problems: slips } = valuesOf(settingKeys, layers, input);
  problems.push(...slips);
  for (const key of ["tlsCert", "tlsKey"] as const)
    if (typeof values[key] === "string") values[key] = resolve(input.cwd, values[key]);
  problems.push(...caProblems(values as Partial<Config>, origins as Origins, input));
  problems.push(...pairProblems(values as Partial<Config>, origins as Origins, input));
  const keys = input.keyFaults((values.dkim as Config["dkim"] | undefined) ?? []);
  problems.push(...relayProblems(values as Partial<Config>, origins as Origins, input));
  problems.push(...senderProblems(values as Partial<Config>, origins as Origins));
  problems.push(...keyProblems(keys, origins as Origins));
  problems.push(...contradictions(values, origins as Origins));
  for (const { setting, ...fault } of smtpContradictions(values as Partial<Config>, isLoopback)) {
    const { name } = rowOf(setting);
    problems.push({ setting: name, from: (origins as Origins)[setting].text, ...fault });
  }
  if (problems.length > 0) return { kind: "bad", problems };
  const config = values as Config;
  const warnings = [...environment.warnings, ...keys.warnings, ...doubts(config)];
  return { kind: "ok", config, warnings, origins: origins as Origins, file: file.path };
}

/** What somebody has to know who looks for the daemon of this host, or leaves mail for it. */
export type Folders = Pick<Config, "dataDir" | "runtimeDir" | "pickupDir" | "hostname">;

export type LoadedFolders =
  | { readonly kind: "ok"; readonly folders: Folders }
  | { readonly kind: "bad"; readonly problems: readonly Problem[] };

const folderKeys = ["dataDir", "runtimeDir", "pickupDir", "hostname"] as const;

/**
 * For programs of any user: the other settings are not theirs to judge, and may name secrets that only the daemon reads. A file that
 * they may not read is as if it were not there; one that is no TOML could say that the daemon is elsewhere.
 */
export function loadFolders(input: LoadInput): LoadedFolders {
  const tolerant: LoadInput = { ...input, readFile: (path) => readIfAllowed(input, path) };
  const environment = readEnvironment(tolerant);
  const file = readFile(tolerant, environment);
  const layers = [readFlags(tolerant), environment, file];
  const { values, problems } = valuesOf(folderKeys, layers, tolerant);
  const ofFile = file.problems.filter(
    ({ setting, from }) => from === "file" || setting === "config",
  );
  if (problems.length + ofFile.length > 0)
    return { kind: "bad", problems: [...ofFile, ...problems] };
  return { kind: "ok", folders: values as Folders };
}

function readIfAllowed(input: LoadInput, path: string): string | undefined {
  try {
    return input.readFile(path);
  } catch {
    return undefined;
  }
}

/** The values of these settings, each from the first layer that has it. */
function valuesOf(keys: readonly SettingKey[], layers: readonly Layer[], input: LoadInput) {
  const machine = machineFor(input, layers);
  const values: Partial<Record<SettingKey, unknown>> = {};
  const origins: Partial<Record<SettingKey, Origin>> = {};
  const problems: Problem[] = [];
  for (const key of keys) {
    const row = rowOf(key);
    const given = layers
      .map((layer) => layer.values.get(row.name))
      .find((one) => one !== undefined);
    const value =
      given === undefined ? defaultOf(row, machine) : row.kind.parse(given.raw, machine);
    if (given !== undefined && value === undefined) {
      const { allowed } = row.kind;
      const slips = row.kind.problems?.(given.raw) ?? [shown(row, given.raw)];
      for (const found of slips)
        problems.push({ setting: row.name, from: given.origin.text, found, allowed });
    }
    values[key] = value;
    origins[key] = given?.origin ?? { from: "default", text: "default" };
  }
  resolvePaths(values, input);
  return { values, origins, problems };
}

/** Paths are meant from where we are; the empty ones depend on the environment. */
function resolvePaths(values: Partial<Record<SettingKey, unknown>>, input: LoadInput): void {
  if (typeof values.dataDir === "string") {
    const folder = values.dataDir === "" ? defaultDataDir(input.env, input.home) : values.dataDir;
    values.dataDir = resolve(input.cwd, folder);
  }
  if (typeof values.runtimeDir === "string") {
    const folder = values.runtimeDir === "" ? defaultRuntimeDir(input.env) : values.runtimeDir;
    values.runtimeDir = resolve(input.cwd, folder);
  }
  if (typeof values.pickupDir === "string") values.pickupDir = resolve(input.cwd, values.pickupDir);
  if (values.dkim !== undefined)
    values.dkim = (values.dkim as Config["dkim"]).map((one) => ({
      ...one,
      keyFile: resolve(input.cwd, one.keyFile),
    }));
  if (typeof values.tlsCaFile === "string") values.tlsCaFile = resolve(input.cwd, values.tlsCaFile);
}

/** Shares are reckoned from the volume that will hold the data, so its folder is needed before all else. */
function machineFor(input: LoadInput, layers: readonly Layer[]): Machine {
  const given = layers
    .map((layer) => layer.values.get("data_dir"))
    .find((one) => one !== undefined);
  const dataDir = given === undefined ? defaultDataDir(input.env, input.home) : String(given.raw);
  return { ...input.machine, volumeBytes: input.volumeBytes(resolve(input.cwd, dataDir)) };
}

function defaultOf(row: Setting<unknown>, machine: Machine): unknown {
  return typeof row.default === "function"
    ? (row.default as (machine: Machine) => unknown)(machine)
    : row.default;
}

/** Long values are cut: a problem is one line. */
const SHOWN_MAX = 120;

function shown(row: Setting<unknown>, raw: unknown): string {
  const text = typeof raw === "string" ? raw : JSON.stringify(raw);
  const masked = row.secret === true ? mask(text) : maskUrls(text);
  return masked.length > SHOWN_MAX ? `${masked.slice(0, SHOWN_MAX)}...` : masked;
}

function mask(text: string): string {
  return text.includes("://") ? maskUrls(text) : "***";
}

function isLoopback(host: string): boolean {
  return host === "localhost" || (ipFamily(host) !== 0 && inRanges(loopbackRanges, host));
}

function relayProblems(
  { relay, senders = [] }: Partial<Config>,
  origins: Origins,
  input: LoadInput,
): Problem[] {
  const allowed = rowOf("relay").kind.allowed;
  const general = typeof relay === "string" ? input.relayProblems(relay) : [];
  const own = senders.flatMap(({ domain, relay: text }) =>
    (text === null ? [] : input.relayProblems(text)).map((why) => ({
      setting: "senders",
      from: origins.senders.text,
      found: `${domain}: ${mask(text ?? "")}`,
      allowed: `${allowed}; ${why}`,
    })),
  );
  return [
    ...general.map((why) => ({
      setting: "relay",
      from: origins.relay.text,
      found: mask(relay ?? ""),
      allowed: `${allowed}; ${why}`,
    })),
    ...own,
  ];
}

/** A sender domain can only be given an address that is there. */
function senderProblems({ sources, senders }: Partial<Config>, origins: Origins): Problem[] {
  if (sources === undefined || senders === undefined) return [];
  const addresses = sources.map(({ address }) => address);
  return senders
    .filter(({ source }) => source !== null && !addresses.includes(source))
    .map(({ domain, source }) => ({
      setting: "senders",
      from: origins.senders.text,
      found: `${domain}: source ${source}`,
      allowed: "the address of one of the tables [[source]]",
    }));
}

function keyProblems({ problems }: KeyFaults, origins: Origins): Problem[] {
  const allowed = "files of private keys, RSA from 1024 bits or Ed25519, that only we may read";
  return problems.map((found) => ({ setting: "dkim", from: origins.dkim.text, found, allowed }));
}

function caProblems({ tlsCaFile }: Partial<Config>, origins: Origins, input: LoadInput): Problem[] {
  const found = typeof tlsCaFile === "string" ? caFault(tlsCaFile, input.readFile) : undefined;
  if (found === undefined) return [];
  const allowed = "a readable file of certificates in PEM";
  return [{ setting: "tls_ca_file", from: origins.tlsCaFile.text, found, allowed }];
}

function pairProblems(config: Partial<Config>, origins: Origins, input: LoadInput): Problem[] {
  const { tlsCert, tlsKey } = config;
  if (tlsCert === undefined || tlsKey === undefined) return [];
  const fault = pairFault({ tlsCert, tlsKey }, input.readFile);
  if (fault === undefined) return [];
  const { setting, found, allowed } = fault;
  return [{ setting: rowOf(setting).name, from: origins[setting].text, found, allowed }];
}

/** Settings that are each allowed, but not together. */
function contradictions(values: Partial<Record<SettingKey, unknown>>, origins: Origins): Problem[] {
  const { listen, insecureHttp, tlsCert } = values as Partial<Config>;
  if (listen === undefined || insecureHttp !== false || isLoopback(listen.host)) return [];
  if (typeof tlsCert === "string") return [];
  return [
    {
      setting: "listen",
      from: origins.listen.text,
      found: listen.host,
      allowed:
        "a loopback address, since keys and mail would travel unencrypted; or set tls_cert and tls_key; or insecure_http",
    },
  ];
}

/** What is allowed, but hardly meant. */
function doubts(config: Config): string[] {
  const doubts: string[] = [];
  if (!config.hostname.includes("."))
    doubts.push(
      `hostname: ${config.hostname} has no domain, so EHLO says the address literal, which many servers refuse; set hostname`,
    );
  const collector = config.otlpEndpoint === null ? null : new URL(config.otlpEndpoint);
  const isBare = collector?.protocol === "http:" && !isLoopback(bareHost(collector));
  if (isBare && config.otlpHeaders !== null)
    doubts.push(
      `otlp_headers: they travel unencrypted to ${collector.host}; let otlp_endpoint be https://`,
    );
  return doubts;
}

/** Without the brackets of an IPv6 address. */
function bareHost({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}

/** A line for people: setting, where from, what was found, what is allowed. */
export function problemLine({ setting, from, found, allowed }: Problem): string {
  return `${setting} (${from}): found ${found === "" ? "nothing" : found}; allowed: ${allowed}`;
}

export interface ShownSetting {
  readonly name: string;
  readonly value: string;
  readonly from: string;
}

/** All settings as `config show` prints them, secrets masked. */
export function shownSettings(config: Config, origins: Origins): ShownSetting[] {
  return settingKeys.map((key) => {
    const row = rowOf(key);
    const value = row.kind.show(config[key]);
    const hidden = row.secret === true && config[key] !== null;
    return { name: row.name, value: hidden ? mask(value) : value, from: origins[key].text };
  });
}
