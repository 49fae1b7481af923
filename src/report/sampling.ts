// Which attempts have a trace that leaves this host. The share is decided by the message, not by a roll, so that every thread, and every
// attempt days later, decides alike; what went wrong, or was slow, is always told, since it is known by the time that anything is.
import { IDS_PER_MS, type MessageId } from "../mail/id.ts";
import { unpackTraceContext } from "../mail/traceContext.ts";
import type { Verdict } from "../mail/verdict.ts";

export interface Sampling {
  /** 0 to 1. */
  readonly share: number;
  readonly slowMs: number;
}

/** Why a trace is kept, as its spans say it. `caller`: the request's own trace is recorded; `retry`: what came before it is told. */
export type KeptWhy = "share" | "caller" | "error" | "slow" | "retry";

/** By share, or as whoever sent the request decided for the whole trace. */
export function isSampled(message: MessageId, trace: string | null, share: number): boolean {
  if (trace !== null) return unpackTraceContext(trace).sampled;
  return share > 0 && spread(message) < share;
}

const WORD = 4_294_967_296;

/** From 0 to 1, as good as drawn (MurmurHash3's finalizer): neighbours in time lie far apart. */
function spread(message: MessageId): number {
  let bits = (message >>> 0) ^ Math.imul(Math.floor(message / WORD), 0x9e3779b1);
  // The counter within a millisecond fills the lower bits, so that they are mixed with those of the time first.
  bits ^= Math.imul(message % IDS_PER_MS, 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return ((bits ^ (bits >>> 16)) >>> 0) / WORD;
}

export interface Ended {
  readonly verdict: Pick<Verdict, "message" | "kind" | "doubt">;
  readonly trace: string | null;
  /** Attempts that ended before this one. */
  readonly attempts: number;
  /** With the server. */
  readonly tookMs: number;
}

/** Undefined: it is not kept. What was given back untried is no attempt. */
export function keptWhy(
  { verdict, trace, attempts, tookMs }: Ended,
  { share, slowMs }: Sampling,
): KeptWhy | undefined {
  if (verdict.kind === "interrupted") return undefined;
  if (verdict.kind !== "delivered" || verdict.doubt) return "error";
  if (isSampled(verdict.message, trace, share)) return trace === null ? "share" : "caller";
  if (tookMs >= slowMs) return "slow";
  return attempts > 0 ? "retry" : undefined;
}
