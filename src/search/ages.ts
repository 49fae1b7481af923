// How old what waits is, counted on the index of open mail. Only counting tells, so what is much is counted less often: a million rows
// take some tens of milliseconds.
import type { EpochMs } from "../base/clock.ts";
import { queueAges } from "../mail/age.ts";
import { IDS_PER_MS } from "../mail/id.ts";
import { priorities } from "../mail/message.ts";
import { type Prepare, termKey } from "./index-file.ts";

export const agesSql = {
  count: "SELECT count(*) FROM term WHERE key = ?1 AND message > ?2 AND message <= ?3",
} as const;

/** Messages with a recipient that is not final, by priority and in the steps of `queueAges`. */
export type AgeCounts = readonly (readonly number[])[];

export function createAges(prepare: Prepare): (now: EpochMs) => AgeCounts {
  const count = prepare(agesSql.count);
  return createSeldom(
    (now): AgeCounts =>
      priorities.map((priority) => {
        const key = termKey("open", String(priority));
        // What a clock that was set back put into the future is young.
        let youngest = Number.MAX_SAFE_INTEGER;
        return queueAges.map(({ upToS }) => {
          const oldest = upToS === Infinity ? 0 : Math.max(0, (now - upToS * 1000) * IDS_PER_MS);
          const [row] = count.values(key, oldest, youngest) as [number][];
          youngest = oldest;
          return row?.[0] ?? 0;
        });
      }),
    (counts) => counts.flat().reduce((sum, one) => sum + one, 0),
  );
}

const MANY = 50_000;
const FEW_EVERY_MS = 900;
const MANY_EVERY_MS = 15_000;

/** What was counted, or counts anew when that is old for its size. */
export function createSeldom<T>(
  count: (now: EpochMs) => T,
  sizeOf: (counted: T) => number,
): (now: EpochMs) => T {
  let counted: { readonly at: EpochMs; readonly what: T } | undefined;
  return (now) => {
    const everyMs =
      counted !== undefined && sizeOf(counted.what) > MANY ? MANY_EVERY_MS : FEW_EVERY_MS;
    if (counted === undefined || Math.abs(now - counted.at) >= everyMs)
      counted = { at: now, what: count(now) };
    return counted.what;
  };
}
