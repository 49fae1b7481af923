// An event as it is told outside (INTERFACE 4): in timelines, lists, streams and webhooks alike. Names are Resend's where they exist;
// what is ours stands under `postrider`.
import type { EventType } from "./event.ts";
import type { StateName } from "./state.ts";
import type { TlsPolicyName } from "./timeline.ts";
import type { TroubleClass } from "./verdict.ts";
import type { WarningCode } from "./warning.ts";

export interface EventView {
  /** A sequence number: grows with what happened, and is where a stream goes on from. */
  readonly id: number;
  readonly type: EventType;
  readonly created_at: string;
  readonly timestamp: string;
  readonly data: EventData;
}

/** Whether it tells what came of that attempt: two events with the same facts, which people read as one. */
export function isOutcomeOf(event: EventView, attempt: EventView): boolean {
  const [a, b] = [attempt.data.postrider, event.data.postrider];
  return (
    attempt.type === "email.attempted" &&
    event.type !== "email.attempted" &&
    b.origin === "attempt" &&
    a.recipient === b.recipient &&
    a.attempt === b.attempt
  );
}

/** A shorter wait is how long things take. */
const WAIT_SHOWN_MS = 1000;

/** How long nothing happened before it began; null: not worth a line. An attempt takes its own time, which is no wait. */
export function waitedMs(event: EventView, sinceMs: number): number | null {
  const beganMs = Date.parse(event.created_at) - (event.data.postrider.duration_ms ?? 0);
  return beganMs - sinceMs >= WAIT_SHOWN_MS ? beganMs - sinceMs : null;
}

export interface EventData {
  readonly email_id: string;
  readonly message_id: string;
  readonly from: string;
  /** The recipient whom it concerns; all of them when it is about the message. */
  readonly to: readonly string[];
  readonly subject: string;
  readonly tags: Readonly<Record<string, string>>;
  /** When the message was accepted. */
  readonly created_at: string;
  readonly bounce?: BounceView;
  readonly failed?: { readonly reason: string };
  readonly suppressed?: { readonly message: string; readonly type: string };
  readonly postrider: EventDetail;
}

export interface BounceView {
  readonly type: "Permanent" | "Transient";
  readonly subType: string;
  readonly message: string;
  readonly diagnosticCode: readonly string[];
}

/** The same members in every event; null where they say nothing. */
export interface EventDetail {
  readonly recipient: string | null;
  /** The state that the event led to. */
  readonly state: StateName;
  readonly reference: string | null;
  readonly metadata: Readonly<Record<string, string>> | null;
  /** `report`: told afterwards by a report that came back, while the state stays what it was. */
  readonly origin: "queue" | "attempt" | "report";
  readonly attempt: number | null;
  readonly via: "mx" | "relay" | "inbox" | null;
  readonly site: string | null;
  readonly host: string | null;
  /** The host's, and our own that the mail left from. */
  readonly address: string | null;
  readonly source: string | null;
  readonly session_id: string | null;
  readonly phase: string | null;
  readonly command: string | null;
  readonly code: number | null;
  readonly enhanced: string | null;
  readonly text: string | null;
  readonly class: TroubleClass | null;
  readonly duration_ms: number | null;
  readonly doubt: boolean;
  readonly tls: TlsView | null;
  /** As `domain/selector`, one a DKIM signature. */
  readonly signed_by: readonly string[];
  readonly next_attempt_at: string | null;
  readonly trace_id: string | null;
  /** Of a message that was taken. */
  readonly warnings: readonly WarningCode[];
  /** Of an attempt that could not be made earlier: when and why. Absent: nothing is known to have held it up. */
  readonly waited?: readonly WaitView[];
  /** Only of `email.attempted`, and only where it was asked for; null: nothing was kept. */
  readonly smtp?: readonly ConversationView[] | null;
}

export interface WaitView {
  readonly from: string;
  readonly until: string;
  readonly why: string;
}

/** One connection, as far as an attempt used it (mail/dialogue.ts). */
export interface ConversationView {
  readonly session: string;
  readonly host: string;
  readonly address: string;
  readonly source: string | null;
  readonly at: string;
  readonly reused: boolean;
  readonly exchanges: readonly ExchangeView[];
  readonly dropped: number;
}

export interface ExchangeView {
  readonly phase: string;
  readonly sent_ms: number;
  readonly took_ms: number;
  readonly sent: string;
  /** Null: there was no reply, and `reply` says what came instead. */
  readonly code: number | null;
  readonly reply: string;
}

export interface TlsView {
  readonly version: string;
  readonly cipher: string;
  readonly verified: boolean;
  readonly unproven: string | null;
  readonly policy: TlsPolicyName;
  readonly resumed: boolean;
  readonly handshake_ms: number;
  readonly verify_ms: number;
}

/** An event on its way to those who follow: its JSON is made once, by the thread that read it. */
export interface FeedEvent {
  readonly id: number;
  readonly type: EventType;
  readonly email_id: string;
  /** Addresses in wire form. */
  readonly to: readonly string[];
  /** What the message's request carried of a trace, packed (mail/traceContext.ts); absent for none. */
  readonly trace?: string;
  /** `EventView` as JSON, in one line. */
  readonly body: string;
}

export interface FeedPage {
  readonly events: readonly FeedEvent[];
  /** Where the next page begins: behind everything that was looked at, told or not. */
  readonly next: number;
  /** There is more at once. */
  readonly more: boolean;
  /** Events up to here are no longer kept; 0: all are. */
  readonly forgotten: number;
}

/** What those who follow the events are given. */
export interface Feed {
  /** The id of the last event; null: it cannot be told now. */
  end(): Promise<number | null>;
  /**
   * What came after an id, as soon as there is something; a page that goes no further when nothing came within the time. Null: nothing
   * more comes, or the signal was given.
   */
  next(after: number, signal: AbortSignal, withinMs: number): Promise<FeedPage | null>;
}
