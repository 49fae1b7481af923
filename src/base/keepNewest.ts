// Memory with a bound: a Map and a Set keep the order in which their keys came, so what has been there longest is what goes.

/** Called behind each key that is added; one that is to count as new is deleted before it is set. */
export function keepNewest<Key>(all: Map<Key, unknown> | Set<Key>, max: number): void {
  if (all.size <= max) return;
  for (const oldest of all.keys()) {
    if (all.size <= max) return;
    all.delete(oldest);
  }
}
