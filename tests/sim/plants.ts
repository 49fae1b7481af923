// Bugs that are put in on purpose, each as a thin layer over a seam, so that the checks are seen to catch them. None of this is in
// the product.
import type { AcceptAnswer, Submission } from "../../src/mail/submission.ts";
import type { Queue } from "../../src/queue/queue.ts";
import type { QueueStore } from "../../src/queue/store.ts";
import type { Verdict } from "../../src/mail/verdict.ts";

export const plants = [
  "lease-unchecked",
  "verdict-without-event",
  "early-answer",
  "pause-unheard",
  "cancel-forgotten",
] as const;
export type Plant = (typeof plants)[number];

/** As if a verdict needed no lease: a late one passes for one of the lease that is held now. */
export function verdictUnchecked(store: QueueStore, verdict: Verdict): Verdict {
  const state = store.recipients(verdict.message)[verdict.n]?.state;
  return state?.at === "sending" ? { ...verdict, claim: state.claim } : verdict;
}

/** As if a provider's wish for a pause concerned one message. */
export function verdictUnpaused({ pause: _, ...verdict }: Verdict): Verdict {
  return verdict.scope === "site" ? { ...verdict, scope: "message" } : verdict;
}

/** As if state and event did not stand and fall together. */
export function storeWithoutEvents(store: QueueStore, roll: () => number): QueueStore {
  return {
    ...store,
    settle: (settlement) =>
      store.settle(roll() < 0.1 ? { ...settlement, event: null } : settlement),
  };
}

/** As if a cancel were told and not done. */
export function storeWithoutCancel(store: QueueStore): QueueStore {
  return {
    ...store,
    settle: (settlement) => settlement.next.at === "canceled" || store.settle(settlement),
  };
}

/** As if the answer did not wait for the commit. */
export function acceptEarly(
  queue: Queue,
  messages: readonly Submission[],
  answer: (answer: AcceptAnswer) => void,
): void {
  answer({ kind: "accepted" });
  queue.accept(messages, () => {});
}
