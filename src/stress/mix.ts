// Whom the load is sent to: names with shares, such as `ok:90,soft-rcpt:5,hard-rcpt:5`, in a fixed order that spreads each evenly. Each
// address is one of its own and carries the message's number, by which whoever takes it or tells of it can be asked what it was.

import type { Random } from "../base/random.ts";

export interface Share {
  readonly name: string;
  /** Of the sum of all. */
  readonly weight: number;
}

export interface Addresses {
  /** In each address, so that those of another run are none of this one. */
  readonly tag: string;
  readonly mix: readonly Share[];
  /** Which of the mix the message goes to. */
  shareOf(n: number): number;
  /** The part of the address before the number. */
  before(share: number): string;
  readonly after: string;
  of(n: number): string;
  /** Undefined: none of this run's. */
  numberIn(address: string): number | undefined;
}

export const NUMBER_DIGITS = 9;
const TAG_CHARS = 6;
const SHARES_MAX = 20;
const WEIGHT_MAX = 1_000_000;
const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?$/i;

/** Runs of the same daemon tell their messages apart by it. */
export function newTag(random: Pick<Random, "roll">): string {
  const char = (): string => Math.floor(random.roll() * 36).toString(36);
  return Array.from({ length: TAG_CHARS }, char).join("");
}

/** A text is what is wrong with it. */
export function parseMix(text: string): readonly Share[] | string {
  const parts = text.split(",").map((part) => part.trim());
  if (parts.length > SHARES_MAX) return `more than ${SHARES_MAX} names`;
  const shares: Share[] = [];
  for (const part of parts) {
    const [name = "", weight = "1", more] = part.split(":");
    if (!NAME.test(name) || more !== undefined) return `"${part}" is not NAME:SHARE`;
    if (!/^\d{1,7}$/.test(weight) || Number(weight) < 1 || Number(weight) > WEIGHT_MAX)
      return `"${part}": a share is a whole number from 1 to ${WEIGHT_MAX}`;
    if (shares.some((share) => share.name === name)) return `"${name}" stands there twice`;
    shares.push({ name, weight: Number(weight) });
  }
  return shares;
}

/** The golden ratio's multiples fall evenly into any division of the whole (Weyl): after few messages each share is as it should be. */
const GOLDEN = 0.618033988749895;

export function createAddresses(mix: readonly Share[], domain: string, tag: string): Addresses {
  const whole = mix.reduce((sum, { weight }) => sum + weight, 0);
  let sum = 0;
  const limits = mix.map(({ weight }) => (sum += weight) / whole);
  const shareOf = (n: number): number => {
    if (limits.length === 1) return 0;
    const place = (n * GOLDEN) % 1;
    const found = limits.findIndex((limit) => place < limit);
    return found < 0 ? limits.length - 1 : found;
  };
  const before = (share: number): string => `${mix[share]?.name}+${tag}`;
  const after = `@${domain}`;
  const number = new RegExp(`\\+${tag}(\\d{${NUMBER_DIGITS}})@`);
  return {
    tag,
    mix,
    shareOf,
    before,
    after,
    of: (n) => `${before(shareOf(n))}${String(n).padStart(NUMBER_DIGITS, "0")}${after}`,
    numberIn(address) {
      const found = number.exec(address)?.[1];
      return found === undefined ? undefined : Number(found);
    },
  };
}
