// The API keys as the door knows them: the first key of the settings and those of the queue thread's book, each with its caller and
// its allowance. It outlives a reload, so that no count begins anew.
import type { Clock, Timer } from "../base/clock.ts";
import type { KeyRate, KeyRecord, KeyUse } from "../mail/apiKey.ts";
import type { KeyCommand, Order } from "../mail/command.ts";
import type { Accept, AcceptAnswer } from "../mail/submission.ts";
import { type ApiKey, digestOf } from "./auth.ts";
import { owner } from "./caller.ts";
import { createRates, type RateLimits, type Rates } from "./rates.ts";

/** What the settings say of all keys. */
export interface KeySettings {
  readonly firstKey: string;
  readonly rate: KeyRate | null;
  readonly burst: number;
  readonly waitMs: number;
}

export interface KeyBook {
  /** The same list until something changes. */
  keys(): readonly ApiKey[];
  /** All but the first key, as they are now. */
  records(): readonly KeyRecord[];
  /** The queue thread's book, whenever it has changed. */
  heard(records: readonly KeyRecord[]): void;
  configure(settings: KeySettings): void;
  /** Counts recipients for the quotas of their keys, and takes no mail of keys that are dead, whatever door it comes by. */
  account(accept: Accept): Accept;
  /** Writes what was counted, to the last recipient, and ends. */
  close(): Promise<void>;
}

/** How often it is looked which keys were used. */
const LOOK_MS = 60_000;
const HOUR_MS = 3_600_000;

interface Entry {
  readonly record: KeyRecord;
  readonly key: ApiKey;
  readonly use: { recent: boolean };
  readonly rates: Rates | undefined;
}

export function createKeyBook(deps: {
  readonly clock: Pick<Clock, "now" | "monotonicMs" | "after">;
  readonly order: Order;
  readonly records: readonly KeyRecord[];
  readonly settings: KeySettings;
}): KeyBook {
  const { clock, order } = deps;
  let { settings } = deps;
  let entries = new Map<number, Entry>();
  let first = firstEntry(undefined);
  let keys: readonly ApiKey[] = [];

  function firstEntry(old: Rates | undefined): { key: ApiKey; rates: Rates | undefined } {
    const limits = limitsOf(settings, null);
    const rates = ratesOf(old, limits, { day: 0, dayUsed: 0 }, () => Promise.resolve(true));
    const caller = rates === undefined ? owner : { ...owner, allowance: rates };
    return { key: { id: "first", digest: digestOf(settings.firstKey), caller }, rates };
  }

  function ratesOf(
    old: Rates | undefined,
    limits: RateLimits,
    used: Pick<KeyUse, "day" | "dayUsed">,
    save: Parameters<typeof createRates>[0]["save"],
  ): Rates | undefined {
    if (limits.rate === null && limits.dailyQuota === null) return undefined;
    if (old === undefined) return createRates({ clock, limits, used, save });
    old.limit(limits);
    return old;
  }

  const told = async (uses: readonly KeyUse[]): Promise<boolean> =>
    (await order({ do: "keys.used", uses } satisfies KeyCommand)).kind === "done";

  const entryOf = (record: KeyRecord): Entry => {
    const { number } = record;
    const old = entries.get(number);
    const save: Parameters<typeof createRates>[0]["save"] = (use) =>
      told([{ number, lastUsedAt: null, ...use }]);
    const rates = ratesOf(old?.rates, limitsOf(settings, record), record, save);
    const use = old?.use ?? { recent: false };
    const { id, domains, capture, expiresAt } = record;
    const scopes = new Set(record.scopes);
    const caller = { key: number, scopes, domains, capture, allowance: rates };
    const digest = Buffer.from(record.digest, "base64url");
    return { record, key: { id, digest, caller, expiresAt, use }, use, rates };
  };
  const rebuild = (records: readonly KeyRecord[]): void => {
    entries = new Map(records.map((record) => [record.number, entryOf(record)]));
    keys = [first.key, ...[...entries.values()].map(({ key }) => key)];
  };

  /** The hour of the last use, and the exact count of the day when it is the last word. */
  const uses = (last: boolean): KeyUse[] => {
    const hourAt = Math.floor(clock.now() / HOUR_MS) * HOUR_MS;
    const changed: KeyUse[] = [];
    for (const { record, use, rates } of entries.values()) {
      const isNew = use.recent && (record.lastUsedAt ?? 0) < hourAt;
      use.recent = false;
      if (!isNew && !(last && rates !== undefined)) continue;
      const { day, dayUsed } = rates?.use(last) ?? record;
      changed.push({ number: record.number, lastUsedAt: isNew ? hourAt : null, day, dayUsed });
    }
    return changed;
  };
  const look = (): void => {
    const changed = uses(false);
    if (changed.length > 0) void told(changed).then((written) => written && seen(changed));
    timer = clock.after(LOOK_MS, look);
  };
  /** Remembered here too, or each look would write the same again. */
  const seen = (changed: readonly KeyUse[]): void => {
    for (const { number, lastUsedAt } of changed) {
      const entry = entries.get(number);
      if (entry !== undefined && lastUsedAt !== null)
        entries.set(number, { ...entry, record: { ...entry.record, lastUsedAt } });
    }
  };
  let timer: Timer = clock.after(LOOK_MS, look);
  rebuild(deps.records);
  return {
    keys: () => keys,
    records: () =>
      [...entries.values()].map(({ record, rates }) => ({
        ...record,
        ...rates?.use(true),
      })),
    heard: rebuild,
    configure(next) {
      settings = next;
      first = firstEntry(first.rates);
      rebuild([...entries.values()].map(({ record }) => record));
    },
    account: (accept) => (messages, once) => {
      const number = messages[0]?.head.key ?? owner.key;
      // The first key, and who sends from this host without one.
      if (number <= owner.key) return accept(messages, once);
      // A body may take minutes to come, and its key be revoked meanwhile.
      const entry = entries.get(number);
      if (entry === undefined || !entry.key.caller.scopes.has("send")) return revoked;
      const { rates } = entry;
      return rates === undefined ? accept(messages, once) : spend(rates, accept, messages, once);
    },
    async close() {
      timer.cancel();
      const changed = uses(true);
      if (changed.length > 0) await told(changed);
    },
  };
}

const revoked = Promise.resolve<AcceptAnswer>({ kind: "revoked" });

async function spend(rates: Rates, accept: Accept, ...call: Parameters<Accept>) {
  let recipients = 0;
  for (const { head } of call[0]) recipients += head.recipients.length;
  const spent = rates.spend(recipients);
  if (spent !== undefined) {
    const { retryAfterS = 1 } = spent;
    return { kind: "refused", why: "daily_quota_exceeded", retryAfterS } as const;
  }
  const said = await accept(...call);
  // A request that was stored before is not sent again, and counts no second time.
  if (said.kind !== "accepted") rates.refund(recipients);
  return said;
}

function limitsOf({ rate, burst, waitMs }: KeySettings, own: KeyRecord | null): RateLimits {
  return {
    rate: own?.rate ?? rate,
    burst: own?.burst ?? burst,
    dailyQuota: own?.dailyQuota ?? null,
    waitMs,
  };
}
