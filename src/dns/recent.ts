// A map that forgets: bounded in entries and in weight. What was read since the hand last came by gets a second chance (the CLOCK
// algorithm), so a hit costs one flag and not a move, and a flood of names asked for once does not push out those in use.

export interface Recent<V> {
  get(key: string): V | undefined;
  /** Without counting as a use. */
  peek(key: string): V | undefined;
  set(key: string, value: V, weight?: number): void;
  delete(key: string): boolean;
  clear(): void;
  /** Other limits from now on; what is beyond them goes. */
  resize(limits: RecentLimits): void;
  keys(): Iterable<string>;
  size(): number;
  weight(): number;
}

interface Slot<V> {
  value: V;
  weight: number;
  used: boolean;
}

export interface RecentLimits {
  readonly entriesMax: number;
  /** In the unit of `set`'s weights, such as bytes. */
  readonly weightMax: number;
}

export function createRecent<V>(given: RecentLimits): Recent<V> {
  let { entriesMax, weightMax } = given;
  const slots = new Map<string, Slot<V>>();
  // One iterator lives on: starting anew at each eviction would walk over what was deleted before.
  let hand = slots.entries();
  let total = 0;

  function remove(key: string, slot: Slot<V>): void {
    slots.delete(key);
    total -= slot.weight;
  }

  function evictOne(): void {
    for (;;) {
      const step = hand.next();
      if (step.done === true) {
        hand = slots.entries();
        continue;
      }
      const [key, slot] = step.value;
      if (!slot.used) return remove(key, slot);
      slot.used = false;
    }
  }

  return {
    get(key) {
      const slot = slots.get(key);
      if (slot === undefined) return undefined;
      slot.used = true;
      return slot.value;
    },
    set(key, value, weight = 1) {
      const old = slots.get(key);
      if (old !== undefined) remove(key, old);
      if (weight > weightMax) return;
      while (slots.size > 0 && (slots.size >= entriesMax || total + weight > weightMax)) evictOne();
      slots.set(key, { value, weight, used: false });
      total += weight;
    },
    peek: (key) => slots.get(key)?.value,
    delete(key) {
      const slot = slots.get(key);
      if (slot !== undefined) remove(key, slot);
      return slot !== undefined;
    },
    resize(limits) {
      ({ entriesMax, weightMax } = limits);
      while (slots.size > entriesMax || total > weightMax) evictOne();
    },
    clear() {
      slots.clear();
      total = 0;
    },
    keys: () => slots.keys(),
    size: () => slots.size,
    weight: () => total,
  };
}
