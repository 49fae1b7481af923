// One SMTP transaction that the queue wants done: a message and those of its recipients that share a site.
import type { EpochMs } from "../base/clock.ts";
import type { MessageId } from "./id.ts";
import type { BodyPlace, DsnRequest, Priority } from "./message.ts";

export interface JobRecipient {
  /** The recipient's place in the message, from 0. */
  readonly n: number;
  readonly address: string;
  /** The number of this lease. A verdict repeats it: a verdict of a lost lease changes nothing. */
  readonly claim: number;
  /** Attempts that ended before this one. */
  readonly attempts: number;
}

/** How long the route of a recipient's domain was looked for in the DNS. */
export interface Lookup {
  readonly at: EpochMs;
  readonly tookMs: number;
}

export interface Job {
  readonly message: MessageId;
  readonly from: string;
  readonly recipients: readonly JobRecipient[];
  readonly priority: Priority;
  /** `Route.site`. */
  readonly site: string;
  readonly sizeBytes: number;
  readonly eightBit: boolean;
  readonly utf8: boolean;
  /** What the sender wants to be told of (RFC 3461); absent: nothing was asked for. */
  readonly dsn?: DsnRequest | undefined;
  /** As in `MessageHead`. */
  readonly trace?: string | undefined;
  /** It waited for the DNS; absent: its route was known. */
  readonly lookup?: Lookup | undefined;
  /** Present when the bytes were read back from disk and must be checked; absent when they came straight from the door. */
  readonly sha256?: string;
  readonly expiresAt: EpochMs;
  readonly body: BodyPlace;
}
