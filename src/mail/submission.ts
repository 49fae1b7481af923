// What the door hands to the queue and what it hears back. One call is one unit: all of it is stored or nothing.
import type { MessageHead } from "./message.ts";

export interface Submission {
  readonly head: MessageHead;
  /** Null when the head names a spool file. */
  readonly body: Uint8Array | null;
  /** Told once the body's octets were copied: nobody looks at `body` from then on. */
  readonly copied?: () => void;
}

/** Why nothing was stored; each is an error name of the API. */
export type Refusal =
  "queue_full" | "disk_low" | "memory_low" | "draining" | "daily_quota_exceeded" | "busy";

/** A request that carries an idempotency key: its messages, the key and the first events are stored together. */
export interface Once {
  /** A hash of the API key's number and the idempotency key, base64url: the same key of another caller is another one. */
  readonly key: string;
  /** A hash of the decoded request, base64url. */
  readonly request: string;
  /** What the door will answer, opaque to the queue; given back when the request comes again. */
  readonly answer: string;
}

/** Recipients that are never tried, by the message's place in the call and their own. */
export type Suppressed = readonly { readonly message: number; readonly n: number }[];

/**
 * - `replayed`: the same request was stored before: nothing is stored now, and the first answer stands.
 * - `mismatch`: the idempotency key belongs to another request: nothing is stored.
 * - `revoked`: its API key was revoked, or may no longer send, since the request came: nothing was asked.
 * - `concurrent`: a call with the same idempotency key has no answer yet: nothing was asked.
 */
export type AcceptAnswer =
  | { readonly kind: "accepted"; readonly suppressed?: Suppressed }
  | {
      readonly kind: "refused";
      readonly why: Refusal;
      readonly retryAfterS: number;
      /** The limit that was reached, where `why` alone does not say it. */
      readonly limit?: string;
    }
  | { readonly kind: "replayed"; readonly answer: string; readonly suppressed?: Suppressed }
  | { readonly kind: "mismatch" }
  | { readonly kind: "revoked" }
  | { readonly kind: "concurrent" };

/** By which way mail came, as its trace begins. */
export const ways = [
  "POST /send",
  "POST /emails",
  "POST /send/batch",
  "POST /emails/batch",
  "SMTP",
] as const;
export type Way = (typeof ways)[number];

/** Settles after the commit. Without messages it only asks what was stored under the key: `accepted` says that nothing was. */
export type Accept = (
  messages: readonly Submission[],
  once?: Once,
  way?: Way,
) => Promise<AcceptAnswer>;
