// The road of a message as lines to read: its events in their order, an attempt and what came of it as one line, and the waits between
// them where they are long enough to ask about.
import {
  type ConversationView,
  type EventDetail,
  type EventView,
  isOutcomeOf,
  waitedMs,
} from "../../mail/eventView.ts";
import { instant, milliseconds, plainTimes } from "./format.ts";
import { phaseInWords, type Tone } from "./words.ts";

export interface TimelineLine {
  readonly key: string;
  readonly at: string;
  /** Since the message was accepted. */
  readonly sinceMs: number;
  readonly tone: Tone;
  readonly title: string;
  /** What was said or why, in the remote's words or ours; empty: nothing. */
  readonly text: string;
  /** `host mx1.example.org [192.0.2.1]`, and what else is known of an attempt. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** Empty: it concerns all of them. */
  readonly recipient: string;
  /** It may have been taken although no reply came. */
  readonly isDoubtful: boolean;
  readonly conversations: readonly ConversationView[];
  /** Of an attempt whose dialogue is not kept. */
  readonly isSilent: boolean;
  /** Nothing happened for so long before; null: not worth a line. */
  readonly waitedMs: number | null;
  /** What had held it up meanwhile, as far as it is known. */
  readonly waits: readonly string[];
}

export function timelineOf(events: readonly EventView[], acceptedAt: string): TimelineLine[] {
  const startMs = Date.parse(acceptedAt);
  const lines: TimelineLine[] = [];
  const lastAt = new Map<string, number>();
  for (const [i, event] of events.entries()) {
    // What came of an attempt follows at once: one line says both.
    const [before, next] = [events[i - 1], events[i + 1]];
    if (next !== undefined && isOutcomeOf(next, event)) continue;
    const attempt = event.type === "email.attempted" ? event : undefined;
    const said = before !== undefined && isOutcomeOf(event, before) ? before : attempt;
    const atMs = Date.parse(event.created_at);
    const recipient = event.data.postrider.recipient ?? "";
    const lastMs = lastAt.get(recipient) ?? lastAt.get("") ?? startMs;
    lastAt.set(recipient, atMs);
    lines.push({
      ...lineOf(event, said),
      recipient,
      sinceMs: atMs - startMs,
      waitedMs: i > 0 ? waitedMs(event, lastMs) : null,
    });
  }
  return lines;
}

function lineOf(
  event: EventView,
  said: EventView | undefined,
): Omit<TimelineLine, "recipient" | "sinceMs" | "waitedMs"> {
  const detail = event.data.postrider;
  const smtp = said?.data.postrider.smtp;
  return {
    key: String(event.id),
    at: event.created_at,
    tone: toneOf(event.type),
    title: titleOf(event),
    text: textOf(detail),
    facts: factsOf(detail),
    isDoubtful: detail.doubt,
    conversations: smtp ?? [],
    waits: (detail.waited ?? []).map(
      ({ from, until, why }) => `${clock(from)} to ${clock(until)}: ${plainTimes(why)}`,
    ),
    isSilent: said !== undefined && (smtp ?? []).length === 0,
  };
}

function toneOf(type: EventView["type"]): Tone {
  switch (type) {
    case "email.delivered":
      return "good";
    case "email.bounced":
    case "email.failed":
    case "email.complained":
      return "bad";
    case "email.delivery_delayed":
    case "email.held":
      return "wait";
    case "email.attempted":
      return "busy";
    default:
      return "quiet";
  }
}

function titleOf({ type, data: { postrider: detail } }: EventView): string {
  const nth = detail.attempt === null ? "" : ` at attempt ${detail.attempt}`;
  switch (type) {
    case "email.sent":
      return "Accepted";
    case "email.scheduled":
      return "Scheduled";
    case "email.held":
      return "Held";
    case "email.attempted":
      return `Attempt ${detail.attempt ?? ""}`.trim();
    case "email.delivery_delayed":
      return detail.attempt === null ? "Deferred" : `Deferred${nth}`;
    case "email.delivered":
      return detail.via === "inbox" ? "Delivered to the built-in inbox" : `Delivered${nth}`;
    case "email.bounced":
      return detail.origin === "report" ? "Bounced, as a report says" : `Bounced${nth}`;
    case "email.failed":
      return "Gave up: its lifetime ended";
    case "email.suppressed":
      return "Not tried: the address is suppressed";
    case "email.canceled":
      return "Canceled";
    case "email.requeued":
      return "Queued again by hand";
    case "email.complained":
      return "The recipient complained";
    // A daemon that was upgraded under an open page may tell more.
    default:
      return type;
  }
}

/** The remote's reply as it came, behind its code; or our own reason. */
function textOf({ code, enhanced, text }: EventDetail): string {
  const words = text ?? "";
  const numbers = [code, enhanced].filter((one) => one !== null && !words.startsWith(String(one)));
  return [...numbers, words].join(" ").trim();
}

function factsOf(detail: EventDetail): [string, string][] {
  const { host, address, source, phase, class: trouble, tls, site } = detail;
  const next = detail.next_attempt_at;
  const place = [host, address === null || address === "" ? null : `[${address}]`];
  const facts: [string, string | null][] = [
    ["to", place.filter((one) => one !== null && one !== "").join(" ")],
    ["from", source],
    ["site", site === host ? null : site],
    ["decided at", phase === null ? null : phaseInWords(phase)],
    ["class", trouble === "none" ? null : trouble],
    ["took", detail.duration_ms === null ? null : milliseconds(detail.duration_ms)],
    ["TLS", tls === null ? null : tlsText(tls)],
    ["signed by", detail.signed_by.join(", ")],
    ["next attempt", next === null ? null : `${instant(next)} UTC`],
    ["session", detail.session_id],
  ];
  return facts.filter((one): one is [string, string] => one[1] !== null && one[1] !== "");
}

/** The day is told by the line itself. */
function clock(at: string): string {
  return instant(at).slice(11);
}

function tlsText(tls: NonNullable<EventDetail["tls"]>): string {
  const proof = tls.verified ? "verified" : (tls.unproven ?? "not verified");
  const speed = tls.resumed ? "resumed" : `handshake ${milliseconds(tls.handshake_ms)}`;
  return `${tls.version}, ${proof}, policy ${tls.policy}, ${speed}`;
}

/** `waited 4 m 15 s`. */
export function waitText(ms: number): string {
  return `waited ${milliseconds(ms)}`;
}
