// `postrider explain DOMAIN`: why mail to a domain is slow, or why it is not.
import type { Command } from "commander";
import { humanDuration } from "../base/human.ts";
import type { EpochMs } from "../base/clock.ts";
import {
  type ExplainView,
  type SenderSiteView,
  type SourceView,
  withoutReason,
} from "../mail/explain.ts";
import { lineName } from "../mail/query.ts";
import { checkedDomain } from "./arguments.ts";
import { briefDuration } from "./cells.ts";
import type { CliDeps } from "./deps.ts";
import { json, printable, table } from "./output.ts";
import { bodyOf, clientFor, type TargetOptions, withTarget } from "./target.ts";

export function addExplain(program: Command, deps: CliDeps): void {
  const command = program
    .command("explain <domain>")
    .description("why mail to a domain is slow: its road, policies, limits, and what waits");
  withTarget(command)
    .option("--json", "as JSON")
    .addHelpText("after", "\nExample:\n  postrider explain example.com")
    .action(async (domain: string, options: TargetOptions & { json?: boolean }) => {
      const path = `/explain/${encodeURIComponent(checkedDomain("domain", domain))}`;
      const view = bodyOf(await clientFor(options, deps).ask({ method: "GET", path }));
      deps.output.out(
        options.json === true ? json(view) : explainText(view as ExplainView, deps.clock.now()),
      );
    });
}

function explainText(view: ExplainView, now: EpochMs): string {
  const parts = [
    view.reasons.length === 0
      ? printable(withoutReason(view, now))
      : view.reasons.map(printable).join("\n"),
    rows(road(view)),
    rows(
      view.hosts.map(({ preference, name, addresses, ttl_ms }) => [
        ...["  host", String(preference), name, addresses.join(" ")],
        ttl_ms === null ? "" : `for ${seconds(ttl_ms)}`,
      ]),
    ),
    rows((view.tls?.hosts ?? []).map(({ host, policy, why }) => ["  tls", host, policy, why])),
    rows(view.sources.map(sourceRow)),
    ...view.senders.map(senderText),
    rows(
      view.lines.map((line) => [
        "  line",
        lineName(line.site),
        `${line.waiting} waiting`,
        line.oldest_age_seconds === null
          ? ""
          : `oldest ${humanDuration(line.oldest_age_seconds * 1000)}`,
        line.next_attempt_at === null ? "" : `next ${line.next_attempt_at}`,
        line.last_error ?? "",
      ]),
    ),
  ];
  return parts.filter((part) => part !== "").join("\n");
}

function road({ domain, route, mx, tls, site, uplink }: ExplainView): string[][] {
  const facts: string[][] = [["domain", domain]];
  if (route.result === "route") {
    facts.push(["route", `site ${route.site}, by ${route.via}, port ${route.port}`]);
    if (route.fresh_until !== null) facts.push(["", `holds until ${route.fresh_until}`]);
  } else facts.push(["route", `${route.result}: ${route.text}`]);
  if (mx !== null)
    facts.push([
      "mx",
      `${mx.result}, from ${mx.level}, for ${seconds(mx.ttlMs)}${mx.secure ? ", secure" : ""}`,
    ]);
  if (tls !== null) {
    facts.push(["tls", `${tls.tls} (${tls.setting})`]);
    facts.push(["", `MTA-STS: ${tls.mta_sts}; DANE: ${tls.dane}`]);
  }
  if (site !== null) {
    facts.push(["with sender", `${site.leased} recipients`]);
    const last = site.last_failure;
    if (last !== null)
      facts.push([
        "last error",
        `${last.at} ${last.host} ${last.phase} ${last.code || last.class} ${last.text}`,
      ]);
  }
  facts.push(["our line", uplink.state]);
  return facts;
}

function sourceRow({ address, ehlo, weight, rests_until: rests, warmup }: SourceView): string[] {
  const sent = warmup === null ? "" : `${warmup.sent} of ${warmup.cap} today`;
  const health = rests === null ? "" : `rests until ${rests}`;
  return ["  source", address, ehlo ?? "", `weight ${weight}`, sent, health];
}

function senderText(one: SenderSiteView): string {
  const { connections, running, idle, opening, concurrency, ceiling, waiting } = one;
  const now = [
    `${running} of ${concurrency} connections work`,
    `${connections} open, ${idle} idle, ${opening} opening`,
    ...(ceiling === null ? [] : [`bears ${ceiling}`]),
    `${waiting} jobs wait`,
  ];
  const limits = Object.entries(one.limits).map(([name, value]) => [
    ...["  limit", name, limitText(value)],
    one.from[name] ?? "",
  ]);
  const phases = (one.phases ?? []).map(({ phase, p50_ms: p50, p95_ms: p95, replies }) => [
    ...["  takes", phase, `p50 ${briefDuration(p50)}`, `p95 ${briefDuration(p95)}`],
    `of ${replies} ${replies === 1 ? "reply" : "replies"}`,
  ]);
  const parts = [rows([["sender", now.join("; ")]]), rows(phases), rows(limits)];
  return parts.filter((part) => part !== "").join("\n");
}

function limitText(value: unknown): string {
  if (value === null) return "unlimited";
  if (typeof value !== "object") return String(value);
  const { count, perMs } = value as { readonly count: number; readonly perMs: number };
  return `${count} in ${seconds(perMs)}`;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}

function rows(cells: readonly (readonly string[])[]): string {
  return cells.length === 0 ? "" : table(cells.map((row) => row.map(printable)));
}
