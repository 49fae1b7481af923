// What one API key may do: requests by a token bucket, recipients by the day. Only keys that have a limit have an allowance, so that
// all others cost a request one comparison.
import type { Clock, EpochMs } from "../base/clock.ts";
import type { KeyRate, KeyUse } from "../mail/apiKey.ts";
import type { Problem } from "./problem.ts";

export interface RateLimits {
  readonly rate: KeyRate | null;
  readonly burst: number;
  /** Recipients in a day of UTC; null: any number. */
  readonly dailyQuota: number | null;
  /** How long a request may be kept waiting for its token before it is refused. */
  readonly waitMs: number;
}

/** A problem is a refusal, whose `limit` names what was reached. */
export interface Allowance {
  /** One request. Settles at once, or after a short wait for the token that it was promised. */
  enter(): Problem | undefined | Promise<Problem | undefined>;
  /**
   * The further messages of a batch. A batch that the bucket cannot pay is taken on credit, once: what comes next waits until it
   * is paid back, so the rate holds over time whatever the size of a batch.
   */
  charge(messages: number): Problem | undefined;
  /** Recipients that are about to be handed to the queue. */
  spend(recipients: number): Problem | undefined;
  /** They were not taken after all. */
  refund(recipients: number): void;
  /** What may still be done, as header fields of an answer. */
  headers(): Readonly<Record<string, string>>;
}

export interface Rates extends Allowance {
  /** Other limits from now on; what was used stays used. */
  limit(limits: RateLimits): void;
  /** What has to be written of the quota; `exact` once nothing more is counted. */
  use(exact: boolean): Pick<KeyUse, "day" | "dayUsed">;
}

type RatesClock = Pick<Clock, "now" | "monotonicMs" | "after">;

export interface RatesDeps {
  readonly clock: RatesClock;
  readonly limits: RateLimits;
  readonly used: Pick<KeyUse, "day" | "dayUsed">;
  /**
   * Writes the use. It is on its way to the queue thread before the mail that it counts, and runs there first: a kill makes the
   * count too high by a share of the quota, never too low. Resolves to whether it was written.
   */
  save(use: Pick<KeyUse, "day" | "dayUsed">): Promise<boolean>;
}

const DAY_MS = 86_400_000;
/** Written ahead: one write a fiftieth of the quota, and for large ones a write a thousand recipients. */
const AHEAD_SHARE = 50;
const AHEAD_MAX = 1000;

export function dayOf(now: EpochMs): number {
  return Math.floor(now / DAY_MS);
}

export function createRates({ clock, limits: given, used: before, save }: RatesDeps): Rates {
  let limits = given;
  const bucket = createBucket(clock, () => limits);
  let day = before.day;
  let used = before.dayUsed;
  /** What stands in the database covers so many. */
  let saved = before.dayUsed;

  const turn = (): void => {
    const today = dayOf(clock.now());
    // Set back over midnight, the clock will come to this day again, which must not begin anew.
    if (today === day || today === day - 1) return;
    // Nor may one that was set back further give the quota anew.
    if (today > day) used = 0;
    saved = Math.min(saved, used);
    day = today;
  };
  const aheadOf = (quota: number): number =>
    Math.min(AHEAD_MAX, Math.floor(quota / AHEAD_SHARE), Math.max(0, quota - used));
  const cover = (quota: number): void => {
    if (used <= saved) return;
    const [previous, covered, of] = [saved, used + aheadOf(quota), day];
    saved = covered;
    void save({ day, dayUsed: covered }).then((written) => {
      if (!written && day === of && saved === covered) saved = previous;
    });
  };

  return {
    enter: bucket.enter,
    charge: bucket.charge,
    spend(recipients) {
      const { dailyQuota } = limits;
      if (dailyQuota === null) return undefined;
      turn();
      if (used + recipients > dailyQuota) return spent(dailyQuota, used, leftOfDayS(clock));
      used += recipients;
      cover(dailyQuota);
      return undefined;
    },
    refund(recipients) {
      if (limits.dailyQuota !== null) used = Math.max(0, used - recipients);
    },
    headers() {
      turn();
      return headersOf(limits, bucket.look(), used, clock);
    },
    limit: (next) => void (limits = next),
    use(exact) {
      turn();
      return { day, dayUsed: exact ? used : Math.max(used, saved) };
    },
  };
}

interface Level {
  readonly tokens: number;
  /** Until the bucket is full. */
  readonly fullInS: number;
}

function createBucket(clock: RatesClock, limits: () => RateLimits) {
  let tokens = limits().burst;
  let atMs = clock.monotonicMs();
  const fill = (rate: KeyRate): void => {
    const nowMs = clock.monotonicMs();
    tokens = Math.min(limits().burst, tokens + ((nowMs - atMs) * rate.count) / rate.perMs);
    atMs = nowMs;
  };
  return {
    enter(): Problem | undefined | Promise<Problem | undefined> {
      const { rate, waitMs } = limits();
      if (rate === null) return undefined;
      fill(rate);
      const missingMs = ((1 - tokens) * rate.perMs) / rate.count;
      if (missingMs > waitMs) return tooFast(rate, missingMs);
      // A promised token is taken at once, so that whoever comes later waits behind.
      tokens--;
      if (missingMs <= 0) return undefined;
      return new Promise((resolve) => clock.after(missingMs, () => resolve(undefined)));
    },
    charge(messages: number): Problem | undefined {
      const { rate } = limits();
      if (rate === null || messages <= 0) return undefined;
      fill(rate);
      if (tokens <= -1) return tooFast(rate, ((1 - tokens) * rate.perMs) / rate.count);
      tokens -= messages;
      return undefined;
    },
    look(): Level {
      const { rate, burst } = limits();
      if (rate === null) return { tokens: burst, fullInS: 0 };
      fill(rate);
      return { tokens, fullInS: Math.ceil(((burst - tokens) * rate.perMs) / rate.count / 1000) };
    },
  };
}

function leftOfDayS(clock: Pick<Clock, "now">): number {
  const now = clock.now();
  return Math.ceil(((dayOf(now) + 1) * DAY_MS - now) / 1000);
}

function tooFast(rate: KeyRate, missingMs: number): Problem {
  const retryAfterS = Math.max(1, Math.ceil(missingMs / 1000));
  const per = rate.perMs === 1000 ? "second" : `${rate.perMs / 1000} seconds`;
  return {
    name: "rate_limit_exceeded",
    limit: "key_rate",
    detail: `This API key may make ${rate.count} requests per ${per} (key_rate). Wait ${retryAfterS} s.`,
    retryAfterS,
  };
}

function spent(quota: number, used: number, retryAfterS: number): Problem {
  return {
    name: "daily_quota_exceeded",
    limit: "daily_quota",
    detail: `This API key may send to ${quota} recipients a day; ${used} of them are used. The day ends at midnight UTC.`,
    retryAfterS,
  };
}

/** Resend's three (draft 06 of the IETF's ratelimit headers), and the two of the present draft, which name each policy. */
function headersOf(
  { rate, burst, dailyQuota }: RateLimits,
  { tokens, fullInS }: Level,
  used: number,
  clock: Pick<Clock, "now">,
): Readonly<Record<string, string>> {
  const policies: string[] = [];
  const now: string[] = [];
  const left = Math.max(0, Math.floor(tokens));
  if (rate !== null) {
    const windowS = Math.max(1, Math.ceil((burst * rate.perMs) / rate.count / 1000));
    policies.push(`"key_rate";q=${burst};w=${windowS}`);
    now.push(`"key_rate";r=${left};t=${fullInS}`);
  }
  const quotaLeft = dailyQuota === null ? 0 : Math.max(0, dailyQuota - used);
  if (dailyQuota !== null) {
    policies.push(`"daily_quota";q=${dailyQuota};w=86400`);
    now.push(`"daily_quota";r=${quotaLeft};t=${leftOfDayS(clock)}`);
  }
  if (policies.length === 0) return {};
  return {
    "ratelimit-limit": String(rate === null ? dailyQuota : burst),
    "ratelimit-remaining": String(rate === null ? quotaLeft : left),
    "ratelimit-reset": String(rate === null ? leftOfDayS(clock) : fullInS),
    "ratelimit-policy": policies.join(", "),
    ratelimit: now.join(", "),
  };
}
