// A row of the event table, told as the API tells it.
import { iso } from "../base/clock.ts";
import { unreachable } from "../base/unreachable.ts";
import {
  attemptIdOf,
  type EventRow,
  type EventType,
  outcomeIdOf,
  WHOLE_MESSAGE,
} from "../mail/event.ts";
import type { BounceView, EventDetail, EventView, TlsView } from "../mail/eventView.ts";
import { acceptedAtOf, type HostTag, uuidOf } from "../mail/id.ts";
import type { StateName } from "../mail/state.ts";
import type { AttemptStep, Step, TlsFacts, WaitReason } from "../mail/timeline.ts";
import { traceIdOf } from "../mail/traceContext.ts";
import type { TroubleClass } from "../mail/verdict.ts";
import type { DialogueOf } from "./dialogues.ts";
import type { StoredMessage, StoredRecipient } from "./stored.ts";

export interface Told {
  readonly message: StoredMessage;
  readonly recipients: readonly StoredRecipient[];
  readonly tag: HostTag;
  /** Absent: nobody asked for what was said. */
  readonly dialogueOf?: DialogueOf;
}

export function expandEvent(row: EventRow, told: Told): EventView[] {
  const recipient = told.recipients.find((one) => one.n === row.n);
  const step = row.step < 0 ? undefined : recipient?.steps[row.step];
  const outcome = viewOf({ id: outcomeIdOf(row.seq), type: row.type, row, told, recipient, step });
  if (step?.kind !== "attempt" || row.type === "email.attempted") return [outcome];
  return [
    viewOf({
      ...{ row, told, recipient, step },
      id: attemptIdOf(row.seq),
      type: "email.attempted",
    }),
    outcome,
  ];
}

interface Telling {
  readonly id: number;
  readonly type: EventType;
  readonly row: EventRow;
  readonly told: Told;
  readonly recipient: StoredRecipient | undefined;
  readonly step: Step | undefined;
}

function viewOf(telling: Telling): EventView {
  const { id, type, row, told, recipient } = telling;
  const { message, recipients, tag } = told;
  const { facts } = message;
  const at = iso(row.at);
  const whole = row.n === WHOLE_MESSAGE || recipient === undefined;
  return {
    id,
    type,
    created_at: at,
    timestamp: at,
    data: {
      email_id: uuidOf(message.id, tag),
      message_id: facts.message_id,
      from: facts.from,
      to: whole ? recipients.map((one) => one.address) : [recipient.address],
      subject: facts.subject,
      tags: Object.fromEntries(facts.tags.map(({ name, value }) => [name, value])),
      created_at: iso(acceptedAtOf(message.id)),
      ...wordsFor(telling),
      postrider: {
        ...nothing,
        recipient: whole ? null : recipient.address,
        state: stateAfter(telling),
        reference: facts.reference,
        metadata: facts.metadata,
        trace_id: traceIdOf(message.id, tag, message.trace),
        // Its acceptance is told by one of these two.
        warnings:
          whole && (type === "email.sent" || type === "email.scheduled")
            ? (facts.warnings ?? [])
            : [],
        ...detailOf(telling),
      },
    },
  };
}

/** What Resend's shape of this type has besides. */
function wordsFor({ type, step }: Telling): Partial<EventView["data"]> {
  if (step === undefined) return {};
  switch (type) {
    case "email.bounced":
      return { bounce: bounceOf(step) };
    case "email.failed":
      return { failed: { reason: lastWord(step) } };
    case "email.suppressed":
      return { suppressed: { message: lastWord(step), type: "OnAccountSuppressionList" } };
    default:
      return {};
  }
}

/** The state that the event led to; for a message as a whole, what it began with. */
function stateAfter({ type, step, recipient }: Telling): StateName {
  // What a report tells comes after the end and moves nothing.
  if (step?.kind === "report") return recipient?.state ?? "delivered";
  switch (type) {
    case "email.scheduled":
      return "scheduled";
    case "email.held":
      return "held";
    case "email.attempted":
      return "sending";
    case "email.delivery_delayed":
      return "deferred";
    case "email.delivered":
    case "email.complained":
      return "delivered";
    case "email.bounced":
      return "bounced";
    case "email.failed":
      return "expired";
    case "email.suppressed":
      return "suppressed";
    case "email.canceled":
      return "canceled";
    default:
      return "queued";
  }
}

const nothing: EventDetail = {
  recipient: null,
  state: "queued",
  reference: null,
  metadata: null,
  origin: "queue",
  attempt: null,
  via: null,
  site: null,
  host: null,
  address: null,
  source: null,
  session_id: null,
  phase: null,
  command: null,
  code: null,
  enhanced: null,
  text: null,
  class: null,
  duration_ms: null,
  doubt: false,
  tls: null,
  signed_by: [],
  next_attempt_at: null,
  trace_id: null,
  warnings: [],
};

/** RFC 3463 3.5: the time for its delivery is over. */
const EXPIRED = "4.4.7";

function detailOf(telling: Telling): Partial<EventDetail> {
  const { row, recipient, step } = telling;
  if (step === undefined) return {};
  switch (step.kind) {
    case "note":
      return {
        enhanced: step.note === "expired" ? EXPIRED : null,
        text: step.text,
        doubt: step.doubt,
      };
    case "report":
      return {
        origin: "report",
        enhanced: emptyAsNull(step.enhanced),
        text: step.text,
        host: emptyAsNull(step.by),
      };
    case "attempt": {
      const steps = recipient?.steps ?? [];
      const attempt = steps.slice(0, row.step + 1).filter((one) => one.kind === "attempt").length;
      // Only the last step of a recipient that waits says when it is tried again.
      const waits = recipient?.state === "deferred" && row.step === steps.length - 1;
      const next = waits && recipient.dueAt !== null ? iso(recipient.dueAt) : null;
      const detail = { ...attemptView(step), attempt, next_attempt_at: next };
      const waited = waitsOf(step, steps.slice(0, row.step));
      return { ...detail, ...waited, origin: "attempt", ...saidIn(telling, step) };
    }
    default:
      return unreachable(step);
  }
}

/** Since the step before: what held it up earlier is told there. */
function waitsOf(
  { waits = [] }: AttemptStep,
  before: readonly Step[],
): Pick<EventDetail, "waited"> {
  const since = before.at(-1)?.at ?? 0;
  const held = heldBefore(before);
  const own = waits
    .filter(({ until }) => until > since)
    .map((one) => ({ ...one, from: Math.max(one.from, since) }));
  if (own.length + held.length === 0) return {};
  return {
    waited: [...held, ...own].map(({ from, until, why }) => {
      return { from: iso(from), until: iso(until), why };
    }),
  };
}

/** A release has no event of its own: the attempt that follows it tells of it. */
function heldBefore(before: readonly Step[]): readonly WaitReason[] {
  const released = before.at(-1);
  if (released?.kind !== "note" || released.note !== "released" || released.doubt) return [];
  // What was given another time while it was held says so once more: it waited from the first on.
  const isHeld = (one: Step): boolean => one.kind === "note" && one.note === "held";
  const earlier = before.slice(0, -1);
  const held = earlier[earlier.findLastIndex((one) => !isHeld(one)) + 1];
  const from = held?.at ?? released.at;
  const why = `held${held?.kind === "note" ? ` (${held.text})` : ""}, then released: ${released.text}`;
  return [{ from, until: released.at, why }];
}

/** With the attempt itself, not with what came of it. */
function saidIn({ type, told, recipient }: Telling, step: AttemptStep): Pick<EventDetail, "smtp"> {
  if (type !== "email.attempted" || told.dialogueOf === undefined) return {};
  return { smtp: told.dialogueOf(step, recipient?.address ?? "") ?? null };
}

function attemptView(step: AttemptStep): Partial<EventDetail> {
  return {
    // The sink is our word for it: what a reader of events knows is the inbox.
    via: step.via === "sink" ? "inbox" : step.via,
    site: step.site,
    host: step.host,
    address: step.address,
    source: emptyAsNull(step.source),
    session_id: step.session,
    phase: step.phase,
    command: commands[step.phase] ?? null,
    code: step.code === 0 ? null : step.code,
    enhanced: emptyAsNull(step.enhanced),
    text: step.text,
    class: step.class,
    duration_ms: step.durationMs,
    doubt: step.doubt,
    tls: step.tls === null ? null : tlsView(step.tls),
    signed_by: (step.signed ?? "").split(" ").filter((one) => one !== ""),
  };
}

/** The SMTP command that a phase waits for an answer to. */
const commands: Readonly<Record<string, string>> = {
  ehlo: "EHLO",
  helo: "HELO",
  starttls: "STARTTLS",
  auth: "AUTH",
  challenge: "AUTH",
  mail: "MAIL FROM",
  rcpt: "RCPT TO",
  data: "DATA",
  body: "DATA",
  dot: ".",
};

const emptyAsNull = (text: string): string | null => (text === "" ? null : text);

function tlsView(tls: TlsFacts): TlsView {
  const { version, cipher, verified, policy, resumed, handshakeMs, verifyMs, unproven } = tls;
  return {
    version,
    cipher,
    verified,
    unproven: emptyAsNull(unproven),
    policy,
    resumed,
    handshake_ms: handshakeMs,
    verify_ms: verifyMs,
  };
}

/** Resend's words for why mail came back. */
const bounceWords: Partial<Record<TroubleClass, string>> = {
  mailbox: "NoEmail",
  full: "MailboxFull",
  size: "MessageTooLarge",
  policy: "ContentRejected",
  spam: "ContentRejected",
};

function bounceOf(step: Step): BounceView {
  const text = step.kind === "report" ? step.text : lastWord(step);
  const subType = subTypeOf(step);
  const type = subType === "MailboxFull" ? "Transient" : "Permanent";
  return { type, subType, message: text, diagnosticCode: [`smtp; ${text}`] };
}

function subTypeOf(step: Step): string {
  switch (step.kind) {
    case "attempt":
      return bounceWords[step.class] ?? "General";
    case "report":
      return reportWords.find(([status]) => status.test(step.enhanced))?.[1] ?? "General";
    case "note":
      return "General";
    default:
      return unreachable(step);
  }
}

/** The same by RFC 3463's codes, which is all that a report has. */
const reportWords: readonly (readonly [RegExp, string])[] = [
  [/^5\.1\./, "NoEmail"],
  [/^\d\.2\.2$/, "MailboxFull"],
  [/^5\.(2\.3|3\.4)$/, "MessageTooLarge"],
  [/^5\.7\./, "ContentRejected"],
];

/** A step in one line: the remote server's reply, or our own reason. */
export function lastWord(step: Step): string {
  switch (step.kind) {
    case "note":
      return step.text === "" ? step.note : step.text;
    case "report": {
      const { enhanced, text, report, by } = step;
      const words = joined([text.includes(enhanced) ? "" : enhanced, text]);
      return `${report} by a report${by === "" ? "" : ` of ${by}`}: ${words}`;
    }
    case "attempt": {
      const { code, enhanced, text } = step;
      const status = text.startsWith(enhanced) ? "" : enhanced;
      return joined([code === 0 ? "" : String(code), status, text]);
    }
    default:
      return unreachable(step);
  }
}

function joined(words: readonly string[]): string {
  return words.filter((word) => word !== "").join(" ");
}
