// `postrider domain add|list|check|remove`: whose mail is signed, and the DNS records that make others believe it.
import type { Command } from "commander";
import type { DomainRecord, DomainView } from "../mail/domain.ts";
import type { ListView } from "../mail/query.ts";
import type { CliDeps } from "./deps.ts";
import { exitCodes } from "./exitCodes.ts";
import { json, printable, table } from "./output.ts";
import { bodyOf, clientFor, type TargetOptions, withTarget } from "./target.ts";

interface ShowOptions extends TargetOptions {
  readonly json?: boolean;
  readonly zone?: boolean;
}

export function addDomain(program: Command, deps: CliDeps, end: (code: number) => void): void {
  const group = program.command("domain").description("whose mail is signed (DKIM)");
  addAdd(group, deps);
  withTarget(group.command("list").description("domains whose mail is signed"))
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider domain list")
    .action(async (options: ShowOptions) => {
      const answer = await clientFor(options, deps).ask({ method: "GET", path: "/domains" });
      const { data } = bodyOf(answer) as ListView<DomainView>;
      deps.output.out(options.json === true ? json(data) : listText(data));
    });
  addCheck(group, deps, end);
  withTarget(group.command("remove <domain>").description("sign no more, and remove the keys"))
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider domain remove example.com")
    .action(async (name: string, options: ShowOptions) => {
      const client = clientFor(options, deps);
      const removed = bodyOf(await client.ask({ method: "DELETE", path: pathOf(name) }));
      const text = `${name} is signed no more; keep its DNS records while signed mail is under way`;
      deps.output.out(options.json === true ? json(removed) : printable(text));
    });
}

function addAdd(group: Command, deps: CliDeps): void {
  withTarget(
    group
      .command("add <domain>")
      .description("make keys, sign with them from now on, and print the DNS records"),
  )
    .option("--selector <name>", "name of the RSA key in the DNS; the Ed25519 key adds -ed")
    .option("--zone", "the records as a zone file")
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider domain add example.com --zone")
    .action(async (name: string, options: ShowOptions & { readonly selector?: string }) => {
      const { selector } = options;
      const answer = await clientFor(options, deps).ask({
        method: "POST",
        path: "/domains",
        json: selector === undefined ? { name } : { name, selector },
      });
      deps.output.out(domainText(bodyOf(answer) as DomainView, options));
    });
}

function addCheck(group: Command, deps: CliDeps, end: (code: number) => void): void {
  withTarget(group.command("check <domain>").description("compare the DNS with what is needed"))
    .option("--zone", "the records as a zone file")
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider domain check example.com")
    .action(async (name: string, options: ShowOptions) => {
      const path = `${pathOf(name)}/verify`;
      const client = clientFor(options, deps);
      const view = bodyOf(await client.ask({ method: "POST", path })) as DomainView;
      deps.output.out(domainText(view, options));
      if (view.status !== "verified") end(exitCodes.failed);
    });
}

function pathOf(name: string): string {
  return `/domains/${encodeURIComponent(name)}`;
}

function listText(domains: readonly DomainView[]): string {
  if (domains.length === 0) return "no domains: mail is not signed";
  const rows = domains.map((one) => [
    one.name,
    one.status,
    one.keys.map(({ selector, algorithm }) => `${selector} (${algorithm})`).join(", "),
    one.created_at,
  ]);
  return table(rows.map((row) => row.map(printable)));
}

function domainText(view: DomainView, { json: asJson, zone }: ShowOptions): string {
  if (asJson === true) return json(view);
  return zone === true ? zoneText(view) : recordsText(view);
}

function recordsText({ name, status, records }: DomainView): string {
  const rows = records.map((one) => [one.record, one.status, one.type, one.name, one.value]);
  const details = records
    .filter(({ detail }) => detail !== "")
    .map(({ record, name: at, detail }) => `${record} ${at}: ${detail}`);
  const lines = [
    `${name}: ${status}`,
    "",
    table(rows.map((row) => row.map(printable))),
    ...(details.length === 0 ? [] : ["", ...details.map(printable)]),
  ];
  return lines.join("\n");
}

/** Master file format (RFC 1035 5). Records of a reverse zone belong into another file. */
function zoneText({ records }: DomainView): string {
  return records
    .filter(({ type }) => type !== "PTR")
    .map((one) => `${one.name}. ${one.ttl} IN ${one.type} ${zoneData(one)}`)
    .join("\n");
}

/** RFC 1035 3.3: a string has at most 255 octets, a text record as many strings as it takes. */
const STRING_MAX = 255;

function zoneData({ type, value }: DomainRecord): string {
  if (type !== "TXT") return value;
  const strings: string[] = [];
  for (let at = 0; at < value.length; at += STRING_MAX)
    strings.push(`"${value.slice(at, at + STRING_MAX).replace(/["\\]/g, "\\$&")}"`);
  return strings.length === 1 ? (strings[0] ?? "") : `( ${strings.join(" ")} )`;
}
