// The one home of randomness: the simulator draws everything from one seed.
import { randomBytes } from "node:crypto";

export interface Random {
  /** Uniform in [0, 1). */
  roll(): number;
  bytes(length: number): Uint8Array;
}

export const systemRandom: Random = {
  roll: () => Math.random(),
  bytes: (length) => new Uint8Array(randomBytes(length)),
};

/** sfc32 (PractRand's small fast counter generator): good low bits, the same sequence on every runtime. */
export function seededRandom(seed: number): Random {
  let a = seed >>> 0;
  let b = (seed ^ 0x9e3779b9) >>> 0;
  let c = Math.floor(seed / 4294967296) >>> 0;
  let counter = 1;
  const next = (): number => {
    const t = (((a + b) >>> 0) + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) >>> 0;
    c = ((c << 21) | (c >>> 11)) >>> 0;
    c = (c + t) >>> 0;
    return t;
  };
  for (let i = 0; i < 12; i++) next();
  return {
    roll: () => next() / 4294967296,
    bytes: (length) => Uint8Array.from({ length }, () => next() >>> 24),
  };
}

/** A new array in random order (Fisher-Yates). */
export function shuffled<T>(items: readonly T[], random: Pick<Random, "roll">): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random.roll() * (i + 1));
    const swap = result[i] as T;
    result[i] = result[j] as T;
    result[j] = swap;
  }
  return result;
}
