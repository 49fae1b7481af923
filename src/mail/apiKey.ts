// API keys as the queue thread keeps them and the door knows them. A token itself is shown once and kept nowhere.
import type { EpochMs } from "../base/clock.ts";

/** What a key may be used for: submit mail, see what became of it, change anything. */
export type Scope = "send" | "read" | "manage";
export const scopes = ["send", "read", "manage"] as const satisfies readonly Scope[];

/** So many within so long. */
export interface KeyRate {
  readonly count: number;
  readonly perMs: number;
}

/** What can be said of a key, at first and later; null: no limit of its own. */
export interface KeyTerms {
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Sender domains in wire form, their subdomains included; null: all. */
  readonly domains: readonly string[] | null;
  /** Requests, a batch counted by its messages. */
  readonly rate: KeyRate | null;
  readonly burst: number | null;
  /** Recipients in a day of UTC. */
  readonly dailyQuota: number | null;
  /** Recipients that it may have in the queue at a time. */
  readonly queueMax: number | null;
  readonly expiresAt: EpochMs | null;
  /** Nothing that it sends leaves the host. */
  readonly capture: boolean;
}

export interface NewKey extends KeyTerms {
  readonly id: string;
  /** SHA-256 of the token, base64url. */
  readonly digest: string;
  readonly createdAt: EpochMs;
}

export interface KeyRecord extends NewKey {
  /** Never given twice; 0 is the first key, which is no record. */
  readonly number: number;
  /** To the hour. */
  readonly lastUsedAt: EpochMs | null;
  /** Recipients that count for the quota of `day`: as many or a few more than there were. */
  readonly day: number;
  readonly dayUsed: number;
}

/** All of them are told to the door whenever one changes. */
export const KEYS_MAX = 1000;

/** What a key was used for, told now and then. */
export interface KeyUse {
  readonly number: number;
  readonly lastUsedAt: EpochMs | null;
  readonly day: number;
  readonly dayUsed: number;
}

const units: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `5/s`, `100/m`, `1000/h`, `20000/d`, as the settings write them. */
export function parseKeyRate(text: string): KeyRate | undefined {
  const match = /^(\d{1,9})\/([smhd])$/.exec(text);
  const perMs = units[match?.[2] ?? ""];
  const count = Number(match?.[1]);
  return match === null || perMs === undefined || count === 0 ? undefined : { count, perMs };
}

export function showKeyRate({ count, perMs }: KeyRate): string {
  const unit = Object.keys(units).find((name) => units[name] === perMs);
  return `${count}/${unit ?? "?"}`;
}

/** As the API shows it. */
export interface KeyView {
  readonly object: "api_key";
  readonly id: string;
  readonly name: string;
  readonly permission: "full_access" | "sending_access" | null;
  readonly scopes: readonly string[];
  readonly domains: readonly string[] | null;
  readonly rate: string | null;
  readonly burst: number | null;
  readonly daily_quota: number | null;
  readonly used_today: number | null;
  readonly queue_max: number | null;
  readonly capture: boolean;
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly expired: boolean;
  readonly last_used_at: string | null;
}
