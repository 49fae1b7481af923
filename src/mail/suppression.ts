// An address that gets no mail any more, and why. The queue keeps the list and decides by it; the reader shows it in the API's shape.
import { type EpochMs, iso } from "../base/clock.ts";
import { type HostTag, type MessageId, uuidOf } from "./id.ts";

/** In the order of their numbers in the database. */
export const suppressionOrigins = ["bounce", "complaint", "manual"] as const;
export type SuppressionOrigin = (typeof suppressionOrigins)[number];

/** How much of a reason is kept. */
export const REASON_MAX = 300;

export interface Suppression {
  /** Made as message ids are, and a row's place in the list. */
  readonly id: number;
  /** As `suppressionKey` makes it. */
  readonly address: string;
  readonly origin: SuppressionOrigin;
  /** The message that brought it; null: an operator did. */
  readonly source: MessageId | null;
  readonly reason: string;
  readonly at: EpochMs;
}

/**
 * An address in wire form, in lower case as a whole: a server may tell `Ann@` from `ann@` (RFC 5321 2.4), but none is known that does,
 * and a list that one capital letter evades protects nobody. For the same reason a letter and its accent are one, however they are written
 * (RFC 6532 3.1).
 */
export function suppressionKey(address: string): string {
  return address.toLowerCase().normalize("NFC");
}

/** As the API shows it: Resend's shape, and the reason. */
export interface SuppressionView {
  readonly object: "suppression";
  readonly id: string;
  readonly email: string;
  readonly origin: SuppressionOrigin;
  readonly source_id: string | null;
  readonly reason: string | null;
  readonly created_at: string;
}

export interface SuppressionFilter {
  readonly origin?: SuppressionOrigin;
  readonly limit: number;
  /** Ids of the list: `after` goes on to older rows, `before` back to newer ones. */
  readonly after?: string;
  readonly before?: string;
}

export function suppressionView(
  { id, address, origin, source, reason, at }: Suppression,
  tag: HostTag,
): SuppressionView {
  return {
    object: "suppression",
    id: uuidOf(id, tag),
    email: address,
    origin,
    source_id: source === null ? null : uuidOf(source, tag),
    reason: reason === "" ? null : reason,
    created_at: iso(at),
  };
}
