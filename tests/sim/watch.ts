// The store under watch: its disk fails as the plan says, what stands after a commit is noted, and no verdict may settle a lease that
// is not its own.
import type { MessageId } from "../../src/mail/id.ts";
import { attemptsOf } from "../../src/queue/lifecycle.ts";
import type { CommitFault, MemoryDisk } from "../../src/queue/memory.ts";
import type { QueueStore } from "../../src/queue/store.ts";
import type { FaultRates } from "./plan.ts";

export interface WatchDeps {
  readonly disk: MemoryDisk;
  readonly roll: () => number;
  readonly faults: () => FaultRates;
  readonly trace: (text: string) => void;
  readonly violation: (text: string) => void;
}

export interface Watch {
  /** Opens the disk anew. */
  open(): QueueStore;
  /** Messages whose acceptance stands. */
  readonly committed: ReadonlySet<MessageId>;
  /** Leases whose senders said that the message was taken. */
  readonly delivering: Set<number>;
  /** Leases whose attempt reached nobody, with the attempts that were counted before. */
  readonly uncounted: Map<number, number>;
}

export function createWatch({ disk, roll, faults, trace, violation }: WatchDeps): Watch {
  const committed = new Set<MessageId>();
  const delivering = new Set<number>();
  const uncounted = new Map<number, number>();
  let fresh: MessageId[] = [];

  const drawFault = (): CommitFault | undefined => {
    const { full, ioBefore, ioAfter } = faults();
    if (roll() < full) return "full";
    if (roll() < ioBefore) return "io_before";
    return roll() < ioAfter ? "io_after" : undefined;
  };

  const watched = (store: QueueStore): QueueStore => ({
    ...store,
    transaction(run) {
      const fault = drawFault();
      disk.fail([fault]);
      fresh = [];
      const result = store.transaction(run);
      if (fault === undefined || fault === "io_after") for (const id of fresh) committed.add(id);
      if (fault !== undefined) trace(`commit fails: ${fault}`);
      return result;
    },
    settle(settlement) {
      const { claim, message, n, next } = settlement;
      if (next.at === "delivered" && (claim === null || !delivering.has(claim)))
        violation(`${message} ${n} is settled by the verdict of another lease`);
      const before = claim === null ? undefined : uncounted.get(claim);
      const isLoss = settlement.step?.includes('"released"') === true;
      if (before !== undefined && !isLoss && attemptsOf(next) > before)
        violation(`${message} ${n} is charged an attempt that reached nobody`);
      return store.settle(settlement);
    },
    accept(message) {
      fresh.push(message.head.id);
      store.accept(message);
    },
  });

  return { open: () => watched(disk.open()), committed, delivering, uncounted };
}
