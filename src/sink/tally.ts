// What the server took, counted by id and recipient: the remote's own count is the truth that the
// ledger and the benchmarks compare with.
import type { Taken } from "./dialogue.ts";

export interface TallySummary {
  readonly messages: number;
  readonly recipients: number;
  /** Different pairs of id and recipient. */
  readonly distinct: number;
  readonly bytes: number;
  readonly connections: number;
  /** First and last taking, in milliseconds of a monotonic clock; null before the first. */
  readonly firstAtMs: number | null;
  readonly lastAtMs: number | null;
  readonly complaints: Readonly<Record<string, number>>;
}

export interface Tally {
  connected(): void;
  took(taken: Taken): void;
  summary(): TallySummary;
  /** Times taken by `id recipient`. */
  counts(): ReadonlyMap<string, number>;
  reset(): void;
}

const COMPLAINT_KINDS_MAX = 100;

export function createTally(monotonicMs: () => number): Tally {
  const counts = new Map<string, number>();
  const complaints = new Map<string, number>();
  let messages = 0;
  let recipients = 0;
  let bytes = 0;
  let connections = 0;
  let firstAtMs: number | null = null;
  let lastAtMs: number | null = null;
  return {
    connected: () => void connections++,
    took(taken) {
      messages++;
      bytes += taken.sizeBytes;
      lastAtMs = monotonicMs();
      firstAtMs ??= lastAtMs;
      for (const recipient of taken.recipients) {
        recipients++;
        const key = `${taken.id} ${recipient}`;
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
      for (const complaint of taken.complaints)
        if (complaints.size < COMPLAINT_KINDS_MAX || complaints.has(complaint))
          complaints.set(complaint, (complaints.get(complaint) ?? 0) + 1);
    },
    summary: () => ({
      messages,
      recipients,
      distinct: counts.size,
      bytes,
      connections,
      firstAtMs,
      lastAtMs,
      complaints: Object.fromEntries(complaints),
    }),
    counts: () => counts,
    reset() {
      counts.clear();
      complaints.clear();
      messages = recipients = bytes = connections = 0;
      firstAtMs = lastAtMs = null;
    },
  };
}
