// Octets that come in pieces, in one place: kept piece by piece, a text that comes octet by octet would hold a hundred times its size.

export interface Gathered {
  /** Copied at once: who gives it may use its buffer again. */
  add(bytes: Uint8Array): void;
  /** All of it, and the next begins empty. */
  take(): Buffer;
}

/** New each time: whoever takes an empty text may give its buffer away, and a shared one would be gone for all. */
const nothing = (): Buffer => Buffer.alloc(0);

export function createGathered(): Gathered {
  let held = nothing();
  let length = 0;
  return {
    add(bytes) {
      const needed = length + bytes.length;
      if (needed > held.length) {
        const grown = Buffer.allocUnsafeSlow(Math.max(held.length * 2, needed));
        held.copy(grown, 0, 0, length);
        held = grown;
      }
      held.set(bytes, length);
      length = needed;
    },
    take() {
      const whole = held.subarray(0, length);
      held = nothing();
      length = 0;
      return whole;
    },
  };
}
