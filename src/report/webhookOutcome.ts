// What a receiver's reply means (Standard Webhooks): 2xx takes the event, 410 ends the subscription, everything else fails.
import type { EpochMs } from "../base/clock.ts";
import type { WebReply } from "../web/client.ts";

export type HookOutcome =
  | { readonly kind: "taken" }
  | { readonly kind: "gone" }
  | {
      readonly kind: "failed";
      /** 0: it asked for no pause. */
      readonly retryAfterMs: number;
    };

/** Too many requests, or a gateway whose server is away: then the whole endpoint rests, if it says how long. */
const RESTING: ReadonlySet<number> = new Set([429, 502, 503, 504]);

export function outcomeOf(reply: WebReply, now: EpochMs): HookOutcome {
  if (reply.kind === "failed") return { kind: "failed", retryAfterMs: 0 };
  const { status, headers } = reply;
  if (status >= 200 && status < 300) return { kind: "taken" };
  if (status === 410) return { kind: "gone" };
  const retryAfter = RESTING.has(status) ? headers.get("retry-after") : undefined;
  return { kind: "failed", retryAfterMs: retryAfter === undefined ? 0 : pauseOf(retryAfter, now) };
}

/** Seconds or a date (RFC 9110 10.2.3), which may be absurd; 0 for neither. */
export function pauseOf(text: string, now: EpochMs): number {
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? 0 : Math.max(0, at - now);
}

/** Of the reply's body that much is kept in the log. */
export const REPLY_BYTES_KEPT = 256;

/** One line for the log: how the reply begins, or why there was none. */
export function wordsOf(reply: WebReply): string {
  if (reply.kind === "failed") return reply.text;
  return Buffer.from(reply.body).toString("utf8").replaceAll("\0", "").slice(0, REPLY_BYTES_KEPT);
}
