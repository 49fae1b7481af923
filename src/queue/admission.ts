// How much is owed, and whether more may be taken: a queue, a disk and a daemon that is about to end each refuse in their own words,
// and each takes mail again by itself (DESIGN 6).
import type { Log } from "../base/log.ts";
import type { Priority } from "../mail/message.ts";
import { isFinal } from "../mail/state.ts";
import type { AcceptAnswer, Refusal, Submission } from "../mail/submission.ts";
import type { KeyDepths } from "./depths.ts";
import type { QueuePolicy } from "./policy.ts";
import type { Pressure } from "./queue.ts";
import type { QueueStore } from "./store.ts";

export interface Admission {
  /** Counts what the store holds. */
  start(): void;
  /** Undefined: it may come in. A call counts as its least urgent message. */
  refusalOf(messages: readonly Submission[]): Refused | undefined;
  /** Why nothing at all may come in at this moment; null: something may. */
  standing(): Refusal | null;
  accepted(messages: readonly Submission[]): void;
  /** So many are owed again. */
  reopened(recipients: number): void;
  /** So many recipients became final. */
  ended(recipients: number): void;
  pressure(pressure: Pressure): void;
  /** Asks the store for what it holds, now and then. True when it did. */
  resize(mono: number): boolean;
  recipients(): number;
  bytes(): number;
}

/** With the name of the limit where that is not the one that the door says of itself. */
export type Refused = Pick<Extract<AcceptAnswer, { kind: "refused" }>, "why" | "limit">;

const SIZE_EVERY_MS = 500;

/**
 * The share of the queue that a priority may fill: the last fifth is kept for mail that is not bulk, the last twentieth for mail
 * that a person waits for. Without it one large mailing would keep out every code and receipt until it is sent.
 */
const kept: Readonly<Record<Priority, number>> = { 0: 0, 1: 1 / 20, 2: 1 / 5 };

function mostOf(limit: number, priority: Priority): number {
  return limit - Math.floor(limit * kept[priority]);
}

export function createAdmission(
  store: QueueStore,
  policy: QueuePolicy,
  log: Log,
  depths?: Pick<KeyDepths, "isFull">,
): Admission {
  let recipients = 0;
  let bytes = 0;
  let diskLow = false;
  let sizedAtMono = -Infinity;
  const measure = (): void => {
    recipients = 0;
    for (const row of store.tally()) if (!isFinal(row.state)) recipients += row.recipients;
    bytes = store.size().pendingBytes;
  };
  return {
    start: measure,
    refusalOf(messages) {
      if (diskLow) return { why: "disk_low" };
      let moreRecipients = 0;
      let moreBytes = 0;
      let priority: Priority = 0;
      for (const { head } of messages) {
        moreRecipients += head.recipients.length;
        moreBytes += head.sizeBytes;
        if (head.priority > priority) priority = head.priority;
      }
      if (recipients + moreRecipients > mostOf(policy.queueMessagesMax, priority))
        return { why: "queue_full" };
      if (bytes + moreBytes > mostOf(policy.queueBytesMax, priority))
        return { why: "queue_full", limit: "queue_max_bytes" };
      if (depths?.isFull(messages) === true) return { why: "queue_full", limit: "queue_max" };
      return undefined;
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
      // The store counts in the transactions that change it, so no slip of ours lasts.
      measure();
      return true;
    },
    recipients: () => recipients,
    bytes: () => bytes,
  };
}
