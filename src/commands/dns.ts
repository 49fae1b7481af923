// `postrider dns lookup|warm|flush`: what the daemon's resolver knows, learns in advance, and forgets.
import type { Command } from "commander";
import type { DnsLookup, DnsWarmth } from "../mail/dns.ts";
import { checkedDomain } from "./arguments.ts";
import type { CliDeps } from "./deps.ts";
import { misused } from "./failure.ts";
import { json, printable } from "./output.ts";
import { bodyOf, clientFor, type TargetOptions, withTarget } from "./target.ts";

interface Options extends TargetOptions {
  readonly json?: boolean;
}

/** Domains of one request; the daemon takes no more at a time. */
const WARM_AT_ONCE = 500;

export function addDns(program: Command, deps: CliDeps): void {
  const group = program.command("dns").description("what the daemon's resolver knows");
  withTarget(group.command("lookup <name> [type]").description("ask as the daemon would"))
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider dns lookup example.com MX")
    .action(async (name: string, type: string | undefined, options: Options) => {
      const query = new URLSearchParams({ name: checkedDomain("name", name), type: type ?? "MX" });
      const path = `/dns/lookup?${query.toString()}`;
      const found = bodyOf(await clientFor(options, deps).ask({ method: "GET", path }));
      deps.output.out(options.json === true ? json(found) : lookupText(found as DnsLookup));
    });
  withTarget(group.command("flush [name]").description("forget one name, or all of them"))
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider dns flush example.com")
    .action(async (name: string | undefined, options: Options) => {
      const body = name === undefined ? {} : { name: checkedDomain("name", name) };
      const client = clientFor(options, deps);
      const said = bodyOf(await client.ask({ method: "POST", path: "/dns/flush", json: body }));
      const { forgotten } = said as { readonly forgotten: number };
      deps.output.out(options.json === true ? json(said) : `forgot ${forgotten} answers`);
    });
  addWarm(group, deps);
}

function addWarm(group: Command, deps: CliDeps): void {
  withTarget(
    group.command("warm <file>").description("learn where the mail of a list of domains goes"),
  )
    .option("--json", "as JSON")
    .addHelpText("after", "\nOne domain a line.\n\nExample:\n  postrider dns warm domains.txt")
    .action(async (file: string, options: Options) => {
      const bytes = deps.readBytes(file);
      if (bytes === undefined) throw misused(`no file ${file}`);
      const lines = new TextDecoder().decode(bytes).split(/\r?\n/);
      const domains = lines.map((line) => line.trim()).filter((line) => /^[^#]/.test(line));
      const client = clientFor(options, deps);
      const all = { total: 0, done: 0, found: 0, none: 0, unknown: 0, tookMs: 0 };
      for (let at = 0; at < domains.length; at += WARM_AT_ONCE) {
        const body = { domains: domains.slice(at, at + WARM_AT_ONCE) };
        const said = bodyOf(await client.ask({ method: "POST", path: "/dns/warm", json: body }));
        const part = said as DnsWarmth;
        for (const name of Object.keys(all) as (keyof DnsWarmth)[]) all[name] += part[name];
      }
      deps.output.out(options.json === true ? json(all) : warmText(all));
    });
}

function warmText({ total, done, found, none, unknown, tookMs }: DnsWarmth): string {
  const left = total - done;
  const facts = [`${found} found`, `${none} take no mail`, `${unknown} unknown`];
  if (left > 0) facts.push(`${left} not asked in time`);
  return `${total} domains in ${Math.round(tookMs)} ms: ${facts.join(", ")}`;
}

function lookupText({ type, name, result, why, records, secure, level, ttlMs, tookMs }: DnsLookup) {
  const head = `${name} ${type}: ${result}${why === "" ? "" : ` (${why})`}`;
  const how = `from ${level} in ${tookMs.toFixed(1)} ms, for ${Math.round(ttlMs / 1000)} s`;
  return [`${head}, ${how}${secure ? ", secure" : ""}`, ...records.map((one) => `  ${one}`)]
    .map(printable)
    .join("\n");
}
