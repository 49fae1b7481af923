// The states of a recipient and what may follow what. A state cannot hold what does not belong to it; the table's CHECK
// constraints say the same (queue/migrations.ts).
import type { EpochMs } from "../base/clock.ts";
import { unreachable } from "../base/unreachable.ts";
import type { EventType } from "../mail/event.ts";

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

/** What can happen to a recipient. `counted` says that an attempt ended with it. */
export type Happening =
  | { readonly kind: "claimed"; readonly claim: number; readonly leaseUntil: EpochMs }
  /** The lease of a living sender runs on. */
  | { readonly kind: "renewed"; readonly leaseUntil: EpochMs }
  | { readonly kind: "delivered"; readonly at: EpochMs }
  | { readonly kind: "bounced"; readonly at: EpochMs }
  | { readonly kind: "deferred"; readonly dueAt: EpochMs; readonly counted: boolean }
  /** Given back before anything was tried. */
  | { readonly kind: "returned"; readonly dueAt: EpochMs }
  /** The lease ended without a verdict: the attempt may have passed the final dot, so it counts. */
  | { readonly kind: "lost"; readonly dueAt: EpochMs }
  | { readonly kind: "expired"; readonly at: EpochMs; readonly counted: boolean }
  | { readonly kind: "canceled"; readonly at: EpochMs }
  | { readonly kind: "suppressed"; readonly at: EpochMs }
  | { readonly kind: "held" }
  /** `early`: before its scheduled time, which it waits for. */
  | { readonly kind: "released"; readonly dueAt: EpochMs; readonly early?: boolean }
  /** An operator's wish opens a new generation of a final state: attempts start anew. */
  | { readonly kind: "requeued"; readonly dueAt: EpochMs };

export type HappeningKind = Happening["kind"];

/** Attempts that ended; scheduled mail has had none. */
export function attemptsOf(state: RecipientState): number {
  return state.at === "scheduled" ? 0 : state.attempts;
}

type Nature = "waiting" | "held" | "sending" | "final";

function natureOf(state: RecipientState): Nature {
  switch (state.at) {
    case "scheduled":
    case "queued":
    case "deferred":
      return "waiting";
    case "held":
      return "held";
    case "sending":
      return "sending";
    case "delivered":
    case "bounced":
    case "expired":
    case "canceled":
    case "suppressed":
      return "final";
    default:
      return unreachable(state);
  }
}

/** It is not over, and no sender has it. */
export function isWaiting(state: RecipientState): boolean {
  const nature = natureOf(state);
  return nature === "waiting" || nature === "held";
}

/** What a happening needs to find: the whole of what may follow what, in one table. */
const happensTo: Readonly<Record<HappeningKind, readonly Nature[]>> = {
  claimed: ["waiting"],
  renewed: ["sending"],
  delivered: ["sending"],
  bounced: ["sending"],
  deferred: ["sending"],
  returned: ["sending"],
  lost: ["sending"],
  expired: ["waiting", "held", "sending"],
  canceled: ["waiting", "held"],
  suppressed: ["waiting", "held", "sending"],
  held: ["waiting", "sending"],
  released: ["held"],
  requeued: ["final"],
};

/** Null: this cannot happen to a recipient in this state, and nothing changes. */
export function after(state: RecipientState, happening: Happening): RecipientState | null {
  if (!happensTo[happening.kind].includes(natureOf(state))) return null;
  const attempts = attemptsOf(state);
  switch (happening.kind) {
    case "claimed":
      return {
        at: "sending",
        claim: happening.claim,
        leaseUntil: happening.leaseUntil,
        attempts,
      };
    case "renewed":
      return state.at === "sending" ? { ...state, leaseUntil: happening.leaseUntil } : null;
    case "delivered":
    case "bounced":
      return { at: happening.kind, endedAt: happening.at, attempts: attempts + 1 };
    case "deferred":
      return {
        at: "deferred",
        dueAt: happening.dueAt,
        attempts: attempts + (happening.counted ? 1 : 0),
      };
    case "released":
      if (happening.early === true && attempts === 0)
        return { at: "scheduled", dueAt: happening.dueAt };
      return { at: "queued", dueAt: happening.dueAt, attempts };
    case "returned":
      return { at: "queued", dueAt: happening.dueAt, attempts };
    case "lost":
      return { at: "deferred", dueAt: happening.dueAt, attempts: attempts + 1 };
    case "expired":
      return {
        at: "expired",
        endedAt: happening.at,
        attempts: attempts + (happening.counted ? 1 : 0),
      };
    case "canceled":
    case "suppressed":
      return { at: happening.kind, endedAt: happening.at, attempts };
    case "held":
      return { at: "held", attempts };
    case "requeued":
      return { at: "queued", dueAt: happening.dueAt, attempts: 0 };
    default:
      return unreachable(happening);
  }
}

/** The fact that is told outside; null: nothing that a reader of the timeline would miss. */
export const eventOf: Readonly<Record<HappeningKind, EventType | null>> = {
  claimed: null,
  renewed: null,
  delivered: "email.delivered",
  bounced: "email.bounced",
  deferred: "email.delivery_delayed",
  returned: null,
  lost: "email.delivery_delayed",
  expired: "email.failed",
  canceled: "email.canceled",
  suppressed: "email.suppressed",
  held: "email.held",
  released: null,
  requeued: "email.requeued",
};
