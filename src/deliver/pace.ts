// What one sender has learned of a site and what it has spent there: the concurrency and two token buckets. It outlives the site's
// connections, and a change of the limits.
import type { Standing } from "../mail/handover.ts";
import type { LimitsInForce, Rate, SiteLimits } from "../route/limits.ts";
import { type Bucket, emptyBucket, fullBucket, takeOne, tokensAt, waitMs } from "./bucket.ts";
import {
  type Concurrency,
  failed,
  fromStanding,
  standingOf,
  startOf,
  succeeded,
  windowOf,
} from "./concurrency.ts";

export interface Pace {
  limits(): SiteLimits;
  from(): LimitsInForce["from"];
  /** New limits hold from now on; what was learned and spent stays. */
  configure(inForce: LimitsInForce): void;
  /** Messages on one connection are a limit of this very site, and not only what is usual. */
  isStrict(): boolean;
  /** It has answered as it should, once. */
  isKnown(): boolean;
  /** How many connections may work now. */
  window(): number;
  /** How long until a connection may be opened, or a message sent; 0: now. */
  connectWaitMs(nowMs: number): number;
  messageWaitMs(nowMs: number): number;
  connecting(nowMs: number): void;
  sending(nowMs: number): void;
  /** The site answered as it should. `usable`: of the window, for the mail that waits. */
  good(at: { readonly busy: number; readonly usable: number; readonly nowMs: number }): void;
  /** It refused us, or could not be reached. */
  bad(at: { readonly busy: number; readonly nowMs: number; readonly lost?: boolean }): void;
  /** What it was found to bear; null: not known. */
  ceiling(): number | null;
  /** What was learned and spent, for the next sender of the site; and what the one before had. */
  handOver(nowMs: number): Standing;
  takeOver(standing: Standing, nowMs: number): void;
}

/** `spentAtMs`: until then somebody else spent, nobody knows how much. */
export function createPace(
  first: LimitsInForce,
  start: number,
  spentAtMs: number | null = null,
): Pace {
  let { limits, from } = first;
  let concurrency: Concurrency = startOf(start);
  let connects: Bucket | null = spentAtMs === null ? null : emptyBucket(spentAtMs);
  let messages: Bucket | null = connects;
  return {
    limits: () => limits,
    from: () => from,
    configure: (next) => void ({ limits, from } = next),
    isStrict: () => from.connectionMessages !== "general",
    isKnown: () => concurrency.lastSuccessMs !== -Infinity,
    window: () => windowOf(concurrency, limits.connections),
    connectWaitMs: (nowMs) =>
      limits.connectRate === null || connects === null
        ? 0
        : waitMs(connects, limits.connectRate, nowMs),
    messageWaitMs: (nowMs) =>
      limits.messageRate === null || messages === null
        ? 0
        : waitMs(messages, limits.messageRate, nowMs),
    connecting(nowMs) {
      const { connectRate } = limits;
      if (connectRate === null) return;
      connects = takeOne(connects ?? fullBucket(connectRate, nowMs), connectRate, nowMs);
    },
    sending(nowMs) {
      const { messageRate } = limits;
      if (messageRate === null) return;
      messages = takeOne(messages ?? fullBucket(messageRate, nowMs), messageRate, nowMs);
    },
    good(at) {
      const limit = limits.connections;
      // The usual case, once a message: it has all that it may.
      if (concurrency.window >= limit && at.nowMs - concurrency.lastSuccessMs < 1000) return;
      concurrency = succeeded(concurrency, { limit, ...at });
    },
    bad: (at) =>
      void (concurrency = failed(concurrency, { limit: limits.connections, usable: 0, ...at })),
    ceiling: () => (concurrency.ceiling === Infinity ? null : concurrency.ceiling),
    handOver: (nowMs) => ({
      ...standingOf(concurrency, nowMs),
      connects: left(connects, limits.connectRate, nowMs),
      messages: left(messages, limits.messageRate, nowMs),
    }),
    takeOver(standing, nowMs) {
      concurrency = fromStanding(standing, nowMs);
      connects = bucketOf(standing.connects, nowMs);
      messages = bucketOf(standing.messages, nowMs);
    },
  };
}

/** Where there is no rate now, what was left when there was one: another change of the settings may bring it back. */
function left(bucket: Bucket | null, rate: Rate | null, nowMs: number): number | null {
  if (bucket === null) return null;
  return rate === null ? bucket.tokens : tokensAt(bucket, rate, nowMs);
}

function bucketOf(tokens: number | null, atMs: number): Bucket | null {
  return tokens === null ? null : { tokens, atMs };
}
