// What can be done to a message, by the states of its recipients.
import { domainOf } from "../../mail/message.ts";
import type { EmailView, RecipientView } from "../../mail/query.ts";
import { finalStates } from "./words.ts";

export interface Doable {
  readonly cancel: boolean;
  /** `hasten`: what is deferred is due now. `requeue`: what gave up begins anew, and may arrive twice. */
  readonly retry: "hasten" | "requeue" | null;
  readonly hold: boolean;
  readonly release: boolean;
  readonly reschedule: boolean;
  /** It changes by itself. */
  readonly isOpen: boolean;
}

export function doableTo({
  recipients,
  scheduled_at: scheduledAt,
}: Pick<EmailView, "recipients" | "scheduled_at">): Doable {
  const states: ReadonlySet<string> = new Set(recipients.map(({ state }) => state));
  const has = (...names: readonly string[]): boolean => names.some((name) => states.has(name));
  const isOpen = [...states].some((state) => !finalStates.has(state));
  return {
    cancel: isOpen,
    retry: has("deferred") ? "hasten" : has("bounced", "expired") ? "requeue" : null,
    hold: has("scheduled", "queued", "deferred"),
    release: has("held"),
    reschedule: isOpen && scheduledAt !== null && recipients.every(isBeforeItsTime),
    isOpen,
  };
}

/** Of mail that was given a time: it has not come, or it is over anyway. */
function isBeforeItsTime({ state, attempts }: RecipientView): boolean {
  return state === "scheduled" || (state === "held" && attempts === 0) || finalStates.has(state);
}

export interface Roads {
  readonly held: number;
  readonly scheduled: number;
  /** Where what waits for its turn or its next attempt is to go. */
  readonly domains: readonly string[];
  /** Domains beyond those. */
  readonly more: number;
  /** When the first of them is tried again; null: nothing is deferred. */
  readonly nextAt: string | null;
}

/** Each is a question to the daemon. */
const ROADS_MAX = 3;

export function roadsOf({ recipients }: Pick<EmailView, "recipients">): Roads {
  const count = (wanted: string): number =>
    recipients.filter(({ state }) => state === wanted).length;
  const waiting = recipients.filter(({ state }) => state === "queued" || state === "deferred");
  const domains = [...new Set(waiting.map(({ address }) => domainOf(address)))];
  return {
    held: count("held"),
    scheduled: count("scheduled"),
    domains: domains.slice(0, ROADS_MAX),
    nextAt: firstOf(waiting.filter(({ state }) => state === "deferred")),
    more: Math.max(0, domains.length - ROADS_MAX),
  };
}

function firstOf(recipients: readonly RecipientView[]): string | null {
  const times = recipients.flatMap(({ next_attempt_at: at }) => (at === null ? [] : [at]));
  return times.toSorted()[0] ?? null;
}

/** `ann@example.org and 3 more`. */
export function recipientsText(to: readonly string[]): string {
  const [first = "nobody", ...rest] = to;
  return rest.length === 0 ? first : `${first} and ${rest.length} more`;
}
