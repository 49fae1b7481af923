// What came back about mail after it had left: a delivery status notification (RFC 3464) or an abuse report (RFC 5965), once its message
// and recipient are known, and why not when they are not.
import type { MessageId } from "./id.ts";

/** A larger report is not read: what it says stands in its first parts, and the rest is our own mail. */
export const REPORT_MAX_BYTES = 2_000_000;

export type ReportKind = "dsn" | "arf" | "other";

/**
 * - `matched`: it is about a recipient of a message of ours.
 * - `unmatched`: no message, or no such recipient of it.
 * - `forged`: it names a message of ours and says things of it that are not so.
 * - `ignored`: it tells no failure and no complaint, such as a delay.
 */
export type Finding =
  | { readonly outcome: "matched"; readonly about: ReportAbout }
  | {
      readonly outcome: "unmatched" | "forged" | "ignored";
      readonly recipient: string | null;
    };

export interface ReportAbout {
  readonly message: MessageId;
  readonly email_id: string;
  readonly n: number;
  readonly recipient: string;
  readonly report: "bounced" | "complained";
  readonly enhanced: string;
  readonly text: string;
  readonly by: string;
  /** The address is no good, or does not want mail. */
  readonly suppress: boolean;
}

export interface ReportView {
  readonly kind: ReportKind;
  readonly findings: readonly Finding[];
}
