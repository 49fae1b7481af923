// What hosts have shown that they cannot bear, though they offer it. Bounded, and forgotten after a day: servers are mended, and hosts of
// one name are not all alike.
import type { Clock } from "../base/clock.ts";
import type { Offer } from "../smtp/extensions.ts";
import type { TransactionEnd } from "../smtp/transaction.ts";
import { createMemory } from "./memory.ts";

export interface Learned {
  /** What is offered, without what this host does not bear. The same object when nothing is known against it. */
  fit(host: string, offer: Offer): Offer;
  /** A first transaction on a connection went through as it was offered. */
  worked(host: string): void;
  /** True when the host is from now on spoken to in another way, so that a second try makes sense at once. */
  note(host: string, end: Pick<TransactionEnd, "broke" | "fates">): boolean;
}

const BROKEN = { keepMs: 86_400_000, entriesMax: 1000 };

export function createLearned(clock: Pick<Clock, "monotonicMs">): Learned {
  const noPipelining = createMemory(clock, BROKEN);
  const noChunking = createMemory(clock, BROKEN);
  const proven = createMemory(clock, BROKEN);
  let anything = false;
  return {
    fit(host, offer) {
      // Most senders have learned nothing, and this runs for every message.
      if (!anything) return offer;
      const pipelining = offer.pipelining && !noPipelining.has(host);
      const chunking = offer.chunking && !noChunking.has(host);
      if (pipelining === offer.pipelining && chunking === offer.chunking) return offer;
      return { ...offer, pipelining, chunking };
    },
    worked: (host) => proven.add(host),
    note(host, { broke, fates }) {
      if (broke === null) return false;
      // Where groups have been answered before, a hang-up or silence is more likely that of a server that stops. A reply that is missing
      // among others, or one too many, is its own fault all the same.
      const lost = fates.find((fate) => fate.fate === "lost");
      const stopped = lost?.fate === "lost" && (lost.why === "closed" || lost.phase === "mail");
      if (broke === "pipelining" && stopped && proven.has(host)) return false;
      (broke === "pipelining" ? noPipelining : noChunking).add(host);
      anything = true;
      return true;
    },
  };
}
