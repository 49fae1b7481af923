// How much is owed, and whether more may be taken: a queue, a disk and a daemon that is about to end each refuse in their own words,
// and each takes mail again by itself (DESIGN 6).
import type { Log } from "../base/log.ts";
import { isFinal } from "../mail/state.ts";
import type { Refusal, Submission } from "../mail/submission.ts";
import type { QueuePolicy } from "./policy.ts";
import type { Pressure } from "./queue.ts";
import type { QueueStore } from "./store.ts";

export interface Admission {
  /** Counts what the store holds. */
  start(): void;
  /** Undefined: it may come in. */
  refusalOf(messages: readonly Submission[]): Refusal | undefined;
  /** Why nothing at all may come in at this moment; null: something may. */
  standing(): Refusal | null;
  accepted(messages: readonly Submission[]): void;
  /** So many are owed again. */
  reopened(recipients: number): void;
  /** So many recipients became final. */
  ended(recipients: number): void;
  pressure(pressure: Pressure): void;
  /** Asks the store for the bytes, now and then. True when it did. */
  resize(mono: number): boolean;
  recipients(): number;
  bytes(): number;
}

const SIZE_EVERY_MS = 500;

export function createAdmission(store: QueueStore, policy: QueuePolicy, log: Log): Admission {
  let recipients = 0;
  let bytes = 0;
  let diskLow = false;
  let sizedAtMono = -Infinity;
  return {
    start() {
      for (const row of store.tally()) if (!isFinal(row.state)) recipients += row.recipients;
      bytes = store.size().pendingBytes;
    },
    refusalOf(messages) {
      if (diskLow) return "disk_low";
      let moreRecipients = 0;
      let moreBytes = 0;
      for (const { head } of messages) {
        moreRecipients += head.recipients.length;
        moreBytes += head.sizeBytes;
      }
      const full =
        recipients + moreRecipients > policy.queueMessagesMax ||
        bytes + moreBytes > policy.queueBytesMax;
      return full ? "queue_full" : undefined;
    },
    standing() {
      if (diskLow) return "disk_low";
      const full = recipients >= policy.queueMessagesMax || bytes >= policy.queueBytesMax;
      return full ? "queue_full" : null;
    },
    accepted(messages) {
      for (const { head } of messages) {
        recipients += head.recipients.length;
        bytes += head.sizeBytes;
      }
    },
    reopened: (count) => void (recipients += count),
    ended: (count) => void (recipients -= count),
    pressure({ freeBytes, walBytes }) {
      const low = freeBytes < policy.diskReserveBytes || walBytes > policy.walBytesMax;
      const fields = { free_bytes: freeBytes, wal_bytes: walBytes };
      if (low && !diskLow) log("warn", "queue.disk_low", fields);
      if (!low && diskLow) log("info", "queue.disk_ok", fields);
      diskLow = low;
    },
    resize(mono) {
      if (mono - sizedAtMono < SIZE_EVERY_MS) return false;
      sizedAtMono = mono;
      bytes = store.size().pendingBytes;
      return true;
    },
    recipients: () => recipients,
    bytes: () => bytes,
  };
}
