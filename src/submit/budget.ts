// A bound on the bytes of bodies that are being parsed at once, since a parsed body costs many times its size (DESIGN 3). Who waits
// has not read its socket yet, so waiting costs nothing but time. First come, first served: a large body is not starved by small ones.

export interface Budget {
  /** Undefined when the bytes were granted at once; every grant is given back with `release`. */
  take(bytes: number): Promise<void> | undefined;
  release(bytes: number): void;
  readonly used: () => number;
}

export function createBudget(limitBytes: number): Budget {
  const waiting: { readonly bytes: number; readonly grant: () => void }[] = [];
  let used = 0;
  const fits = (bytes: number): boolean => used === 0 || used + bytes <= limitBytes;
  return {
    take(bytes) {
      // What is no number would fill it for ever.
      if (!Number.isSafeInteger(bytes) || bytes < 0) throw new Error(`${bytes} bytes are no share`);
      if (waiting.length === 0 && fits(bytes)) {
        used += bytes;
        return undefined;
      }
      return new Promise((grant) => void waiting.push({ bytes, grant }));
    },
    release(bytes) {
      used -= bytes;
      for (let next = waiting[0]; next !== undefined && fits(next.bytes); next = waiting[0]) {
        waiting.shift();
        used += next.bytes;
        next.grant();
      }
    },
    used: () => used,
  };
}
