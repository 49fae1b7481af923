// The events of one endpoint that are in memory: read and not yet taken. Those of one message leave one after the other, so that nobody
// hears of a delivery before the attempt; messages do not wait for each other. Pure.
import type { EpochMs } from "../base/clock.ts";
import type { FeedEvent } from "../mail/eventView.ts";
import type { HookPending } from "../mail/webhook.ts";

export interface HookItem {
  readonly event: number;
  readonly type: string;
  readonly email: string;
  /** Null: it must be read again. */
  body: string | null;
  /** As in `FeedEvent`. */
  readonly trace: string | undefined;
  tries: number;
  dueAt: EpochMs;
  /** It has a row of its own, so that the cursor may pass it. */
  parked: boolean;
}

export interface HookWindow {
  /** Behind those that are here; returns those that wait behind a parked one, and are parked with it. */
  add(events: readonly FeedEvent[], readTo: number): HookItem[];
  /** What waited when the last process ended, or is wanted again: with a row of its own, and due as that says. */
  restore(pending: readonly HookPending[]): void;
  /** The first that may be sent, which then is under way: one that is due, else what `orElse` allows. */
  next(now: EpochMs, orElse: "fresh" | "earliest" | "none"): HookItem | undefined;
  /** Taken or given up. */
  settle(item: HookItem): void;
  /** To be tried again; returns all that are parked now and were not before. */
  park(item: HookItem, dueAt: EpochMs): HookItem[];
  /** Given back as it was. */
  unsend(item: HookItem): void;
  /** All that waits for its time is due. */
  hurry(now: EpochMs): void;
  /** The same, from the first attempt on. */
  renew(now: EpochMs): void;
  /** The clock was set back by so much, and what waits keeps its distance; returns what waits. */
  setBack(byMs: number): readonly HookItem[];
  /** Every event up to here is settled or parked. */
  cursor(): number;
  readTo(): number;
  fresh(): number;
  parked(): number;
  isParked(event: number): boolean;
}

export function createHookWindow(cursor: number): HookWindow {
  let readTo = cursor;
  /** By message, in order; the first may be under way. */
  const lanes = new Map<string, HookItem[]>();
  /** First of their lanes, and due. */
  const ready: HookItem[] = [];
  /** First of their lanes, and parked. */
  const waiting = new Set<HookItem>();
  /** Neither settled nor parked, in order. */
  const fresh = new Map<number, HookItem>();
  const parked = new Map<number, HookItem>();
  let nextDueAt = Infinity;

  const wait = (item: HookItem): void => {
    waiting.add(item);
    nextDueAt = Math.min(nextDueAt, item.dueAt);
  };
  const enlist = (item: HookItem): void => (item.parked ? wait(item) : void ready.push(item));
  const enter = (item: HookItem): void => {
    const lane = lanes.get(item.email);
    if (lane === undefined) lanes.set(item.email, [item]);
    else lane.push(item);
    if (lane === undefined) enlist(item);
  };
  const setParked = (item: HookItem, dueAt: EpochMs): HookItem[] => {
    item.dueAt = dueAt;
    if (item.parked) return [];
    item.parked = true;
    // It may be hours: what is not needed now is read again then.
    item.body = null;
    fresh.delete(item.event);
    parked.set(item.event, item);
    return [item];
  };

  /** Few wait, and nobody looks before one of them is due. */
  const earliest = (): HookItem | undefined => {
    let found: HookItem | undefined;
    nextDueAt = Infinity;
    for (const item of waiting) {
      nextDueAt = Math.min(nextDueAt, item.dueAt);
      const { dueAt, event } = found ?? { dueAt: Infinity, event: 0 };
      if (item.dueAt < dueAt || (item.dueAt === dueAt && item.event < event)) found = item;
    }
    return found;
  };
  const again = (item: HookItem, dueAt: EpochMs, tries: number): void => {
    setParked(item, dueAt);
    item.tries = tries;
    nextDueAt = Math.min(nextDueAt, dueAt);
  };
  const renew = (now: EpochMs, tries?: number): void => {
    for (const item of waiting) again(item, Math.min(item.dueAt, now), tries ?? item.tries);
  };

  return {
    add(events, upTo) {
      const blocked: HookItem[] = [];
      for (const { id, type, email_id, body, trace } of events) {
        if (parked.has(id)) continue;
        const item: HookItem = {
          ...{ event: id, type, email: email_id, body, trace },
          ...{ tries: 0, dueAt: 0, parked: false },
        };
        fresh.set(id, item);
        const first = lanes.get(email_id)?.[0];
        if (first?.parked === true) blocked.push(...setParked(item, first.dueAt));
        enter(item);
      }
      readTo = Math.max(readTo, upTo);
      return blocked;
    },
    restore(pending) {
      for (const { event, type, email, dueAt, tries } of pending) {
        const known = parked.get(event) ?? fresh.get(event);
        if (known !== undefined) again(known, dueAt, tries);
        else {
          const unread = { body: null, trace: undefined, parked: true };
          const item: HookItem = { event, type, email, tries, dueAt, ...unread };
          parked.set(event, item);
          enter(item);
        }
      }
    },
    next(now, orElse) {
      const due = now >= nextDueAt || orElse === "earliest" ? earliest() : undefined;
      if (due !== undefined && (due.dueAt <= now || orElse === "earliest")) {
        waiting.delete(due);
        return due;
      }
      return orElse === "fresh" ? ready.shift() : undefined;
    },
    settle(item) {
      fresh.delete(item.event);
      parked.delete(item.event);
      const lane = lanes.get(item.email) ?? [];
      lane.shift();
      const [next] = lane;
      if (next === undefined) lanes.delete(item.email);
      else {
        // Its turn has come; it was parked only for the sake of the one before it.
        if (next.parked && next.tries === 0) next.dueAt = 0;
        enlist(next);
      }
    },
    park(item, dueAt) {
      const lane = lanes.get(item.email) ?? [];
      const all = lane.flatMap((one) =>
        setParked(one, one === item ? dueAt : Math.max(one.dueAt, dueAt)),
      );
      wait(item);
      return all;
    },
    unsend(item) {
      if (item.parked) wait(item);
      else ready.unshift(item);
    },
    hurry: (now) => renew(now),
    renew: (now) => renew(now, 0),
    setBack(byMs) {
      const all = [...parked.values()];
      for (const item of all) item.dueAt = Math.max(0, item.dueAt - byMs);
      nextDueAt -= byMs;
      return all;
    },
    cursor() {
      const first = fresh.keys().next();
      return first.done === true ? readTo : first.value - 1;
    },
    readTo: () => readTo,
    fresh: () => fresh.size,
    parked: () => parked.size,
    isParked: (event) => parked.has(event),
  };
}
