// The states of a recipient and what may follow what. A state cannot hold what does not belong to it; the table's CHECK
// constraints say the same (queue/migrations.ts).
import type { EpochMs } from "../base/clock.ts";

export type RecipientState =
  /** Waits for its scheduled time. */
  | { readonly at: "scheduled"; readonly dueAt: EpochMs }
  /** Waits for its first attempt, or was given back uncounted. */
  | { readonly at: "queued"; readonly dueAt: EpochMs; readonly attempts: number }
  /** Waits for an operator or a condition, not for time. */
  | { readonly at: "held"; readonly attempts: number }
  /** Leased to a sender thread under `claim` until `leaseUntil`. */
  | {
      readonly at: "sending";
      readonly claim: number;
      readonly leaseUntil: EpochMs;
      readonly attempts: number;
    }
  /** Failed for now; the next attempt is not before `dueAt`. */
  | { readonly at: "deferred"; readonly dueAt: EpochMs; readonly attempts: number }
  | {
      readonly at: "delivered" | "bounced" | "expired" | "canceled" | "suppressed";
      readonly endedAt: EpochMs;
      readonly attempts: number;
    };
