// A message id is one integer in the database and a UUIDv7 (RFC 9562 5.7) outside: milliseconds and a counter, while the
// UUID's remaining 62 bits are this data folder's tag. So the UUID needs no column and no index.
import type { EpochMs } from "../base/clock.ts";

/** Milliseconds since 1970 times 4096 plus a counter: below 2^53 until the year 2039. */
export type MessageId = number;

export const IDS_PER_MS = 4096;

/** The 62 random bits of a data folder, as 16 hex digits whose first is 8, 9, a or b (the UUID's variant). */
export type HostTag = string;

export function hostTag(random: Uint8Array): HostTag {
  const digits = [...random.subarray(0, 8)]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
  const variant = "89ab"[(random[0] ?? 0) >> 6] as string;
  return variant + digits.slice(1);
}

export function acceptedAtOf(id: MessageId): EpochMs {
  return Math.floor(id / IDS_PER_MS);
}

export function uuidOf(id: MessageId, tag: HostTag): string {
  const ms = acceptedAtOf(id).toString(16).padStart(12, "0");
  const counter = (id % IDS_PER_MS).toString(16).padStart(3, "0");
  return `${ms.slice(0, 8)}-${ms.slice(8)}-7${counter}-${tag.slice(0, 4)}-${tag.slice(4)}`;
}

/** Undefined when the text is no UUIDv7 of this data folder. */
export function idOf(uuid: string, tag: HostTag): MessageId | undefined {
  const parts = /^([0-9a-f]{8})-([0-9a-f]{4})-7([0-9a-f]{3})-([0-9a-f]{4})-([0-9a-f]{12})$/i.exec(
    uuid,
  );
  if (parts === null) return undefined;
  const [, high, low, counter, tagHead, tagTail] = parts as unknown as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  if ((tagHead + tagTail).toLowerCase() !== tag) return undefined;
  return parseInt(high + low, 16) * IDS_PER_MS + parseInt(counter, 16);
}

/**
 * In the year 2037. A clock that is beyond it, for good or for a moment, no longer moves the ids, which go on one by one: past 2^53
 * they would repeat, and the queue could never take mail again. There is room for 2^48 more.
 */
const CLOCK_MAX_MS = 2 ** 41 - 2 ** 36;

/** Ids that only grow, also when the clock goes back: `last` is the greatest id ever given. */
export function createIds(last: MessageId): (now: EpochMs) => MessageId {
  let previous = last;
  return (now) => {
    previous = Math.max(previous + 1, Math.min(now, CLOCK_MAX_MS) * IDS_PER_MS);
    return previous;
  };
}
