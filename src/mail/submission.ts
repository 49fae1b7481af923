// What the door hands to the queue and what it hears back. One call is one unit: all of it is stored or nothing.
import type { MessageHead } from "./message.ts";

export interface Submission {
  readonly head: MessageHead;
  /** Null when the head names a spool file. */
  readonly body: Uint8Array | null;
}

/** Why nothing was stored; each is an error name of the API. */
export type Refusal = "queue_full" | "disk_low" | "memory_low" | "draining";

export type AcceptAnswer =
  | { readonly kind: "accepted" }
  | { readonly kind: "refused"; readonly why: Refusal; readonly retryAfterS: number };

/** Settles after the commit. */
export type Accept = (messages: readonly Submission[]) => Promise<AcceptAnswer>;
