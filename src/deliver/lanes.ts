// The order in which a site's waiting jobs are taken: by weight, never strictly, so that codes hardly wait for bulk and bulk is
// never starved by them.
import type { Priority } from "../mail/message.ts";

/** Of 21 jobs taken while all lanes are full, so many come from each. */
export const laneWeights: Readonly<Record<Priority, number>> = { 0: 16, 1: 4, 2: 1 };

const ALL_LANES = 0b111;

export interface Lanes<T> {
  push(priority: Priority, item: T): void;
  /** Before all others of its lane: for a job that was begun already. */
  putBack(priority: Priority, item: T): void;
  /** `mask`: the lanes that may be taken from, one bit each; all of them when absent. */
  take(mask?: number): T | undefined;
  /** True when something waits in one of these lanes. */
  has(mask: number): boolean;
  /** From the head of each lane, as long as `unfit` says so. */
  takeHeads(unfit: (item: T) => boolean): T[];
  takeWhere(meant: (item: T) => boolean): T[];
  size(): number;
  sizeOf(priority: Priority): number;
  /** Empties all lanes. */
  takeAll(): T[];
}

export function createLanes<T>(): Lanes<T> {
  const lanes = [createFifo<T>(), createFifo<T>(), createFifo<T>()] as const;
  const credits = { ...laneWeights };
  const refill = (): void => void Object.assign(credits, laneWeights);
  let size = 0;

  const isOpen = (priority: Priority, mask: number): boolean =>
    (mask & (1 << priority)) !== 0 && lanes[priority].size() > 0;

  const takeByCredit = (mask: number): T | undefined => {
    for (const priority of [0, 1, 2] as const) {
      if (credits[priority] === 0 || !isOpen(priority, mask)) continue;
      credits[priority]--;
      size--;
      return lanes[priority].take();
    }
    return undefined;
  };

  return {
    push(priority, item) {
      lanes[priority].push(item);
      size++;
    },
    putBack(priority, item) {
      lanes[priority].putBack(item);
      size++;
    },
    has: (mask) => isOpen(0, mask) || isOpen(1, mask) || isOpen(2, mask),
    take(mask = ALL_LANES) {
      if (size === 0) return undefined;
      const taken = takeByCredit(mask);
      if (taken !== undefined) return taken;
      refill();
      return takeByCredit(mask);
    },
    takeHeads(unfit) {
      const taken = lanes.flatMap((lane) => lane.takeHeads(unfit));
      size -= taken.length;
      return taken;
    },
    takeWhere(meant) {
      const taken = lanes.flatMap((lane) => lane.takeWhere(meant));
      size -= taken.length;
      return taken;
    },
    size: () => size,
    sizeOf: (priority) => lanes[priority].size(),
    takeAll() {
      size = 0;
      return lanes.flatMap((lane) => lane.takeAll());
    },
  };
}

interface Fifo<T> {
  push(item: T): void;
  putBack(item: T): void;
  take(): T | undefined;
  takeHeads(unfit: (item: T) => boolean): T[];
  takeWhere(meant: (item: T) => boolean): T[];
  takeAll(): T[];
  size(): number;
}

/** `Array.shift` moves every element; this moves a number, and cuts the spent part off now and then. */
function createFifo<T>(): Fifo<T> {
  let items: T[] = [];
  let head = 0;
  return {
    push: (item) => void items.push(item),
    putBack(item) {
      if (head > 0) items[--head] = item;
      else items.unshift(item);
    },
    take() {
      if (head === items.length) return undefined;
      const item = items[head];
      // The slot is cleared so that a sent body can be collected.
      items[head++] = undefined as T;
      if (head > 1024 && head * 2 > items.length) {
        items = items.slice(head);
        head = 0;
      }
      return item;
    },
    takeHeads(unfit) {
      let end = head;
      while (end < items.length && unfit(items[end] as T)) end++;
      const taken = items.slice(head, end);
      items = items.slice(end);
      head = 0;
      return taken;
    },
    takeWhere(meant) {
      const taken: T[] = [];
      const left: T[] = [];
      for (const item of items.slice(head)) (meant(item) ? taken : left).push(item);
      if (taken.length === 0) return taken;
      items = left;
      head = 0;
      return taken;
    },
    takeAll() {
      const all = items.slice(head);
      items = [];
      head = 0;
      return all;
    },
    size: () => items.length - head,
  };
}
