// Attempts as senders tell them, and spans as people read them.
import type { AttemptTrace, TracedRecipient } from "../../src/mail/attemptTrace.ts";
import type { Conversation, Exchange } from "../../src/mail/dialogue.ts";
import { IDS_PER_MS } from "../../src/mail/id.ts";
import { type AttemptStep, packStep } from "../../src/mail/timeline.ts";
import type { Span } from "../../src/report/span.ts";

export const START = 1_800_000_000_000;
export const TAG = "8f3b2c1d4e5f6071";
export const MESSAGE = START * IDS_PER_MS;
export const CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/** `at` counts from `START`. */
export function step(at: number, change: Partial<AttemptStep> = {}): string {
  return packStep({
    ...{ kind: "attempt", durationMs: 20, outcome: "delivered", class: "none", doubt: false },
    ...{ via: "mx", site: "a.example", host: "mx.a.example", address: "192.0.2.1" },
    ...{ source: "198.51.100.7", session: "5e551014", phase: "dot", code: 250 },
    ...{ enhanced: "2.0.0", text: "queued", tls: null },
    ...change,
    at: START + at,
  });
}

export function recipient(given: string, change: Partial<TracedRecipient> = {}): TracedRecipient {
  return { n: 0, address: "ann@a.example", claim: 7, attempts: 0, step: given, ...change };
}

/** phase, sent at, took, code, reply */
type Line = readonly [string, number, number, number, string];

export function conversation(
  at: number,
  lines: readonly Line[],
  change: Partial<Conversation> = {},
): Conversation {
  return {
    ...{ session: "5e551014", host: "mx.a.example", address: "192.0.2.1" },
    ...{ source: "198.51.100.7", at: START + at, reused: false, dropped: 0 },
    exchanges: lines.map(([phase, sentMs, tookMs, code, reply]): Exchange => {
      return { phase, sentMs, tookMs, sent: "MAIL FROM:<ann@a.example>", code, reply };
    }),
    ...change,
  };
}

/** As mail/dialogue.ts reads it. */
function packed(conversations: readonly Conversation[]): string {
  return JSON.stringify(
    conversations.map((one) => [
      ...[one.session, one.host, one.address, one.source, one.at, one.reused ? 1 : 0, one.dropped],
      one.exchanges.map((e) => [e.phase, e.sentMs, e.tookMs, e.sent, e.code, e.reply]),
    ]),
  );
}

export function attempt(
  times: { readonly cameAt: number; readonly endedAt: number },
  recipients: readonly TracedRecipient[],
  conversations: readonly Conversation[] = [],
  change: Partial<AttemptTrace> = {},
): AttemptTrace {
  return {
    ...{ message: MESSAGE, trace: null, why: "share", priority: 1, sizeBytes: 1234 },
    ...{ cameAt: START + times.cameAt, endedAt: START + times.endedAt, recipients },
    dialogue: conversations.length === 0 ? "" : packed(conversations),
    ...change,
  };
}

/** One line a span below its parent, in the order in which they begin: times from `START` in milliseconds, and what it says. */
export function drawn(spans: readonly Span[]): string {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const below = (parent: string | null, depth: number): string[] =>
    spans
      .filter(({ parentId }) =>
        parent === null ? parentId === null || !ids.has(parentId) : parentId === parent,
      )
      .toSorted((a, b) => a.startAt - b.startAt)
      .flatMap((span) => [lineOf(span, depth), ...below(span.spanId, depth + 1)]);
  return `${below(null, 0).join("\n")}\n`;
}

function lineOf(span: Span, depth: number): string {
  const { name, kind, startAt, endAt, attributes, error, events, parentId, isRemoteParent } = span;
  const lead = "  ".repeat(depth);
  const words = Object.entries(attributes).map(([key, value]) => `${key}=${value}`);
  const lines = [`${lead}${name} [${kind}] ${startAt - START}..${endAt - START}`];
  if (isRemoteParent) lines.push(`${lead}    caller ${parentId ?? ""}`);
  if (error !== null) lines.push(`${lead}    error ${error}`);
  for (const word of words.sort()) lines.push(`${lead}    ${word}`);
  for (const event of events)
    lines.push(`${lead}    event ${event.name} ${JSON.stringify(event.attributes)}`);
  return lines.join("\n");
}
