// Every setting, one row each: its name, what may be written, its default and what it is for. Flags, variables, the file's keys,
// `config show`, the README's table and the type `Config` all come from here.
import { join } from "node:path";
import { hostOnlyRanges } from "../base/cidr.ts";
import type { LogLevels } from "../base/log.ts";
import {
  type Endpoint,
  choice,
  duration,
  endpoint,
  flag,
  integer,
  levels,
  list,
  nameServer,
  orNull,
  OWN,
  range,
  share,
  size,
  text,
} from "./kinds.ts";
import { attachmentSettings } from "./attachmentUrls.ts";
import { connectionSettings } from "./connectionSettings.ts";
import { webhookSettings } from "./webhookSettings.ts";
import { type DkimFile, dkimFiles } from "./dkim.ts";
import { doorSettings } from "./doorSettings.ts";
import { localSettings } from "./localSettings.ts";
import { otlpSettings } from "./otlpSettings.ts";
import { patienceSettings } from "./patienceSettings.ts";
import { relayList } from "./relay.ts";
import { type Setting, setting } from "./setting.ts";
import { smtpSettings } from "./smtpSettings.ts";
import { type SenderTable, type SourceTable, senderTables, sourceTables } from "./sources.ts";
import { tlsSettings } from "./tlsSettings.ts";

export type { Setting } from "./setting.ts";

const MB = 1e6;
const GB = 1e9;
const SECOND = 1000;
const MINUTE = 60 * SECOND;

export const settings = {
  listen: setting<Endpoint>({
    name: "listen",
    kind: endpoint,
    default: { host: "127.0.0.1", port: 8250 },
    help: "Address of the HTTP API and the metrics. A public one needs `tls_cert`, or `insecure_http`",
  }),
  metricsListen: setting<Endpoint | null>({
    name: "metrics_listen",
    kind: orNull(endpoint, "none"),
    default: null,
    usually: "as `listen`",
    help: "A separate address for `/metrics`",
  }),
  insecureHttp: setting({
    name: "insecure_http",
    kind: flag,
    default: false,
    help: "Lets `listen` be a public address although keys and mail travel unencrypted",
  }),
  ...smtpSettings,
  dataDir: setting({
    name: "data_dir",
    kind: text("a path", /^[^\0]+$/),
    default: "",
    usually: "`$STATE_DIRECTORY`, else `$XDG_DATA_HOME/postrider`, else `~/.local/share/postrider`",
    help: "Folder of the database, `spool/`, `api-key` and `control.sock`",
  }),
  hostname: setting({
    name: "hostname",
    kind: text("a host name such as mail.example.com", /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/i),
    default: ({ hostname }) => hostname,
    usually: "the host's full name",
    help: "Name for EHLO and Message-IDs. Without a dot, EHLO says the address literal",
  }),
  apiKey: setting<string | null>({
    name: "api_key",
    kind: orNull(text("16 to 256 printable characters without spaces", /^[!-~]{16,256}$/), "none"),
    default: null,
    usually: "made at the first start, in `data_dir/api-key`",
    help: "The first full-access key",
    secret: true,
  }),
  relay: setting<string | null>({
    name: "relay",
    kind: relayList,
    default: null,
    usually: "none: straight to the MX",
    help: "Smarthosts in order, such as `smtp://user:pass@host:587?tls=required`; `auth=` names the login's mechanism (`plain`, `login`, `cram-md5`, `scram-sha-256`, `xoauth2` with a token as password), and with `tls=off` lets it log in without encryption",
    secret: true,
  }),
  sources: setting<readonly SourceTable[]>({
    name: "source",
    kind: sourceTables,
    default: [],
    usually: "the system's choice",
    help: "Addresses to send from, a table each: `address`, `ehlo`, `weight` (1), `warmup` (false: no daily caps)",
    table: true,
  }),
  senders: setting<readonly SenderTable[]>({
    name: "senders",
    kind: senderTables,
    default: [],
    usually: "none",
    help: 'By sender domain, such as `[senders."s.example"]`: `relay`, `source`, `return_path` of its own',
    table: true,
  }),
  smtpPort: setting({
    name: "smtp_port",
    kind: integer({ min: 1, max: 65_535 }),
    default: 25,
    help: "Remote port when going straight to the MX",
  }),
  dnsServers: setting<readonly Endpoint[]>({
    name: "dns_servers",
    kind: list(nameServer, 16),
    default: [],
    usually: "those of `/etc/resolv.conf`",
    help: "Resolvers, such as `127.0.0.1:5353, [::1]:53`",
  }),
  dnsTimeoutMs: setting({
    name: "dns_timeout",
    kind: duration({ min: 50, max: MINUTE }),
    default: 2 * SECOND,
    help: "How long one question to one resolver may take",
  }),
  dnsCacheEntries: setting({
    name: "dns_cache_entries",
    kind: integer({ min: 10, max: 1_000_000 }),
    default: 10_000,
    help: "Answers kept in memory",
  }),
  denyDestinations: setting<readonly string[]>({
    name: "deny_destinations",
    kind: list(range, 1000),
    default: [...hostOnlyRanges.map((one) => one.text), OWN],
    usually: "loopback, link-local, unspecified, multicast and `own`",
    help: "Address ranges that no delivery connects to; `own` is this host where an MX names it. An explicit `relay` is exempt",
  }),
  ...tlsSettings,
  ...connectionSettings,
  queueMaxMessages: setting({
    name: "queue_max_messages",
    kind: integer({ min: 1, max: 100_000_000 }),
    default: 1_000_000,
    help: "Recipients owed: a message counts as many as it has; beyond it requests are answered 503. The last fifth is kept from p2, the last twentieth from p1",
  }),
  queueMaxBytes: setting({
    name: "queue_max_bytes",
    kind: share({ min: MB, max: 2 ** 50 }),
    default: ({ volumeBytes }) => Math.floor(volumeBytes / 2),
    usually: "50% of the volume",
    help: "Bytes of the messages waiting",
  }),
  diskReserveBytes: setting({
    name: "disk_reserve",
    kind: share({ min: 0, max: 2 ** 50 }),
    default: ({ volumeBytes }) => Math.min(512 * MB, Math.floor(volumeBytes / 10)),
    usually: "512MB, or 10% of the volume if that is less",
    help: "Free space below which no mail is accepted",
  }),
  memoryLimitBytes: setting({
    name: "memory_limit",
    kind: size({ min: 64 * MB, max: 1024 * GB }),
    default: 512 * MB,
    help: "Resident memory beyond which no mail is accepted",
  }),
  ...doorSettings,
  maxMessageBytes: setting({
    name: "max_message_bytes",
    kind: size({ min: 10_000, max: GB }),
    default: 40 * MB,
    help: "Largest message; larger ones are answered 413",
  }),
  ...attachmentSettings,
  ...webhookSettings,
  maxRecipients: setting({
    name: "max_recipients",
    kind: integer({ min: 1, max: 10_000 }),
    default: 50,
    help: "Addresses in each of `to`, `cc` and `bcc`",
  }),
  maxBatch: setting({
    name: "max_batch",
    kind: integer({ min: 1, max: 10_000 }),
    default: 1000,
    help: "Messages in one batch",
  }),
  ...patienceSettings,
  dkim: setting<readonly DkimFile[]>({
    name: "dkim",
    kind: dkimFiles,
    default: [],
    usually: "keys made by `domain add`",
    help: "Keys for signing, a table each: `domain`, `selector`, `key_file`. Several of a domain all sign",
    table: true,
  }),
  historyDays: setting({
    name: "history_days",
    kind: integer({ min: 0, max: 3650 }),
    default: 30,
    help: "How long finished mail can be looked up",
  }),
  historyMaxBytes: setting({
    name: "history_max_bytes",
    kind: share({ min: MB, max: 2 ** 50 }),
    default: ({ volumeBytes }) => Math.min(5 * GB, Math.floor(volumeBytes / 10)),
    usually: "5GB, or 10% of the volume if that is less",
    help: "Beyond it the oldest finished mail goes first, and kept bytes before it",
  }),
  deadLetterDays: setting({
    name: "dead_letter_days",
    kind: integer({ min: 0, max: 3650 }),
    default: 7,
    help: "How long the bytes of bounced and expired mail are kept, to be sent again by `queue retry`",
  }),
  keepBodies: setting({
    name: "keep_bodies",
    kind: flag,
    default: false,
    help: "Bytes of all mail are kept as long as it can be looked up; else those of delivered mail go at once",
  }),
  suppressBounces: setting({
    name: "suppress_bounces",
    kind: flag,
    default: true,
    help: "A mailbox that its server says is not there gets no more mail until it is taken off the list (`postrider suppress`)",
  }),
  metrics: setting({
    name: "metrics",
    kind: flag,
    default: true,
    help: "Count and time what happens, for `/metrics`, the dashboard's plots and the log's lines of traffic",
  }),
  dialogues: setting<"all" | "trouble" | "off">({
    name: "dialogues",
    kind: choice(["all", "trouble", "off"]),
    default: "all",
    help: "Which SMTP dialogues are kept beside the timeline (`message show --smtp`): `all`, `trouble` (attempts that did not simply deliver), `off`",
  }),
  ...localSettings,
  ...otlpSettings,
  logLevel: setting<LogLevels>({
    name: "log_level",
    kind: levels,
    default: { general: "info", areas: {} },
    help: "The least important lines that are written: `debug`, `info`, `warn` or `error`; for single areas too, as in `info,uplink=debug` (`postrider log level` for a while)",
  }),
  logFormat: setting<"json" | "text">({
    name: "log_format",
    kind: choice(["json", "text"]),
    default: ({ terminal }) => (terminal ? "text" : "json"),
    usually: "`json` unless a terminal",
    help: "One JSON object a line, or text for people",
  }),
} as const;

type Table = typeof settings;

/** All settings as plain data, so that threads can be handed a copy. */
export type Config = {
  readonly [Key in keyof Table]: Table[Key] extends Setting<infer Value> ? Value : never;
};

export type SettingKey = keyof Config;

export const settingKeys = Object.keys(settings) as readonly SettingKey[];

/** The same rows without their types, for code that treats all alike. */
export function rowOf(key: SettingKey): Setting<unknown> {
  return settings[key] as unknown as Setting<unknown>;
}

/** The folder for data when none is set (systemd's StateDirectory=, then the XDG base directories). */
export function defaultDataDir(
  env: Readonly<Record<string, string | undefined>>,
  home: string,
): string {
  // systemd separates several state directories by colons; the first one is ours.
  const state = env["STATE_DIRECTORY"]?.split(":")[0];
  if (state !== undefined && state !== "") return state;
  const xdg = env["XDG_DATA_HOME"];
  return join(xdg === undefined || xdg === "" ? join(home, ".local", "share") : xdg, "postrider");
}
