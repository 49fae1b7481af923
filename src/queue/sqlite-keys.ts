// API keys in SQLite.
import {
  type KeyRecord,
  type KeyTerms,
  parseKeyRate,
  type Scope,
  showKeyRate,
} from "../mail/apiKey.ts";
import type { KeyStore } from "./keys.ts";
import type { Prepare } from "./sqlite-open.ts";

interface Row {
  readonly number: number;
  readonly id: string;
  readonly name: string;
  readonly digest: string;
  readonly scopes: string;
  readonly domains: string | null;
  readonly rate: string | null;
  readonly burst: number | null;
  readonly quota: number | null;
  readonly depth: number | null;
  readonly expires: number | null;
  readonly capture: number;
  readonly created: number;
  readonly used: number | null;
  readonly day: number;
  readonly day_used: number;
}

export function createKeys(prepare: Prepare): KeyStore {
  const read = prepare("SELECT * FROM api_key ORDER BY number");
  const insert = prepare(`INSERT INTO api_key
    (name, scopes, domains, rate, burst, quota, depth, expires, capture, id, digest, created)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) RETURNING number`);
  const change = prepare(`UPDATE api_key SET name = ?1, scopes = ?2, domains = ?3, rate = ?4,
    burst = ?5, quota = ?6, depth = ?7, expires = ?8, capture = ?9 WHERE number = ?10`);
  const remove = prepare("DELETE FROM api_key WHERE number = ?1");
  const use = prepare(`UPDATE api_key SET used = max(coalesce(used, 0), ?2),
    day = ?3, day_used = ?4 WHERE number = ?1`);
  const keyOf = prepare("SELECT key FROM message WHERE id = ?1");
  return {
    keyOf: (message) => (keyOf.values(message) as [number][])[0]?.[0] ?? 0,
    keys: () => (read.all() as Row[]).map(recordOf),
    addKey(key) {
      const { id, digest, createdAt } = key;
      const [row] = insert.values(...termsOf(key), id, digest, createdAt) as [[number]];
      return row[0];
    },
    changeKey: (number, terms) => void change.run(...termsOf(terms), number),
    removeKey: (number) => void remove.run(number),
    useKeys(uses) {
      for (const { number, lastUsedAt, day, dayUsed } of uses)
        use.run(number, lastUsedAt ?? 0, day, dayUsed);
    },
  };
}

function termsOf(terms: KeyTerms) {
  return [
    terms.name,
    JSON.stringify(terms.scopes),
    terms.domains === null ? null : JSON.stringify(terms.domains),
    terms.rate === null ? null : showKeyRate(terms.rate),
    terms.burst,
    terms.dailyQuota,
    terms.queueMax,
    terms.expiresAt,
    terms.capture ? 1 : 0,
  ] as const;
}

function recordOf(row: Row): KeyRecord {
  return {
    number: row.number,
    id: row.id,
    name: row.name,
    digest: row.digest,
    scopes: JSON.parse(row.scopes) as Scope[],
    domains: row.domains === null ? null : (JSON.parse(row.domains) as string[]),
    rate: row.rate === null ? null : (parseKeyRate(row.rate) ?? null),
    burst: row.burst,
    dailyQuota: row.quota,
    queueMax: row.depth,
    expiresAt: row.expires,
    capture: row.capture === 1,
    createdAt: row.created,
    lastUsedAt: row.used === 0 ? null : row.used,
    day: row.day,
    dayUsed: row.day_used,
  };
}
