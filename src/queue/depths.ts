// How many recipients the keys that have a limit for it owe. Seen by a store that looks at what passes through it, so that no other
// part knows of keys; what an earlier process took is counted after the start, in small steps, while mail is taken already.
import type { KeyRecord } from "../mail/apiKey.ts";
import type { MessageId } from "../mail/id.ts";
import { isFinal } from "../mail/state.ts";
import type { Submission } from "../mail/submission.ts";
import type { KeyStore } from "./keys.ts";
import type { QueueStore, WalkPlace } from "./store.ts";

export interface KeyDepths {
  /** The same store, watched. */
  readonly store: QueueStore;
  /** The keys as they are from now on. */
  limit(keys: readonly KeyRecord[]): void;
  /** Whether a key would owe more than it may. */
  isFull(messages: readonly Submission[]): boolean;
  /** Counts a stretch of what was there before; true while more is left. */
  count(): boolean;
}

/** Recipients in one stretch: below a millisecond. */
const STRETCH = 200;

interface Owed {
  readonly key: number;
  left: number;
}

type Place = { readonly which: "waiting" | "held"; readonly after: WalkPlace | null };

export function createKeyDepths(store: QueueStore & Pick<KeyStore, "keyOf">): KeyDepths {
  let limits = new Map<number, number>();
  const owed = new Map<MessageId, Owed>();
  const depths = new Map<number, number>();
  /** What the open transaction does, for when it stands. */
  let staged: (() => void)[] = [];
  let place: Place | null = null;

  const move = (message: MessageId, by: number): void => {
    const one = owed.get(message);
    if (one === undefined) return;
    one.left += by;
    depths.set(one.key, (depths.get(one.key) ?? 0) + by);
    if (one.left <= 0) owed.delete(message);
  };
  const add = (message: MessageId, key: number, left: number): void => {
    if (left <= 0 || owed.has(message)) return;
    owed.set(message, { key, left: 0 });
    move(message, left);
  };
  const pendingOf = (message: MessageId): number =>
    store.recipients(message).filter(({ state }) => !isFinal(state.at)).length;
  /** A message of before, if its key is limited. */
  const meet = (message: MessageId): void => {
    if (owed.has(message)) return;
    const key = store.keyOf(message);
    if (limits.has(key)) add(message, key, pendingOf(message));
  };

  const watched: QueueStore = {
    ...store,
    transaction(run) {
      staged = [];
      const result = store.transaction(run);
      if (result.kind === "committed") for (const follow of staged) follow();
      staged = [];
      return result;
    },
    accept(message) {
      store.accept(message);
      const { key = 0, id } = message.head;
      if (!limits.has(key)) return;
      const left = message.recipients.filter(({ state }) => !isFinal(state.at)).length;
      staged.push(() => add(id, key, left));
    },
    settle(settlement) {
      const isSettled = store.settle(settlement);
      if (isSettled && owed.size > 0 && isFinal(settlement.next.at))
        staged.push(() => move(settlement.message, -1));
      return isSettled;
    },
    reopen(reopening) {
      const isReopened = store.reopen(reopening);
      const { message } = reopening;
      if (isReopened && limits.size > 0)
        staged.push(() => (owed.has(message) ? move(message, 1) : meet(message)));
      return isReopened;
    },
  };

  return {
    store: watched,
    limit(keys) {
      const next = new Map<number, number>();
      for (const { number, queueMax } of keys) if (queueMax !== null) next.set(number, queueMax);
      const isNew = [...next.keys()].some((number) => !limits.has(number));
      for (const [message, { key }] of owed) if (!next.has(key)) owed.delete(message);
      for (const key of depths.keys()) if (!next.has(key)) depths.delete(key);
      limits = next;
      // What a newly limited key has in the queue is not known yet.
      if (isNew) place = { which: "waiting", after: null };
    },
    isFull(messages) {
      if (limits.size === 0) return false;
      const key = messages[0]?.head.key ?? 0;
      const most = limits.get(key);
      if (most === undefined) return false;
      let more = 0;
      for (const { head } of messages) more += head.recipients.length;
      return (depths.get(key) ?? 0) + more > most;
    },
    count() {
      if (place === null || limits.size === 0) return false;
      const { which, after } = place;
      const met = store.walk(which, { after, limit: STRETCH });
      for (const { message } of met) meet(message);
      const last = met.at(-1);
      if (last !== undefined) place = { which, after: last };
      else place = which === "waiting" ? { which: "held", after: null } : null;
      return place !== null;
    },
  };
}
