// What is known of an accepted message besides its bytes. It travels from the door to the queue and is a row there.
import type { EpochMs } from "../base/clock.ts";
import type { MessageId } from "./id.ts";
import type { WarningCode } from "./warning.ts";

/** 0: a person waits (codes, receipts). 1: normal. 2: bulk. Sets speed, not life (DESIGN 7). */
export type Priority = 0 | 1 | 2;
export const priorities = [0, 1, 2] as const;

/** Where the RFC 5322 bytes are. Inline ones travel beside the head; a spooled file is already synced. */
export type BodyPlace =
  | { readonly kind: "inline"; readonly length: number }
  | { readonly kind: "spool"; readonly file: string };

export interface MessageHead {
  readonly id: MessageId;
  readonly acceptedAt: EpochMs;
  /** MAIL FROM without angle brackets; empty is the null reverse-path. */
  readonly from: string;
  /** RCPT TO addresses without angle brackets, unique, in wire form (A-label domain, lower-case domain). */
  readonly recipients: readonly string[];
  readonly priority: Priority;
  /** Not before: the acceptance, or the scheduled time. */
  readonly dueAt: EpochMs;
  /** The sender's own limit; null: the lifetime of the priority. */
  readonly expiresAt: EpochMs | null;
  readonly sizeBytes: number;
  /** SHA-256 of the bytes, base64url without padding; checked before bytes that were read back are sent. */
  readonly sha256: string;
  /** The bytes hold octets above 127 (RFC 6152). */
  readonly eightBit: boolean;
  /** Envelope or header need SMTPUTF8 (RFC 6531). */
  readonly utf8: boolean;
  /** What the sender wants to be told of (RFC 3461); absent: nothing was asked for. */
  readonly dsn?: DsnRequest | undefined;
  /** The API key that sent it, by number; absent: the first key, or the host's owner. */
  readonly key?: number | undefined;
  /** Nothing of it leaves the host: it ends in the built-in inbox. */
  readonly capture?: true | undefined;
  /** Encrypted on its way to the next server, or not sent. */
  readonly requireTls?: true | undefined;
  /** What its request carried of a trace to continue, packed (mail/traceContext.ts); absent: its own id is its trace's. */
  readonly trace?: string | undefined;
  /** `MessageFacts` as JSON: opaque to the queue, read by search and by the API. */
  readonly facts: string;
  readonly body: BodyPlace;
}

/** Delivery status notifications, as `dsn` of the API has them. */
export interface DsnRequest {
  /** Absent: what each server does by itself. `never` stands alone. */
  readonly notify?: readonly ("never" | "success" | "failure" | "delay")[] | undefined;
  /** How much of the message a failure report brings back. */
  readonly ret?: "full" | "headers" | undefined;
  /** The sender's own name for this message: printable ASCII. */
  readonly envid?: string | undefined;
}

/** What the API shows of a message. Strings are as the caller gave them. */
export interface MessageFacts {
  readonly message_id: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly cc: readonly string[] | null;
  readonly bcc: readonly string[] | null;
  readonly reply_to: readonly string[] | null;
  readonly subject: string;
  readonly tags: readonly { readonly name: string; readonly value: string }[];
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly reference: string | null;
  /** Absent: none. */
  readonly warnings?: readonly WarningCode[] | undefined;
}

/** The domain of an address in wire form. */
export function domainOf(address: string): string {
  return address.slice(address.lastIndexOf("@") + 1);
}
