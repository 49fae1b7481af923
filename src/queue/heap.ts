// The earliest of many: a binary heap, for wake-up times of sites and for the simulator's timers. Equal times leave in the order in
// which they came, since a simulation must be the same each time.

export interface Heap<T> {
  push(at: number, item: T): void;
  /** The earliest time; Infinity when empty. */
  earliest(): number;
  pop(): T | undefined;
  size(): number;
}

interface Node<T> {
  readonly at: number;
  readonly order: number;
  readonly item: T;
}

function before<T>(a: Node<T>, b: Node<T>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

export function createHeap<T>(): Heap<T> {
  const nodes: Node<T>[] = [];
  let order = 0;

  const sinkFrom = (node: Node<T>): void => {
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      const left = nodes[child];
      if (left === undefined) break;
      const right = nodes[child + 1];
      let least = left;
      if (right !== undefined && before(right, left)) {
        least = right;
        child++;
      }
      if (!before(least, node)) break;
      nodes[place] = least;
      place = child;
    }
    nodes[place] = node;
  };

  return {
    push(at, item) {
      const node: Node<T> = { at, order: order++, item };
      let place = nodes.length;
      nodes.push(node);
      while (place > 0) {
        const above = (place - 1) >> 1;
        const parent = nodes[above] as Node<T>;
        if (!before(node, parent)) break;
        nodes[place] = parent;
        place = above;
      }
      nodes[place] = node;
    },
    earliest: () => nodes[0]?.at ?? Infinity,
    pop() {
      const top = nodes[0];
      const last = nodes.pop();
      if (top === undefined || last === undefined) return undefined;
      if (nodes.length > 0) sinkFrom(last);
      return top.item;
    },
    size: () => nodes.length,
  };
}
