// Webhooks as the queue thread keeps them, the door's dispatcher works them off, and the API shows them. The event table is the outbox:
// what an endpoint has not taken yet lies there, and nowhere else, but for the few events whose next attempt has a time of its own.
import type { EpochMs } from "../base/clock.ts";
import { type EventType, eventTypes } from "./event.ts";

export interface WebhookSecret {
  /** `whsec_` and base64, as Standard Webhooks has it. */
  readonly secret: string;
  /** Signs until then; null: until it is replaced. */
  readonly until: EpochMs | null;
}

/** What may be said of a webhook, at first and later. */
export interface WebhookTerms {
  readonly endpoint: string;
  /** Types that it is told, those among them included that never occur; null: all. */
  readonly events: readonly string[] | null;
  readonly enabled: boolean;
}

export interface NewWebhook extends WebhookTerms {
  readonly id: string;
  readonly secret: string;
  readonly createdAt: EpochMs;
}

export interface WebhookRecord extends WebhookTerms {
  /** Never given twice. */
  readonly number: number;
  readonly id: string;
  /** The newest first. */
  readonly secrets: readonly WebhookSecret[];
  /** Every event up to this id has been taken or given up, or waits in a row of its own. */
  readonly cursor: number;
  /** Nothing was taken since then, though it was tried; null: the last word was good. */
  readonly failingSince: EpochMs | null;
  /** Why it is off, unless somebody wanted it so. */
  readonly disabledWhy: string | null;
  readonly createdAt: EpochMs;
}

/** Endpoints are polled for and each has its window in memory. */
export const WEBHOOKS_MAX = 50;
/** Secrets that sign at once while they are being replaced. */
export const SECRETS_MAX = 4;
export const SECRET_OVERLAP_MS = 24 * 3_600_000;
/** Events with a time of their own that one endpoint may have; beyond that it reads no further. */
export const PENDING_MAX = 500;
/** Settled events of which the log of one endpoint tells. */
export const LOG_EVENTS_MAX = 1000;
/** Attempts of one event that are kept, the newest. */
export const LOG_ATTEMPTS_MAX = 12;

export const hookStatuses = ["pending", "success", "failed"] as const;
export type HookStatus = (typeof hookStatuses)[number];

/** One request and what came back. */
export interface HookAttempt {
  readonly at: EpochMs;
  /** Of HTTP; 0: there was no reply. */
  readonly status: number;
  readonly durationMs: number;
  /** The first bytes of the reply, or why there was none. */
  readonly text: string;
}

/** A row of the delivery log: an event that waits for its next attempt, or what became of it. */
export interface HookEntry {
  /** The event's id; below 0 for a fact about the endpoint itself. */
  readonly event: number;
  readonly type: string;
  /** UUID; empty for a fact about the endpoint. */
  readonly email: string;
  readonly status: HookStatus;
  /** While it is pending. */
  readonly dueAt: EpochMs | null;
  /** Since it was begun, or begun anew. */
  readonly tries: number;
  /** Those that are new; the log keeps the last ones. */
  readonly attempts: readonly HookAttempt[];
}

/** What happened at one endpoint since it was told last. */
export interface HookProgress {
  readonly number: number;
  readonly cursor: number;
  readonly failingSince: EpochMs | null;
  readonly entries: readonly HookEntry[];
  /** It is to be switched off, and why. */
  readonly disable: string | null;
}

/** An event that waits for its next attempt, as a start finds it. */
export interface HookPending {
  readonly event: number;
  readonly type: string;
  readonly email: string;
  readonly dueAt: EpochMs;
  readonly tries: number;
}

/** As it is told, without its secrets. */
export interface WebhookView {
  readonly object: "webhook";
  readonly id: string;
  readonly endpoint: string;
  /** Null: all. */
  readonly events: readonly string[] | null;
  readonly status: "enabled" | "disabled";
  readonly created_at: string;
  readonly failing_since: string | null;
  readonly disabled_reason: string | null;
  /** Only of a single one. */
  readonly pending_events?: number;
}

export interface HookEventView {
  readonly id: string;
  readonly type: string;
  readonly email_id: string | null;
  /** When its state changed last. */
  readonly created_at: string;
  readonly status: HookStatus;
  readonly attempts: number;
  readonly next_attempt_at: string | null;
}

export interface HookAttemptView {
  readonly id: string;
  readonly http_status_code: number;
  readonly response: string;
  readonly sent_at: string;
  readonly duration_ms: number;
}

/**
 * What receivers tell repetitions by. Two hosts count their events alike, and a receiver of both must not take one's for the other's:
 * so it names the data folder too.
 */
export function hookEventId(event: number, tag: string): string {
  return event < 0 ? `note_${-event}` : `evt_${event}_${tag}`;
}

/** Also the bare number that stands in the body; undefined when it is none of them. */
export function hookEventOf(text: string): number | undefined {
  const match = /^(?:evt_)?(\d{1,15})(?:_[0-9a-f]{16})?$/.exec(text);
  if (match !== null) return Number(match[1]);
  const note = /^note_(\d{1,15})$/.exec(text)?.[1];
  return note === undefined ? undefined : -Number(note);
}

/** What Resend has and nothing here makes: a subscription is accepted, with a warning. */
const SILENT: readonly RegExp[] = [
  /^email\.(?:opened|clicked|received)$/,
  /^(?:contact|domain|inbox|suppression|topic)\.[a-z_.]{1,60}$/,
];

export function neverComes(type: string): boolean {
  return SILENT.some((form) => form.test(type));
}

/** What is asked of the event table; null: all. */
export function typesOf({ events }: Pick<WebhookTerms, "events">): readonly EventType[] | null {
  return events === null ? null : eventTypes.filter((type) => events.includes(type));
}
