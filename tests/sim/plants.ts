// Bugs that are put in on purpose, each as a thin layer over a seam, so that the checks are seen to catch them. None of this is in
// the product.
import type { AcceptAnswer, Submission } from "../../src/mail/submission.ts";
import type { Queue } from "../../src/queue/queue.ts";
import type { KeptOnce, QueueStore } from "../../src/queue/store.ts";
import type { Verdict } from "../../src/mail/verdict.ts";

export const plants = [
  "lease-unchecked",
  "verdict-without-event",
  "early-answer",
  "pause-unheard",
  "cancel-forgotten",
  "list-forgotten",
  "key-apart",
  "key-in-memory",
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

/** As if nobody looked at the list of addresses that get no mail. */
export function storeWithoutList(store: QueueStore): QueueStore {
  return { ...store, suppression: () => undefined };
}

/** As if an idempotency key were noted in a transaction of its own, behind that of its message. */
export function storeWithKeysApart(store: QueueStore): QueueStore {
  let fresh: (() => void)[] = [];
  return {
    ...store,
    noteOnce(once, at) {
      const kept = store.findOnce(once.key);
      if (kept === undefined) fresh.push(() => void store.noteOnce(once, at));
      return kept;
    },
    transaction(run) {
      const result = store.transaction(run);
      const notes = fresh;
      fresh = [];
      if (notes.length > 0) store.transaction(() => notes.forEach((note) => note()));
      return result;
    },
  };
}

/** As if idempotency keys lived as long as the process. */
export function storeWithKeysInMemory(store: QueueStore): QueueStore {
  const kept = new Map<string, KeptOnce>();
  return {
    ...store,
    findOnce: (key) => kept.get(key),
    noteOnce(once) {
      const before = kept.get(once.key);
      if (before === undefined) kept.set(once.key, once);
      return before;
    },
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
