// GET /queue: counts that the queue keeps anyway, and a bounded look at each site that waits.
import { type EpochMs, iso } from "../base/clock.ts";
import { acceptedAtOf, type MessageId } from "../mail/id.ts";
import { priorities, type Priority } from "../mail/message.ts";
import type { PauseKind, QueueView, SiteBacklog, SiteDepth } from "../mail/query.ts";
import { stateNumber } from "../mail/state.ts";
import { unpackTimeline } from "../mail/timeline.ts";
import { lastWord } from "./events.ts";
import { type Connection, termKey } from "./index-file.ts";
import type { Stored } from "./stored.ts";

const SITES_MAX = 200;
/** Of all sites in one question: each row is a look into the table, 10 us of this thread, for which all others wait. */
const COUNTED_MAX = 20_000;
/** What an operator paused is few; beyond so many the first are shown. */
const PAUSES_SHOWN_MAX = 1000;
/** Messages of the index that are looked at for the oldest that should have left: stale rows, scheduled and held ones are skipped. */
const OPEN_LOOKED_MAX = 500;

const WAITING = "state IN (0, 1, 4)";

export const queueSql = {
  nextSite: `SELECT site FROM recipient INDEXED BY ready WHERE ${WAITING} AND site > ?1 ORDER BY site LIMIT 1`,
  waiting: `SELECT count(*), min(message), sum(state = 0), sum(state = 1), sum(state = 4) FROM
    (SELECT message, state FROM recipient INDEXED BY ready WHERE ${WAITING} AND site = ?1 LIMIT ?2)`,
  next: `SELECT due, timeline FROM recipient INDEXED BY ready
    WHERE ${WAITING} AND site = ?1 AND priority = ?2 ORDER BY due LIMIT 1`,
  siteName: "SELECT name FROM site WHERE id = ?1",
  siteId: "SELECT id FROM site WHERE name = ?1",
  pauses: `SELECT kind, name, at FROM pause WHERE (kind, name) > ('', '')
    ORDER BY kind, name LIMIT ${PAUSES_SHOWN_MAX}`,
  open: `SELECT message FROM term WHERE key = ?1 ORDER BY message LIMIT ${OPEN_LOOKED_MAX}`,
  due: "SELECT due FROM message WHERE id = ?1",
} as const;

/** Neither scheduled for later nor held by somebody. */
const OWED_BITS =
  (1 << stateNumber.queued) | (1 << stateNumber.sending) | (1 << stateNumber.deferred);

interface Waiting {
  readonly count: number;
  /** Of those that were counted. */
  readonly oldest: MessageId | null;
  /** Null: there may be more than were counted. */
  readonly states: SiteBacklog["states"];
}

export interface QueueViewDeps {
  readonly store: Connection;
  readonly index: Connection;
  readonly stored: Stored;
  readonly lag: () => number;
  /** What waits is counted up to so many rows. */
  readonly countedMax?: number;
}

export function createQueueView(deps: QueueViewDeps) {
  const { store, index, stored, lag, countedMax = COUNTED_MAX } = deps;
  const nextSite = store.prepare(queueSql.nextSite);
  const waiting = store.prepare(queueSql.waiting);
  const next = store.prepare(queueSql.next);
  const siteName = store.prepare(queueSql.siteName);
  const siteId = store.prepare(queueSql.siteId);
  const pauses = store.prepare(queueSql.pauses);
  const open = index.prepare(queueSql.open);
  const due = store.prepare(queueSql.due);

  const oldestAge = (priority: Priority, now: EpochMs): number | null => {
    let since = Infinity;
    for (const [id] of open.values(termKey("open", String(priority))) as [MessageId][]) {
      const acceptedAt = acceptedAtOf(id);
      // None behind it is older.
      if (acceptedAt >= since) break;
      if ((stored.stateBits(id) & OWED_BITS) === 0) continue;
      const [row] = due.values(id) as [EpochMs][];
      since = Math.min(since, Math.max(acceptedAt, row?.[0] ?? 0));
    }
    return since === Infinity ? null : Math.max(0, Math.floor((now - since) / 1000));
  };

  const oldestAges = (now: EpochMs): QueueView["oldest_age_seconds"] => ({
    p0: oldestAge(0, now),
    p1: oldestAge(1, now),
    p2: oldestAge(2, now),
  });

  const countUpTo = (site: number, limit: number): Waiting => {
    const [row] = waiting.values(site, limit) as [number, MessageId | null, ...(number | null)[]][];
    const [count = 0, oldest = null, scheduled, queued, deferred] = row ?? [];
    const states = { scheduled: scheduled ?? 0, queued: queued ?? 0, deferred: deferred ?? 0 };
    return { count, oldest, states: count < limit ? states : null };
  };

  /** Each has an equal share of what may be counted, and what some do not need is for those that have more. */
  const countEach = (sites: readonly number[]): Waiting[] => {
    const share = Math.ceil(countedMax / Math.max(1, sites.length));
    const counts = sites.map((site) => countUpTo(site, share));
    const left = counts.reduce((rest, { count }) => rest - count, countedMax);
    const large = counts.filter(({ states }) => states === null).length;
    const more = Math.floor(left / Math.max(1, large));
    if (more <= 0) return counts;
    return counts.map((one, i) =>
      one.states === null ? countUpTo(sites[i] ?? 0, share + more) : one,
    );
  };

  const siteView = (site: number, { count, oldest }: Waiting, now: EpochMs): SiteDepth => {
    const heads = priorities.flatMap(
      (priority) => next.values(site, priority) as [EpochMs, string][],
    );
    const [first] = heads.sort((a, b) => a[0] - b[0]);
    const tried = heads.find(([, timeline]) => timeline !== "");
    const last = tried === undefined ? undefined : unpackTimeline(tried[1]).at(-1);
    return {
      site: (siteName.values(site)[0] as [string] | undefined)?.[0] ?? "",
      waiting: count,
      oldest_age_seconds:
        oldest === null ? null : Math.max(0, Math.floor((now - acceptedAtOf(oldest)) / 1000)),
      next_attempt_at: first === undefined ? null : iso(first[0]),
      last_error: last === undefined ? null : lastWord(last),
    };
  };

  const walk = (
    now: EpochMs,
    see: (depth: SiteDepth, states: SiteBacklog["states"]) => void,
  ): void => {
    const sites: number[] = [];
    for (let last = -1; sites.length < SITES_MAX;) {
      const row = nextSite.values(last)[0] as [number] | undefined;
      if (row === undefined) break;
      last = row[0];
      sites.push(last);
    }
    const counts = countEach(sites);
    sites.forEach((site, i) => {
      const one = counts[i];
      if (one !== undefined) see(siteView(site, one, now), one.states);
    });
  };

  const backlog = (now: EpochMs): SiteBacklog[] => {
    const sites: SiteBacklog[] = [];
    walk(now, (depth, states) => sites.push({ ...depth, at_least: states === null, states }));
    return sites;
  };

  const view = (now: EpochMs): QueueView => {
    const sites: SiteDepth[] = [];
    walk(now, (depth) => void sites.push(depth));
    return {
      object: "queue",
      counts: stored.tally().map((row) => ({ ...row, priority: `p${row.priority}` as const })),
      oldest_age_seconds: oldestAges(now),
      sites,
      paused: (pauses.values() as [PauseKind, string, EpochMs][]).map(([kind, name, at]) => ({
        ...{ kind, name, since: iso(at) },
      })),
      search_lag: lag(),
    };
  };

  const depths = (names: readonly string[], now: EpochMs): SiteDepth[] =>
    names.flatMap((name) => {
      const [row] = siteId.values(name) as [number][];
      if (row === undefined) return [];
      return [siteView(row[0], countUpTo(row[0], countedMax), now)];
    });

  return { view, backlog, depths, oldestAges };
}
