// What may be asked of the reader, and the shapes it answers with: those of the API (INTERFACE 5), so that nothing is translated twice.
import type { EventType } from "./event.ts";
import type { ShapeFilter } from "./shape.ts";
import type { StateName } from "./state.ts";
import type { WarningCode } from "./warning.ts";
import type { SuppressionFilter } from "./suppression.ts";

export type Query =
  | { readonly ask: "email"; readonly id: string }
  /** `smtp`: with what was said. */
  | { readonly ask: "events"; readonly id: string; readonly smtp?: boolean }
  | { readonly ask: "raw"; readonly id: string }
  /** Which of these messages have only final recipients; ids that are not known are left out. */
  | { readonly ask: "settled"; readonly ids: readonly string[] }
  | { readonly ask: "list"; readonly filter: ListFilter }
  | { readonly ask: "queue" }
  /** Who waits since when (`ShapeView`). */
  | { readonly ask: "shape"; readonly filter: ShapeFilter }
  /** What waits for each site, the first few hundred of them (`SiteBacklog[]`). */
  | { readonly ask: "backlog" }
  | { readonly ask: "inbox"; readonly filter: InboxFilter }
  | { readonly ask: "inboxMessage"; readonly id: string }
  /** What waits for these sites; one that has no name in the store is left out. */
  | { readonly ask: "sites"; readonly names: readonly string[] }
  | { readonly ask: "feed"; readonly feed: FeedQuery }
  /** Whom a report that came back is about (`ReportView`); `to`: whom it was sent to. */
  | { readonly ask: "report"; readonly bytes: Uint8Array; readonly to: readonly string[] }
  | { readonly ask: "suppressions"; readonly filter: SuppressionFilter }
  /** By address or by id. */
  | { readonly ask: "suppression"; readonly which: string }
  /** The delivery log of a webhook, newest first. */
  | { readonly ask: "webhookEvents"; readonly filter: WebhookFilter }
  | { readonly ask: "webhookEvent"; readonly webhook: number; readonly event: number }
  | { readonly ask: "webhookAttempts"; readonly webhook: number; readonly event: number }
  /** What waits for its next attempt (`HookPending[]`). */
  | { readonly ask: "webhookPending"; readonly webhook: number };

export interface WebhookFilter {
  readonly webhook: number;
  readonly limit: number;
  /** The id of an event. */
  readonly after?: number;
}

/**
 * Events in their order (`FeedPage`): from behind `after` on, or from an instant on, or the last ones before an id, or the last ones of all.
 * A limit of 0 asks where the end is.
 */
export interface FeedQuery {
  readonly after?: number;
  readonly since?: number;
  readonly before?: number;
  readonly types?: readonly EventType[];
  readonly limit: number;
}

export interface ListFilter {
  readonly status?: StateName | "dead";
  readonly to?: string;
  readonly from?: string;
  readonly domain?: string;
  readonly tag?: string;
  readonly reference?: string;
  readonly message_id?: string;
  /** 32 hex digits. */
  readonly trace?: string;
  /** RFC 3339. */
  readonly since?: string;
  readonly until?: string;
  readonly limit: number;
  readonly after?: string;
  readonly before?: string;
}

export interface InboxFilter {
  /** A recipient of the envelope. */
  readonly to?: string;
  /** The sender of the envelope, or a part of From. */
  readonly from?: string;
  /** A part of it. */
  readonly subject?: string;
  readonly limit: number;
  readonly after?: string;
  readonly before?: string;
}

export interface InboxItem {
  readonly object: "inbox_message";
  readonly id: string;
  readonly received_at: string;
  readonly envelope: { readonly from: string; readonly to: readonly string[] };
  readonly message_id: string | null;
  readonly from: string | null;
  readonly to: readonly string[];
  readonly subject: string;
  readonly size_bytes: number;
}

export interface InboxView extends InboxItem {
  readonly cc: readonly string[];
  readonly reply_to: readonly string[];
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly text: string | null;
  readonly html: string | null;
  readonly attachments: readonly {
    readonly filename: string | null;
    readonly content_type: string;
    readonly content_id: string | null;
    readonly disposition: string | null;
    readonly size_bytes: number;
  }[];
  /** It is too large to be taken apart here: its source is still whole. */
  readonly header_only: boolean;
}

export interface RecipientView {
  readonly address: string;
  readonly state: StateName;
  readonly attempts: number;
  readonly next_attempt_at: string | null;
  /** The last word on it: the remote's reply or our reason. */
  readonly last: string | null;
}

/** A message all of whose recipients are final. */
export interface SettledView {
  readonly id: string;
  /** The least advanced recipient's state. */
  readonly status: StateName;
  readonly recipients: readonly {
    readonly address: string;
    readonly status: StateName;
    /** The last word on it: the remote's reply or our reason. */
    readonly last: string | null;
  }[];
}

export interface EmailView {
  readonly object: "email";
  readonly id: string;
  readonly message_id: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly cc: readonly string[] | null;
  readonly bcc: readonly string[] | null;
  readonly reply_to: readonly string[] | null;
  readonly subject: string;
  readonly html: string | null;
  readonly text: string | null;
  readonly tags: readonly { readonly name: string; readonly value: string }[];
  readonly created_at: string;
  readonly scheduled_at: string | null;
  /** Without `email.`; the least advanced recipient's. */
  readonly last_event: string;
  readonly recipients: readonly RecipientView[];
  readonly priority: "p0" | "p1" | "p2";
  readonly reference: string | null;
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly warnings: readonly WarningCode[];
}

export interface ListView<T> {
  readonly object: "list";
  readonly has_more: boolean;
  readonly data: readonly T[];
}

/** The state of our own line. While it is not up nothing is sent, and no time counts against a lifetime. */
export interface UplinkView {
  readonly state: "up" | "down" | "port25_blocked";
  readonly since: string | null;
  /** What it was concluded from, and the remedy. */
  readonly detail: string | null;
}

export type PauseKind = "all" | "domain" | "site";

/** What an operator has stopped. */
export interface PauseView {
  readonly kind: PauseKind;
  /** Empty for everything. */
  readonly name: string;
  readonly since: string;
}

/** The name of a line for people: what has no route yet has none. */
export function lineName(site: string): string {
  return site === "" ? "(no route yet)" : site;
}

/** The line of a site; that of a paused domain is named `domain:` and the domain. */
export interface SiteDepth {
  readonly site: string;
  /** Recipients, counted up to a limit. */
  readonly waiting: number;
  readonly oldest_age_seconds: number | null;
  readonly next_attempt_at: string | null;
  readonly last_error: string | null;
}

/** The same in more detail. */
export interface SiteBacklog extends SiteDepth {
  /** There may be more than were counted. */
  readonly at_least: boolean;
  /** Null: too many to tell them apart. */
  readonly states: Readonly<Record<"queued" | "scheduled" | "deferred", number>> | null;
}

export interface QueueView {
  readonly object: "queue";
  /** Recipients by state and priority, finished ones included. */
  readonly counts: readonly {
    readonly state: StateName;
    readonly priority: "p0" | "p1" | "p2";
    readonly recipients: number;
  }[];
  /** Age of the oldest recipient that is not final, by priority; null when there is none. */
  readonly oldest_age_seconds: Readonly<Record<"p0" | "p1" | "p2", number | null>>;
  readonly sites: readonly SiteDepth[];
  readonly paused: readonly PauseView[];
  /** How far search.db lags behind, in events. */
  readonly search_lag: number;
  /** Of the queue thread: the reader does not know it. */
  readonly uplink?: UplinkView;
}

/**
 * - `gone`: it existed and the bytes were dropped, as with the body of delivered mail.
 * - `busy`: the reader did not answer in time, or too many questions are open: 503 with `Retry-After`.
 */
export type Answer =
  | { readonly kind: "found"; readonly view: unknown }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  /** They lie in a file of the spool, too large for a message between threads. */
  | { readonly kind: "spooled"; readonly file: string; readonly sizeBytes: number }
  | { readonly kind: "missing" }
  | { readonly kind: "gone" }
  | { readonly kind: "busy" }
  | { readonly kind: "invalid"; readonly field: string; readonly detail: string };
