// One attempt of one message as spans, made once its outcome is known: the wait before it, the attempt, and all that was said.
import type { EpochMs } from "../base/clock.ts";
import type { AttemptTrace, TracedRecipient } from "../mail/attemptTrace.ts";
import { type Conversation, unpackConversations } from "../mail/dialogue.ts";
import { acceptedAtOf } from "../mail/id.ts";
import { domainOf } from "../mail/message.ts";
import { type AttemptStep, unpackTimeline } from "../mail/timeline.ts";
import type { Acceptance } from "./acceptances.ts";
import { conversationSpans } from "./saidSpans.ts";
import { attributesOf, type Attributes, type Span, type SpanEvent } from "./span.ts";
import {
  messageAttributes,
  priorityOf,
  type Root,
  shown,
  spanOf,
  type SpanRules,
  veiled,
} from "./spanRoot.ts";

/** What is known of the message from before this attempt. */
export interface Before {
  /** Attempts that were seen. */
  readonly attempts: number;
  readonly endedAt: EpochMs;
  /** Class of the trouble that it waited for. */
  readonly class: string;
}

/** One attempt, with the wait before it. */
export function attemptSpans(
  attempt: AttemptTrace,
  root: Root,
  rules: SpanRules,
  known: { readonly acceptance: Acceptance | undefined; readonly before: Before | undefined },
): Span[] {
  const ended = expiredSpan(attempt, root);
  if (ended !== undefined) return [ended];
  const conversations = attempt.dialogue === "" ? [] : unpackConversations(attempt.dialogue);
  const deliver = deliverSpan(attempt, root, rules, { conversations, before: known.before });
  const inner: Root = { ...root, spanId: deliver.spanId };
  const since = deliver.startAt;
  const said = conversations.flatMap((one, i) =>
    conversationSpans(one, inner, rules, { name: `${deliver.spanId} ${i}`, since }),
  );
  const begunAt = Math.min(...said.map(({ startAt }) => startAt));
  const spans = [...waitSpans(attempt, root, known), deliver];
  // Whoever found a connection at once did not wait for it.
  if (said.length > 0 && begunAt - since >= 1) {
    const times = { startAt: since, endAt: begunAt };
    const name = "wait for connection";
    spans.push(spanOf(inner, { what: `connection ${deliver.spanId}`, name, ...times }));
  }
  return [...spans, ...said];
}

/** Mail that expired while it waited: nobody was asked, so that there is nothing more to tell. */
function expiredSpan(
  { recipients, endedAt, priority }: AttemptTrace,
  root: Root,
): Span | undefined {
  const notes = recipients.flatMap(({ step }) => unpackTimeline(step));
  const [first] = notes;
  if (first?.kind !== "note") return undefined;
  return spanOf(root, {
    ...{ what: `expired ${recipients[0]?.n ?? 0}`, name: first.note },
    ...{ startAt: endedAt, endAt: endedAt, error: first.text },
    attributes: {
      ...messageAttributes(root),
      "error.type": first.note,
      "postrider.priority": priorityOf(priority),
    },
  });
}

function waitSpans(
  attempt: AttemptTrace,
  root: Root,
  { acceptance, before }: { acceptance: Acceptance | undefined; before: Before | undefined },
): Span[] {
  const { message, lookup, cameAt, priority, recipients } = attempt;
  // The question may have been put for another message, before this one came.
  const cameInAt = Math.min(cameAt, acceptance?.receivedAt ?? acceptedAtOf(message));
  const lookedAt = lookup === undefined ? undefined : Math.max(lookup.at, cameInAt);
  const first = (recipients[0]?.attempts ?? 0) === 0 && before === undefined;
  // After a restart nobody knows how long a retry has waited.
  const since = before?.endedAt ?? (first ? acceptance?.committedAt : undefined) ?? lookedAt;
  if (since === undefined) return [];
  // Jobs leave the queue as fast as the answer does: which of the two is first is not known.
  const startAt = Math.min(since, cameAt, lookedAt ?? cameAt);
  const claim = recipients[0]?.claim ?? 0;
  const isScheduled = acceptance !== undefined && acceptance.dueAt > acceptance.committedAt;
  const reason = before?.class ?? (lookup !== undefined ? "dns" : isScheduled ? "schedule" : "new");
  const wait = spanOf(root, {
    ...{ what: `wait ${claim}`, name: "queue.wait", startAt, endAt: cameAt },
    attributes: { "postrider.wait.reason": reason, "postrider.priority": priorityOf(priority) },
  });
  if (lookup === undefined || lookedAt === undefined) return [wait];
  const endAt = Math.min(cameAt, lookup.at + lookup.tookMs);
  const inner: Root = { ...root, spanId: wait.spanId };
  const domain = domainOf(recipients[0]?.address ?? "");
  return [
    wait,
    spanOf(inner, {
      ...{ what: `dns ${claim}`, name: "dns", startAt: lookedAt, endAt },
      attributes: attributesOf({ "dns.question.name": domain }),
    }),
  ];
}

const severity = ["delivered", "interrupted", "deferred", "failed"];

/** The worst that came of it stands for the whole. */
function worstOf(steps: readonly AttemptStep[]): AttemptStep | undefined {
  return [...steps].sort((a, b) => severity.indexOf(b.outcome) - severity.indexOf(a.outcome))[0];
}

function stepsOf(recipients: readonly TracedRecipient[]): AttemptStep[] {
  return recipients.flatMap(({ step }) =>
    unpackTimeline(step).filter((one): one is AttemptStep => one.kind === "attempt"),
  );
}

function deliverSpan(
  attempt: AttemptTrace,
  root: Root,
  rules: SpanRules,
  {
    conversations,
    before,
  }: { readonly conversations: readonly Conversation[]; readonly before: Before | undefined },
): Span {
  const { recipients, cameAt, endedAt } = attempt;
  const [first] = recipients;
  const steps = stepsOf(recipients);
  const step = worstOf(steps);
  const number = Math.max(first?.attempts ?? 0, before?.attempts ?? 0) + 1;
  // What was said is noted in whole milliseconds.
  const endAt = Math.max(endedAt, ...conversations.flatMap(endsOf));
  const failed = step !== undefined && step.outcome !== "delivered";
  return spanOf(root, {
    ...{ what: `deliver ${first?.claim ?? 0}`, name: `deliver attempt ${number}` },
    ...{ kind: "client", startAt: cameAt, endAt },
    attributes: {
      ...messageAttributes(root),
      "messaging.operation.name": "deliver",
      "messaging.operation.type": "send",
      "messaging.message.envelope.size": attempt.sizeBytes,
      "postrider.attempt": number,
      "postrider.priority": priorityOf(attempt.priority),
      "postrider.trace.kept": attempt.why,
      "postrider.recipients": recipients.length,
      ...attributesOf({ "messaging.destination.name": shown(first?.address ?? "", rules) }),
      ...(step === undefined ? {} : stepAttributes(step, rules)),
    },
    error: failed ? wordsOf(step, rules) : null,
    events: recipients.length > 1 ? recipientEvents(recipients, endAt, rules) : [],
  });
}

const endsOf = ({ at, exchanges }: Conversation): number[] =>
  exchanges.map(({ sentMs, tookMs }) => at + sentMs + tookMs);

function stepAttributes(step: AttemptStep, rules: SpanRules): Attributes {
  const failed = step.outcome !== "delivered";
  const { tls } = step;
  return attributesOf({
    "server.address": step.host,
    "network.peer.address": step.address,
    "network.local.address": step.source,
    "network.protocol.name": step.via === "sink" ? null : "smtp",
    "postrider.outcome": step.outcome,
    "postrider.site": step.site,
    "postrider.via": step.via,
    "postrider.session.id": step.session,
    "postrider.dkim": step.signed,
    "postrider.doubt": step.doubt ? true : null,
    "postrider.trouble": failed ? step.class : null,
    "smtp.phase": failed ? step.phase : null,
    "smtp.reply.code": step.code === 0 ? null : step.code,
    "smtp.reply.enhanced_code": step.enhanced,
    "smtp.reply.text": failed ? veiled(step.text, rules) : null,
    "error.type": failed ? errorOf(step) : null,
    "tls.protocol.version": tls?.version.replace(/^TLSv/, ""),
    "tls.cipher": tls?.cipher,
    "tls.resumed": tls?.resumed,
    "postrider.tls.verified": tls?.verified,
    "postrider.tls.policy": tls?.policy,
  });
}

/** Few values: the reply's code, or the class of trouble where there was no reply. */
function errorOf({ code, class: trouble }: AttemptStep): string {
  return code === 0 ? trouble : String(code);
}

function recipientEvents(
  recipients: readonly TracedRecipient[],
  at: EpochMs,
  rules: SpanRules,
): SpanEvent[] {
  return recipients.map((one) => {
    const [step] = stepsOf([one]);
    return {
      ...{ name: "recipient", at },
      attributes: attributesOf({
        "postrider.recipient": one.n,
        "messaging.destination.name": shown(one.address, rules),
        "postrider.outcome": step?.outcome,
        "smtp.reply.code": step?.code === 0 ? null : step?.code,
        "smtp.reply.enhanced_code": step?.enhanced,
      }),
    };
  });
}

function wordsOf(step: AttemptStep, rules: SpanRules): string {
  const code = step.code === 0 ? step.class : String(step.code);
  return veiled(`${code} ${step.text}`, rules);
}
