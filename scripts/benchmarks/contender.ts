// What takes part in a comparison: each takes `count` messages from its own load generator and
// brings them to the same receiver.
import { until } from "../../tests/fixtures/until.ts";
import type { Receiver } from "./receiver.ts";

export interface Round {
  readonly count: number;
  /** From the first message offered to the last one at the receiver. */
  readonly deliveredPerSecond: number;
  readonly acceptedPerSecond: number;
  readonly acceptP50Ms: number | null;
  readonly acceptP99Ms: number | null;
  /**
   * CPU a message: of what is measured by thread (`total` for a peer), of the generator and of the
   * receiver.
   */
  readonly cpuUs: Readonly<Record<string, number>>;
  readonly writtenBytes: number | null;
  readonly rssBytes: number | null;
}

export interface Contender {
  readonly name: string;
  readonly receiver: Receiver;
  round(count: number): Promise<Round>;
  stop(): Promise<void>;
}

const STALL_MS = 60_000;

/**
 * Resolves with the time at which the receiver has all; fails when it has more, or no new one for a
 * minute.
 */
export async function untilTaken(receiver: Receiver, total: number): Promise<number> {
  let best = -1;
  let bestAtMs = performance.now();
  await until(
    `${total} messages at the receiver`,
    () => {
      const count = receiver.count();
      if (count > total) throw new Error(`the receiver took ${count} of ${total}`);
      if (count > best) {
        best = count;
        bestAtMs = performance.now();
      } else if (performance.now() - bestAtMs > STALL_MS)
        throw new Error(`the receiver stays at ${count} of ${total}`);
      return count === total;
    },
    Number.MAX_SAFE_INTEGER,
  );
  return performance.now();
}

/** CPU by name between two readings, per message. */
export function perMessage(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  count: number,
): Record<string, number> {
  return Object.fromEntries(
    [...after].map(([name, us]) => [name, (us - (before.get(name) ?? 0)) / count]),
  );
}
