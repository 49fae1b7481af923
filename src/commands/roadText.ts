// The road of one message as a person reads it at a glance: recipient by recipient, what happened, what was said, what it waits for.
import { humanDuration } from "../base/human.ts";
import { isLost } from "../mail/dialogue.ts";
import {
  type ConversationView,
  type EventDetail,
  type EventView,
  type TlsView,
  isOutcomeOf,
  waitedMs,
} from "../mail/eventView.ts";
import { domainOf } from "../mail/message.ts";
import type { EmailView, RecipientView } from "../mail/query.ts";
import { isFinal } from "../mail/state.ts";
import { type Colors, printable, table } from "./output.ts";

/** Which attempts are told word by word; `failed`: the last one of each recipient, unless it delivered. */
export type Spoken = "all" | "failed" | "none";

/** Why mail to a domain waits now, in sentences. */
export type Reasons = ReadonlyMap<string, readonly string[]>;

export interface RoadOptions {
  readonly spoken: Spoken;
  readonly reasons: Reasons;
  readonly colors: Colors;
  readonly now: number;
}

/** Recipients that are shown in full; the others have a line each. */
const RECIPIENTS_MAX = 20;
/** A server that thinks so long before it answers is worth a look. */
const SLOW_MS = 1000;

export function roadText(
  email: EmailView,
  events: readonly EventView[],
  options: RoadOptions,
): string {
  const whole = events.filter(({ data }) => data.postrider.recipient === null);
  const shown = email.recipients.slice(0, RECIPIENTS_MAX);
  const alreadyTold = new Set<string>();
  const roads = shown.map((recipient) => {
    const own = events.filter(({ data }) => data.postrider.recipient === recipient.address);
    return recipientRoad(recipient, [...whole, ...own], { ...options, alreadyTold });
  });
  const rest = email.recipients.slice(RECIPIENTS_MAX);
  const more = rest.map(({ address, state, last }) => [address, state, last ?? ""]);
  return [
    head(email, events),
    ...roads,
    ...(more.length === 0 ? [] : [table(more.map((row) => row.map(printable)))]),
  ].join("\n\n");
}

function head(email: EmailView, events: readonly EventView[]): string {
  const trace = events[0]?.data.postrider.trace_id ?? null;
  const facts: [string, string][] = [
    ["id", email.id],
    ["Message-ID", email.message_id],
    ["from", email.from],
    ["to", email.to.join(", ")],
    ["subject", email.subject],
    ["accepted", `${email.created_at}, priority ${email.priority}`],
    ["reference", email.reference ?? ""],
    ["scheduled", email.scheduled_at ?? ""],
    ["trace", trace ?? ""],
  ];
  const rows = facts.filter(([, value]) => value !== "");
  return table(rows.map((row) => row.map(printable)));
}

interface RecipientOptions extends RoadOptions {
  /** What one recipient of a transaction was told with is not told again. */
  readonly alreadyTold: Set<string>;
}

function recipientRoad(
  recipient: RecipientView,
  events: readonly EventView[],
  options: RecipientOptions,
): string {
  const { colors, now } = options;
  const { address, state, attempts, next_attempt_at: next } = recipient;
  const count = `${attempts} ${attempts === 1 ? "attempt" : "attempts"}`;
  const wait = next === null ? "" : `, next ${inWords(next, now)}`;
  const title = `${colors.bold(printable(address))}  ${paint(colors, state)}, ${count}${wait}`;
  return [title, ...lines(events, recipient, options), ...nowLines(recipient, options)].join("\n");
}

/** An attempt and what came of it are two events and one line. */
function lines(
  events: readonly EventView[],
  recipient: RecipientView,
  options: RecipientOptions,
): string[] {
  const ordered = [...events].sort((a, b) => a.id - b.id);
  const attempted = ordered.filter(({ type }) => type === "email.attempted");
  const spoken = spokenIn(attempted, recipient, options.spoken);
  const out: string[] = [];
  let before: EventView | undefined;
  for (const event of ordered) {
    if (event.type === "email.attempted") continue;
    const attempt = attempted.find((one) => isOutcomeOf(event, one));
    const waited = before === undefined ? null : waitedMs(event, Date.parse(before.created_at));
    if (waited !== null) out.push(line("", `waited ${humanDuration(waited)}`));
    for (const { from, until, why } of event.data.postrider.waited ?? [])
      out.push(line("", printable(`${timeOf(from)} to ${timeOf(until)}: ${why}`)));
    out.push(...eventLines(event, options));
    if (attempt !== undefined && spoken.has(attempt)) out.push(...said(attempt, options));
    before = event;
  }
  return out;
}

function spokenIn(
  attempted: readonly EventView[],
  { state }: RecipientView,
  spoken: Spoken,
): ReadonlySet<EventView> {
  if (spoken === "all") return new Set(attempted);
  const last = attempted.at(-1);
  if (spoken === "none" || state === "delivered" || last === undefined) return new Set();
  return new Set([last]);
}

const INDENT = "      ";
const TIME_WIDTH = 23;

function line(at: string, text: string): string {
  return `  ${at.replace("T", " ").replace("Z", "").padEnd(TIME_WIDTH)}  ${text}`;
}

const BELOW = " ".repeat(TIME_WIDTH + 4);

function eventLines(event: EventView, { colors }: RoadOptions): string[] {
  const { type, created_at: at, data } = event;
  const detail = data.postrider;
  const word = paint(colors, wordOf(type, detail));
  const what = reasonOf(type, detail);
  if (detail.origin !== "attempt") return [line(at, joined([word, what], ": "))];
  const { attempt, duration_ms: ms } = detail;
  const took = ms === null ? "" : ` in ${humanDuration(ms)}`;
  const first = line(at, joined([`${word} at attempt ${attempt ?? "?"}${took}`, what], ": "));
  const doubt = detail.doubt
    ? [
        `${BELOW}${colors.yellow("doubt: the server may have taken it; another try may be a second copy")}`,
      ]
    : [];
  return [first, `${BELOW}${wayOf(detail)}`, ...doubt];
}

function wordOf(type: EventView["type"], detail: EventDetail): string {
  switch (type) {
    case "email.sent":
      return "accepted";
    case "email.delivery_delayed":
      return detail.origin === "attempt" ? "deferred" : "given back";
    case "email.failed":
      return "expired";
    case "email.requeued":
      return "queued again";
    default:
      return type.slice("email.".length);
  }
}

/** What the remote server said, or our own reason, and until when it waits. */
function reasonOf(type: EventView["type"], detail: EventDetail): string {
  const { code, enhanced, text, class: trouble, phase, next_attempt_at: next } = detail;
  const said = joined([code === null ? "" : String(code), enhanced ?? "", text ?? ""], " ");
  const kind = trouble === null || trouble === "none" ? "" : `${trouble}`;
  const where = phase === null || type === "email.delivered" ? "" : `at ${phase}`;
  const until = next === null ? "" : `until ${timeOf(next)}`;
  const facts = joined([kind, where, until], ", ");
  return printable(facts === "" ? said : `${said} (${facts})`);
}

/** Between whom: host, addresses, encryption. */
function wayOf(detail: EventDetail): string {
  const { host, address, source, tls, via, session_id: session, site } = detail;
  if (host === null || host === "") return printable(`no connection to ${site ?? "the site"}`);
  const from = source === null ? "" : `from ${source}`;
  const by = via === null || via === "mx" ? "" : `by ${via}`;
  const ends = joined([`${host} [${address ?? ""}]`, from, by], " ");
  const named = session === null || session === "" ? "" : `session ${session}`;
  return printable(joined([ends, tlsText(tls), named], ", "));
}

function tlsText(tls: TlsView | null): string {
  if (tls === null) return "no TLS";
  const { version, verified, policy, unproven, resumed } = tls;
  const proof = verified ? "verified" : `not verified${unproven === null ? "" : ` (${unproven})`}`;
  return `${version} ${proof}${resumed ? ", resumed" : ""}, policy ${policy}`;
}

/** Each command with its reply and how long it took. */
function said(attempt: EventView, { colors, alreadyTold }: RecipientOptions): string[] {
  const { smtp } = attempt.data.postrider;
  if (smtp === undefined) return [];
  if (smtp === null || smtp.length === 0)
    return [`${BELOW}${colors.dim("what was said is not kept")}`];
  const key = JSON.stringify(smtp);
  if (alreadyTold.has(key)) return [`${BELOW}${colors.dim("said as above: the same transaction")}`];
  alreadyTold.add(key);
  return smtp.flatMap((one) => conversationLines(one, colors));
}

function conversationLines(one: ConversationView, colors: Colors): string[] {
  const { host, address, session, at, reused, exchanges, dropped } = one;
  const how = reused ? "kept connection" : "new connection";
  const title = `${host} [${address}] at ${timeOf(at)}, ${how}, session ${session}`;
  const rows = exchanges.flatMap((exchange) => {
    const { phase, sent, code, reply, took_ms: took } = exchange;
    const ms = (took >= SLOW_MS ? colors.yellow : colors.dim)(`${took} ms`);
    const heard = code === null ? `${phase}: ${reply}` : `${code} ${reply}`;
    const mark = code === null ? "·" : "←";
    const isBad = isLost(exchange) || (code ?? 0) >= 400;
    const shown = isBad ? colors.red(printable(heard.trim())) : printable(heard.trim());
    return [
      ...(sent === "" ? [] : [`${INDENT}→ ${printable(sent)}`]),
      `${INDENT}${mark} ${shown}  ${ms}`,
    ];
  });
  const left = dropped === 0 ? [] : [`${INDENT}· ${dropped} more lines are left out`];
  return [`    ${printable(title)}`, ...rows, ...left];
}

/** What it waits for at this moment. */
function nowLines(
  { address, state }: RecipientView,
  { reasons, colors }: RecipientOptions,
): string[] {
  if (isFinal(state)) return [];
  const why = reasons.get(domainOf(address)) ?? [];
  return why.map((text) => `  ${colors.yellow("now".padEnd(TIME_WIDTH))}  ${printable(text)}`);
}

function timeOf(at: string): string {
  return at.replace("T", " ").replace(/Z$/, "");
}

function inWords(at: string, now: number): string {
  const leftMs = Date.parse(at) - now;
  return leftMs > 0 ? `in ${humanDuration(leftMs)} (${timeOf(at)})` : "as soon as it may";
}

function paint(colors: Colors, word: string): string {
  if (word === "delivered") return colors.green(word);
  if (["bounced", "expired", "failed", "suppressed", "complained"].includes(word))
    return colors.red(word);
  return ["deferred", "held", "given back"].includes(word) ? colors.yellow(word) : word;
}

function joined(parts: readonly string[], by: string): string {
  return parts.filter((part) => part !== "").join(by);
}
