// `postrider key create|list|update|revoke`: who may use the API, and for what.
import type { Command } from "commander";
import type { KeyView } from "../mail/apiKey.ts";
import type { ListView } from "../mail/query.ts";
import { countOf } from "./counts.ts";
import type { DaemonClient } from "./daemonClient.ts";
import type { CliDeps } from "./deps.ts";
import { exitCodes } from "./exitCodes.ts";
import { CommandFailure } from "./failure.ts";
import { json, printable, table } from "./output.ts";
import { bodyOf, clientFor, type TargetOptions, withTarget } from "./target.ts";

interface ShowOptions extends TargetOptions {
  readonly json?: boolean;
}

/** As written on the command line. */
interface TermOptions extends ShowOptions {
  readonly name?: string;
  readonly scope?: string;
  readonly domain?: readonly string[];
  readonly rate?: string;
  readonly burst?: string;
  readonly dailyQuota?: string;
  readonly queueMax?: string;
  readonly expiresIn?: string;
  readonly capture?: boolean;
}

export function addKey(program: Command, deps: CliDeps): void {
  const group = program.command("key").description("API keys: who may send, read and manage");
  withTerms(
    withTarget(group.command("create <name>").description("make a key and print it, this once")),
  )
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      "\nExample:\n  postrider key create shop --scope send --domain example.com --daily-quota 5000",
    )
    .action(async (name: string, options: TermOptions) => {
      const fields = { ...termsOf(options), name };
      const client = clientFor(options, deps);
      const made = bodyOf(await client.ask({ method: "POST", path: "/api-keys", json: fields }));
      deps.output.out(createdText(made as KeyView & { readonly token: string }, options));
    });
  withTarget(group.command("list").description("all keys but the first, which the settings hold"))
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider key list")
    .action(async (options: ShowOptions) => {
      const keys = await listKeys(clientFor(options, deps));
      deps.output.out(options.json === true ? json(keys) : listText(keys));
    });
  withTerms(
    withTarget(group.command("update <key>").description("change what a key may do, at once")),
  )
    .option("--name <name>", "call it something else")
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider key update shop --rate 100/m")
    .action(async (key: string, options: TermOptions) => {
      const client = clientFor(options, deps);
      const path = `/api-keys/${await idOf(client, key)}`;
      const fields = {
        ...termsOf(options),
        ...(options.name === undefined ? {} : { name: options.name }),
      };
      const view = bodyOf(await client.ask({ method: "PATCH", path, json: fields })) as KeyView;
      deps.output.out(options.json === true ? json(view) : listText([view]));
    });
  withTarget(group.command("revoke <key>").description("the key, by its id or name, dies at once"))
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider key revoke shop")
    .action(async (key: string, options: ShowOptions) => {
      const client = clientFor(options, deps);
      const path = `/api-keys/${await idOf(client, key)}`;
      const gone = bodyOf(await client.ask({ method: "DELETE", path }));
      deps.output.out(options.json === true ? json(gone) : printable(`${key} is revoked`));
    });
}

function withTerms(command: Command): Command {
  const collect = (value: string, all: readonly string[] = []): string[] => [...all, value];
  return command
    .option("--scope <list>", "any of send,read,manage (default: all)")
    .option("--domain <domain>", "may send from this domain only; may be repeated", collect)
    .option("--rate <rate>", "requests, such as 5/s or 100/m")
    .option("--burst <count>", "requests at once before the rate holds it back")
    .option("--daily-quota <count>", "recipients in a day of UTC")
    .option("--queue-max <count>", "recipients that it may have in the queue")
    .option("--expires-in <duration>", "such as 12h or 90d")
    .option("--capture", "nothing that it sends leaves the host");
}

/** The daemon checks them, all but numbers. */
function termsOf(options: TermOptions): Readonly<Record<string, unknown>> {
  const { scope, domain, rate, burst, dailyQuota, queueMax, expiresIn, capture } = options;
  const given = {
    scopes: scope?.split(","),
    domains: domain,
    rate,
    burst: countOf("--burst", burst),
    daily_quota: countOf("--daily-quota", dailyQuota),
    queue_max: countOf("--queue-max", queueMax),
    expires_in: expiresIn,
    capture,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

async function listKeys(client: DaemonClient): Promise<readonly KeyView[]> {
  const answer = await client.ask({ method: "GET", path: "/api-keys" });
  return (bodyOf(answer) as ListView<KeyView>).data;
}

/** A name will do where only one key has it. */
async function idOf(client: DaemonClient, key: string): Promise<string> {
  const keys = await listKeys(client);
  const found = keys.filter(({ id, name }) => id === key || name === key);
  if (found.length === 1) return found[0]?.id ?? "";
  const why =
    found.length === 0 ? "there is no such key" : "several keys have this name: give the id";
  throw new CommandFailure(exitCodes.failed, printable(`${key}: ${why}`));
}

function createdText(key: KeyView & { readonly token: string }, options: ShowOptions): string {
  if (options.json === true) return json(key);
  return `${key.token}\n\nKeep it: it is shown this once. Its id is ${key.id}.`;
}

function listText(keys: readonly KeyView[]): string {
  if (keys.length === 0)
    return "no keys but the first one (api_key, or api-key in the data folder)";
  const rows = keys.map((key) => [
    key.id,
    key.name,
    key.scopes.join(","),
    key.domains === null ? "any domain" : key.domains.join(","),
    limitsText(key),
    key.last_used_at === null ? "never used" : `used ${hourOf(key.last_used_at)}`,
    key.expired ? "EXPIRED" : key.expires_at === null ? "" : `until ${key.expires_at}`,
  ]);
  return table(rows.map((row) => row.map(printable)));
}

/** The daemon knows no more than the hour. */
function hourOf(at: string): string {
  return `${at.slice(0, 10)} ${at.slice(11, 13)}h UTC`;
}

function limitsText({ rate, daily_quota: quota, used_today: used, capture }: KeyView): string {
  const limits = [
    ...(rate === null ? [] : [rate]),
    ...(quota === null ? [] : [`${used ?? 0} of ${quota} today`]),
    ...(capture ? ["captured"] : []),
  ];
  return limits.length === 0 ? "no limit" : limits.join(", ");
}
