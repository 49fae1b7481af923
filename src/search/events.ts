// A row of the event table, told as the API tells it. One row of an attempt is two events outside: the attempt, and what came
// of it; so an event's id is twice the row's number, and one more for the outcome.
import type { EventRow, EventType } from "../mail/event.ts";
import { WHOLE_MESSAGE } from "../mail/event.ts";
import { acceptedAtOf, type HostTag, uuidOf } from "../mail/id.ts";
import type { StateName } from "../mail/state.ts";
import type { AttemptStep, Step, TlsFacts } from "../mail/timeline.ts";
import type { TroubleClass } from "../mail/verdict.ts";
import type { StoredMessage, StoredRecipient } from "./stored.ts";

export interface EventView {
  readonly id: number;
  readonly type: EventType;
  readonly created_at: string;
  readonly timestamp: string;
  readonly data: EventData;
}

interface EventData {
  readonly email_id: string;
  readonly message_id: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly created_at: string;
  readonly bounce?: BounceView;
  readonly postrider: Readonly<Record<string, unknown>>;
}

interface BounceView {
  readonly type: "Permanent" | "Transient";
  readonly subType: string;
  readonly message: string;
  readonly diagnosticCode: readonly string[];
}

export interface Told {
  readonly message: StoredMessage;
  readonly recipients: readonly StoredRecipient[];
  readonly tag: HostTag;
}

export function expandEvent(row: EventRow, told: Told): EventView[] {
  const recipient = told.recipients.find((one) => one.n === row.n);
  const step = row.step < 0 ? undefined : recipient?.steps[row.step];
  const outcome = viewOf({ id: row.seq * 2 + 1, type: row.type, row, told, recipient, step });
  if (step?.kind !== "attempt" || row.type === "email.attempted") return [outcome];
  return [
    viewOf({ ...{ row, told, recipient, step }, id: row.seq * 2, type: "email.attempted" }),
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
  const { id, type, row, told, recipient, step } = telling;
  const { message, recipients, tag } = told;
  const { facts } = message;
  const at = iso(row.at);
  const whole = row.n === WHOLE_MESSAGE || recipient === undefined;
  const bounce = type === "email.bounced" && step !== undefined ? bounceOf(step) : undefined;
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
      ...(bounce === undefined ? {} : { bounce }),
      postrider: {
        recipient: whole ? null : recipient.address,
        state: stateAfter(telling),
        reference: facts.reference,
        ...(step === undefined ? {} : detailOf(step, telling)),
      },
    },
  };
}

/** The state that the event led to; for a message as a whole, what it began with. */
function stateAfter({ type }: Telling): StateName {
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

function detailOf(step: Step, { row, recipient }: Telling): Record<string, unknown> {
  if (step.kind === "note") return noteView(step);
  const steps = recipient?.steps ?? [];
  const attempt = steps.slice(0, row.step + 1).filter((one) => one.kind === "attempt").length;
  // Only the last step of a recipient that waits says when it is tried again.
  const waits = recipient?.state === "deferred" && row.step === steps.length - 1;
  return {
    attempt,
    ...attemptView(step),
    next_attempt_at: waits && recipient.dueAt !== null ? iso(recipient.dueAt) : null,
  };
}

/** RFC 3463 3.5: the time for its delivery is over. */
const EXPIRED = "4.4.7";

function noteView({ note, text, doubt }: Extract<Step, { kind: "note" }>): Record<string, unknown> {
  return note === "expired" ? { enhanced: EXPIRED, text, doubt } : { text, doubt };
}

function attemptView(step: AttemptStep): Record<string, unknown> {
  return {
    via: step.via,
    site: step.site,
    host: step.host,
    address: step.address,
    source: step.source,
    session_id: step.session,
    phase: step.phase,
    code: step.code === 0 ? null : step.code,
    enhanced: step.enhanced === "" ? null : step.enhanced,
    text: step.text,
    class: step.class,
    duration_ms: step.durationMs,
    doubt: step.doubt,
    tls: step.tls === null ? null : tlsView(step.tls),
    // As `domain/selector`, one a DKIM signature.
    signed_by: (step.signed ?? "").split(" ").filter((one) => one !== ""),
  };
}

function tlsView(tls: TlsFacts): Record<string, unknown> {
  const { version, cipher, verified, policy, resumed, handshakeMs, verifyMs, unproven } = tls;
  return {
    version,
    cipher,
    verified,
    unproven: unproven === "" ? null : unproven,
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
  const text = lastWord(step);
  const subType = (step.kind === "attempt" ? bounceWords[step.class] : undefined) ?? "General";
  const type = subType === "MailboxFull" ? "Transient" : "Permanent";
  return { type, subType, message: text, diagnosticCode: [`smtp; ${text}`] };
}

/** A step in one line: the remote server's reply, or our own reason. */
export function lastWord(step: Step): string {
  if (step.kind === "note") return step.text === "" ? step.note : step.text;
  const { code, enhanced, text } = step;
  const words = [
    code === 0 ? "" : String(code),
    enhanced !== "" && !text.startsWith(enhanced) ? enhanced : "",
    text,
  ];
  return words.filter((word) => word !== "").join(" ");
}

export function iso(at: number): string {
  return new Date(at).toISOString();
}
