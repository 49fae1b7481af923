// What becomes of a message as spans, made once the outcome is known: its acceptance, each wait in the queue, each attempt with all that
// was said, each delivery to a webhook. Their ids follow from what they are, so that an attempt of Tuesday belongs to the trace of Monday.
import type { EpochMs } from "../base/clock.ts";
import type { AttemptTrace, TracedRecipient } from "../mail/attemptTrace.ts";
import { type Conversation, type Exchange, unpackConversations } from "../mail/dialogue.ts";
import { acceptedAtOf, type HostTag, type MessageId, uuidOf } from "../mail/id.ts";
import { domainOf } from "../mail/message.ts";
import { type AttemptStep, unpackTimeline } from "../mail/timeline.ts";
import { spanIdOf, traceIdOf, unpackTraceContext } from "../mail/traceContext.ts";
import type { Acceptance } from "./acceptances.ts";
import { attributesOf, type Attributes, type Span, type SpanEvent } from "./span.ts";

export interface SpanRules {
  readonly tag: HostTag;
  /** How recipients stand in spans: whoever reads traces need not know who gets mail. */
  readonly recipients: "domain" | "address";
}

/** What is known of the message from before this attempt. */
export interface Before {
  /** Attempts that were seen. */
  readonly attempts: number;
  readonly endedAt: EpochMs;
  /** Class of the trouble that it waited for. */
  readonly class: string;
}

/** All of a trace share these. */
export interface Root {
  readonly traceId: string;
  /** Of the message's own first span. */
  readonly spanId: string;
  readonly parentId: string | null;
  readonly state: string;
  readonly uuid: string;
}

export function rootOf(message: MessageId, trace: string | null, tag: HostTag): Root {
  const traceId = traceIdOf(message, tag, trace);
  const uuid = uuidOf(message, tag);
  const spanId = spanIdOf(traceId, `message ${uuid}`);
  if (trace === null) return { traceId, spanId, parentId: null, state: "", uuid };
  const { parentId, state } = unpackTraceContext(trace);
  return { traceId, spanId, parentId, state, uuid };
}

/** A span of the message's own, below its first. */
export function spanOf(
  root: Root,
  given: Pick<Span, "name" | "startAt" | "endAt"> &
    Partial<Span> & {
      /** What it is, by which others find it. */
      readonly what: string;
    },
): Span {
  const { what, ...span } = given;
  return {
    traceId: root.traceId,
    spanId: spanIdOf(root.traceId, `${what} ${root.uuid}`),
    parentId: root.spanId,
    isRemoteParent: false,
    state: root.state,
    kind: "internal",
    attributes: {},
    error: null,
    events: [],
    ...span,
    endAt: Math.max(span.startAt, span.endAt),
  };
}

const priorityOf = (priority: number): string => `p${priority}`;

/** From the request to its answer; of one that nobody remembers only that it was. */
export function acceptSpans(
  { message, priority, sizeBytes }: Pick<AttemptTrace, "message" | "priority" | "sizeBytes">,
  root: Root,
  acceptance: Acceptance | undefined,
): Span[] {
  const common = {
    ...messageAttributes(root),
    "messaging.message.envelope.size": sizeBytes,
    "postrider.priority": priorityOf(priority),
  };
  const first = {
    spanId: root.spanId,
    parentId: root.parentId,
    isRemoteParent: root.parentId !== null,
    kind: "server",
    what: "message",
  } as const;
  if (acceptance === undefined) {
    const at = acceptedAtOf(message);
    const attributes = { ...common, "postrider.accept.known": false };
    return [spanOf(root, { ...first, name: "accept", startAt: at, endAt: at, attributes })];
  }
  const { way, receivedAt, composedAt, committedAt } = acceptance;
  return [
    spanOf(root, {
      ...first,
      ...{ name: way, startAt: receivedAt, endAt: committedAt },
      attributes: { ...common, ...wayAttributes(way) },
    }),
    spanOf(root, { what: "compose", name: "compose", startAt: receivedAt, endAt: composedAt }),
    spanOf(root, { what: "commit", name: "commit", startAt: composedAt, endAt: committedAt }),
  ];
}

function messageAttributes({ uuid }: Root): Attributes {
  return {
    "messaging.system": "postrider",
    "messaging.message.id": uuid,
  };
}

function wayAttributes(way: Acceptance["way"]): Attributes {
  if (way === "SMTP")
    return { "network.protocol.name": "smtp", "messaging.operation.name": "accept" };
  const [method = "", route = ""] = way.split(" ");
  return {
    "http.request.method": method,
    "http.route": route,
    "url.path": route,
    "network.protocol.name": "http",
    "messaging.operation.name": "accept",
  };
}

/** One attempt, with the wait before it. */
export function attemptSpans(
  attempt: AttemptTrace,
  root: Root,
  rules: SpanRules,
  known: { readonly acceptance: Acceptance | undefined; readonly before: Before | undefined },
): Span[] {
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

function waitSpans(
  attempt: AttemptTrace,
  root: Root,
  { acceptance, before }: { acceptance: Acceptance | undefined; before: Before | undefined },
): Span[] {
  const { lookup, cameAt, priority, recipients } = attempt;
  const first = (recipients[0]?.attempts ?? 0) === 0 && before === undefined;
  // After a restart nobody knows how long a retry has waited.
  const since = before?.endedAt ?? (first ? acceptance?.committedAt : undefined) ?? lookup?.at;
  if (since === undefined) return [];
  // Jobs leave the queue as fast as the answer does: which of the two is first is not known.
  const startAt = Math.min(since, cameAt, lookup?.at ?? cameAt);
  const claim = recipients[0]?.claim ?? 0;
  const isScheduled = acceptance !== undefined && acceptance.dueAt > acceptance.committedAt;
  const reason = before?.class ?? (lookup !== undefined ? "dns" : isScheduled ? "schedule" : "new");
  const wait = spanOf(root, {
    ...{ what: `wait ${claim}`, name: "queue.wait", startAt, endAt: cameAt },
    attributes: { "postrider.wait.reason": reason, "postrider.priority": priorityOf(priority) },
  });
  if (lookup === undefined) return [wait];
  const endAt = Math.min(cameAt, lookup.at + lookup.tookMs);
  const inner: Root = { ...root, spanId: wait.spanId };
  const domain = domainOf(recipients[0]?.address ?? "");
  return [
    wait,
    spanOf(inner, {
      ...{ what: `dns ${claim}`, name: "dns", startAt: lookup.at, endAt },
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

function shown(address: string, { recipients }: SpanRules): string {
  return recipients === "address" ? address : domainOf(address);
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

/** As people call them; a phase that is not here has its own name. */
const commands: Readonly<Record<string, string>> = {
  ehlo: "EHLO",
  helo: "HELO",
  starttls: "STARTTLS",
  auth: "AUTH",
  mail: "MAIL",
  rcpt: "RCPT",
  data: "DATA",
  body: "message",
  dot: "end of DATA",
  rset: "RSET",
};

function conversationSpans(
  { exchanges, session, host, address, source, at }: Conversation,
  inner: Root,
  rules: SpanRules,
  { name, since }: { readonly name: string; readonly since: EpochMs },
): Span[] {
  const common = attributesOf({
    "server.address": host,
    "network.peer.address": address,
    "network.local.address": source,
    "postrider.session.id": session,
  });
  return exchanges.flatMap((one, i) => {
    // The connection may have been opened for another message, before this one came.
    const endAt = at + one.sentMs + one.tookMs;
    if (endAt < Math.floor(since)) return [];
    const startAt = Math.max(at + one.sentMs, since);
    const failed = one.code >= 400 || isLost(one);
    return spanOf(inner, {
      ...{ what: `said ${name} ${i}`, name: commands[one.phase] ?? one.phase, kind: "client" },
      ...{ startAt, endAt },
      attributes: {
        ...common,
        ...attributesOf({
          "smtp.phase": one.phase,
          "smtp.reply.code": one.code === 0 ? null : one.code,
          "smtp.reply.text": failed ? veiled(one.reply, rules) : null,
          "error.type": failed ? (one.code === 0 ? "lost" : String(one.code)) : null,
        }),
      },
      error: failed ? veiled(one.reply, rules) : null,
    });
  });
}

/** There was no reply, and the words tell of no success: what came in place of one, or that the wait for it was in vain. */
function isLost({ code, phase, reply }: Exchange): boolean {
  if (code !== 0 || reply === "") return false;
  if (phase === "connect") return !reply.startsWith("connected");
  return phase !== "tls" || !reply.startsWith("TLS");
}

const WORDS_MAX = 200;

/** Servers like to repeat the address: only its domain is left of it. */
function veiled(text: string, { recipients }: SpanRules): string {
  const cut = text.slice(0, WORDS_MAX);
  return recipients === "address" ? cut : cut.replace(/[^\s<>"'(),;:=]+@/g, "***@");
}

function wordsOf(step: AttemptStep, rules: SpanRules): string {
  const code = step.code === 0 ? step.class : String(step.code);
  return veiled(`${code} ${step.text}`, rules);
}
