// Why mail to a domain is slow, or why it is not: what every thread knows of its road, gathered in one view, and the reasons in words.
import type { EpochMs } from "../base/clock.ts";
import type { DnsLookup } from "./dns.ts";
import type { PhaseFigure } from "./figures.ts";
import { lastWords, later, silent, slowly } from "./slow.ts";
import type { PauseView, SiteDepth, UplinkView } from "./query.ts";

/** What the queue thread knows. */
export interface RouteView {
  readonly domain: string;
  readonly route:
    | {
        readonly result: "route";
        readonly site: string;
        readonly via: "mx" | "relay" | "sink";
        readonly port: number;
        readonly fresh_until: string | null;
      }
    | { readonly result: "refused"; readonly enhanced: string; readonly text: string }
    | { readonly result: "unknown"; readonly text: string };
  /** Null for a relay and for the built-in sink, whose way needs no MX. */
  readonly mx: DnsLookup | null;
  readonly hosts: readonly HostView[];
  /** Host by host, with what each policy rests on; null where no route is known. */
  readonly tls: TlsView | null;
  readonly site: SiteHealthView | null;
  /** The addresses to send from; empty: the system's choice. */
  readonly sources: readonly SourceView[];
  /** What an operator stopped of it. */
  readonly paused: readonly Omit<PauseView, "name">[];
  readonly uplink: UplinkView;
}

export interface HostView {
  readonly name: string;
  readonly preference: number;
  readonly addresses: readonly string[];
  /** How long its addresses still hold; null where the DNS was not asked. */
  readonly ttl_ms: number | null;
}

export interface TlsView {
  readonly tls: string;
  /** The setting that says so. */
  readonly setting: string;
  readonly mta_sts: string;
  readonly dane: string;
  readonly hosts: readonly {
    readonly host: string;
    readonly policy: string;
    readonly why: string;
    readonly usable: boolean;
  }[];
}

/** How an address to send from stands with the site. */
export interface SourceView {
  readonly address: string;
  readonly ehlo: string | null;
  readonly weight: number;
  /** Its connections failed: others carry its mail until then. */
  readonly rests_until: string | null;
  /** Recipients of today (UTC), and how many it may have; null: not capped. */
  readonly warmup: { readonly sent: number; readonly cap: number } | null;
}

/** A site as the queue sees it. */
export interface SiteHealthView {
  readonly site: string;
  /** Recipients with its sender. */
  readonly leased: number;
  /** Not before this instant; null: open. */
  readonly paused_until: string | null;
  /** `backoff`: our own patience; else the rule by which the provider asked for it. */
  readonly paused_by: string | null;
  /** Pauses in a row. */
  readonly pauses: number;
  /** Failures of a host in a row. */
  readonly failures: number;
  /** Each of our addresses has sent there what it may today (`warmup`): none before this instant. */
  readonly closed_until?: string | null;
  /** What the site last had against us; null: nothing since the start. */
  readonly last_failure: FailureView | null;
}

/** The remote server's own words, or ours where `code` is 0. */
export interface FailureView {
  readonly at: string;
  readonly class: string;
  readonly host: string;
  readonly phase: string;
  readonly code: number;
  readonly enhanced: string;
  readonly text: string;
}

/** What the queue thread knows of many sites at one time. */
export interface SurveyView {
  readonly sites: readonly SiteHealthView[];
  /** Refusals of the last hour that somebody on our side must mend. */
  readonly alerts: readonly {
    readonly site: string;
    readonly class: string;
    /** The rule of the table of replies that says so. */
    readonly rule: string;
    readonly text: string;
    readonly at: string;
  }[];
  readonly paused: readonly PauseView[];
  /** Recipient domains whose present route leads to each site that was asked for. */
  readonly domains: Readonly<Record<string, number>>;
}

/** What a sender thread knows; the names of limits are those of the settings. */
export interface SenderSiteView {
  /** By its last few hundred replies, slowest first. */
  readonly phases?: readonly PhaseFigure[];
  readonly connections: number;
  readonly idle: number;
  readonly opening: number;
  readonly running: number;
  readonly waiting: number;
  readonly concurrency: number;
  readonly ceiling: number | null;
  readonly limits: Readonly<Record<string, unknown>>;
  /** For each limit: `own` (the table `[sites]`), `shipped`, or `general`. */
  readonly from: Readonly<Record<string, string>>;
  readonly connect_wait_ms: number;
  readonly message_wait_ms: number;
  /** The reply that has been waited for longest, at this moment. */
  readonly waits?: { readonly phase: string; readonly ms: number } | null;
}

export interface ExplainView extends RouteView {
  readonly object: "explain";
  readonly senders: readonly SenderSiteView[];
  /** The site's line, that of the paused domain, and that of what has no route yet. */
  readonly lines: readonly SiteDepth[];
  /** Each a sentence; the first one weighs most. Empty: nothing holds it up. */
  readonly reasons: readonly string[];
}

export function reasonsOf(view: Omit<ExplainView, "object" | "reasons">): string[] {
  return [
    ...stops(view),
    ...roadblocks(view),
    ...warmups(view),
    ...patience(view),
    ...view.senders.flatMap(
      (sender) => silent({ sender })?.text ?? slowly({ phases: sender.phases ?? [] })?.text ?? [],
    ),
    ...brakes(view),
  ];
}

/** Where there is no reason: single recipients may wait for their next attempts, which hold up nothing else. */
export function withoutReason(
  { lines, route }: Pick<ExplainView, "lines" | "route">,
  now: EpochMs,
): string {
  const site = route.result === "route" ? route.site : "";
  const line = lines.find((one) => one.site === site);
  const { waiting = 0, next_attempt_at: nextAttemptAt = null, last_error = null } = line ?? {};
  const delayed = later({ waiting, nextAttemptAt, lastError: last_error, now });
  return delayed?.text ?? "Nothing holds it up.";
}

function stops({ paused, uplink }: RouteView): string[] {
  const reasons = paused.map(({ kind, since }) => {
    const what = kind === "all" ? "everything" : `the ${kind}`;
    return `An operator paused ${what} at ${since}: postrider queue resume lets it go on.`;
  });
  if (uplink.state !== "up")
    reasons.push(`Our own line is ${uplink.state}: ${uplink.detail ?? "nothing is sent"}.`);
  return reasons;
}

function roadblocks({ route, tls }: RouteView): string[] {
  const reasons: string[] = [];
  if (route.result === "refused")
    reasons.push(`The DNS says that no mail can go there: ${route.text}`);
  if (route.result === "unknown") reasons.push(`No way there is known for now: ${route.text}`);
  const closed = tls?.hosts.filter(({ usable }) => !usable) ?? [];
  for (const { host, why } of closed) reasons.push(`${host} may not be used: ${why}`);
  return reasons;
}

function warmups({ sources }: RouteView): string[] {
  const reasons = sources.flatMap(({ address, rests_until: until }) =>
    until === null
      ? []
      : [`${address} rests until ${until}: its connections fail, or this host has it not.`],
  );
  const full = sources.filter(({ warmup }) => warmup !== null && warmup.sent >= warmup.cap);
  if (full.length > 0 && full.length === sources.length)
    reasons.push("Each address has sent there what it may today, since all of them warm up.");
  return reasons;
}

function patience({ site }: RouteView): string[] {
  if (site === null || site.paused_until === null) return [];
  const by =
    site.paused_by === "backoff" ? "after failures" : `since it asked for it (${site.paused_by})`;
  const last = site.last_failure;
  const said = last === null ? "" : ` ${lastWords(last)}`;
  return [`The site rests until ${site.paused_until}, ${by}; one probe goes first.${said}`];
}

/** A backlog in a sender that works as fast as it may. */
function brakes({ senders }: Pick<ExplainView, "senders">): string[] {
  const reasons: string[] = [];
  for (const one of senders) {
    const { waiting, running, concurrency, ceiling, from } = one;
    if (one.connect_wait_ms > 0)
      reasons.push(
        `The next connection waits ${one.connect_wait_ms} ms: ${from["connectRate"]} rate.`,
      );
    if (one.message_wait_ms > 0)
      reasons.push(
        `The next message waits ${one.message_wait_ms} ms: ${from["messageRate"]} rate.`,
      );
    if (waiting === 0 || running < concurrency) continue;
    const found = ceiling === null ? "" : `; it was found to bear ${ceiling}`;
    reasons.push(
      `${waiting} jobs wait while ${running} of ${concurrency} connections work${found}.`,
    );
  }
  return reasons;
}
