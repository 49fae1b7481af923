// Leases that nobody looks after: at the start those of the process before, and later those that ran out, renewed while their sender
// lives and taken back otherwise.
import type { Instant } from "./duetime.ts";
import type { Flights } from "./flight.ts";
import type { Inbox } from "./inbox.ts";
import type { Turn } from "./launch.ts";
import type { QueuePolicy } from "./policy.ts";
import type { Routes } from "./routing.ts";
import type { Settling } from "./settling.ts";
import type { QueueStore } from "./store.ts";

export interface LeaseSweep {
  start(now: Instant): void;
  hasWork(now: Instant): boolean;
  /** Inside a transaction, behind its batch. */
  run(turn: Turn, batch: Inbox): void;
  committed(): void;
  undo(): void;
  /** Until the next run; Infinity while there are no leases. */
  waitMs(now: Instant): number;
}

export interface LeaseSweepDeps {
  readonly store: Pick<QueueStore, "tally">;
  readonly policy: Pick<QueuePolicy, "leaseMs">;
  readonly flights: Pick<Flights, "leased">;
  readonly routes: Pick<Routes, "claims">;
  readonly settling: Pick<Settling, "orphans" | "overdue">;
  /** What arrived and is in no transaction yet. */
  readonly inbox: Inbox;
}

export function createLeaseSweep(deps: LeaseSweepDeps): LeaseSweep {
  const { store, policy, flights, routes, settling, inbox } = deps;
  let next = { orphans: false, overdueAtMono: 0 };
  /** The same as of the last commit. */
  let stands = next;

  /** By the flights or, when there are none, by the store: a lease that nobody has is looked after too. */
  const isLeasing = (): boolean =>
    flights.leased() > 0 || store.tally().some(({ state }) => state === "sending");

  /** A lease that waits for the DNS, or whose answer has just come, has no flight, and must not be taken for a lost one. */
  const groundedBy = (batch: Inbox): ReadonlySet<number> => {
    const grounded = new Set(routes.claims());
    for (const { candidate } of batch.resolved) grounded.add(candidate.claimed.claim);
    for (const { candidate } of inbox.resolved) grounded.add(candidate.claimed.claim);
    return grounded;
  };

  return {
    start({ mono }) {
      stands = next = { orphans: true, overdueAtMono: mono + policy.leaseMs / 2 };
    },
    hasWork: ({ mono }) => next.orphans || (mono >= next.overdueAtMono && isLeasing()),
    run(turn, batch) {
      let { orphans, overdueAtMono } = next;
      const { mono } = turn.now;
      if (orphans) orphans = settling.orphans(turn);
      if (mono >= overdueAtMono) {
        const more = settling.overdue(turn, groundedBy(batch));
        overdueAtMono = mono + (more ? 0 : policy.leaseMs / 2);
      }
      next = { orphans, overdueAtMono };
    },
    committed() {
      stands = next;
    },
    undo() {
      next = stands;
    },
    waitMs: ({ mono }) => (isLeasing() ? next.overdueAtMono - mono : Infinity),
  };
}
