// GET /queue: counts that the queue keeps anyway, and a bounded look at each site that waits.
import { type EpochMs, iso } from "../base/clock.ts";
import { acceptedAtOf, type MessageId } from "../mail/id.ts";
import { priorities, type Priority } from "../mail/message.ts";
import type { QueueView, SiteBacklog, SiteDepth } from "../mail/query.ts";
import { stateNumber } from "../mail/state.ts";
import { unpackTimeline } from "../mail/timeline.ts";
import { lastWord } from "./events.ts";
import { type Connection, termKey } from "./index-file.ts";
import type { Stored } from "./stored.ts";

const SITES_MAX = 200;
/** A site with more is shown as having so many: counting a million would hold up every other question. */
const WAITING_COUNTED_MAX = 20_000;
/** Each costs a look at its row: so many of one site, and so many of all in one question. */
const STATES_COUNTED_MAX = 2000;
const STATES_COUNTED_ALL_MAX = 50_000;
/** What an operator paused is few; beyond so many the first are shown. */
const PAUSES_SHOWN_MAX = 1000;
/** Messages of the index that are looked at for the oldest that should have left: stale rows, scheduled and held ones are skipped. */
const OPEN_LOOKED_MAX = 500;

const WAITING = "state IN (0, 1, 4)";

export const queueSql = {
  nextSite: `SELECT site FROM recipient INDEXED BY ready WHERE ${WAITING} AND site > ?1 ORDER BY site LIMIT 1`,
  waiting: `SELECT count(*), min(message) FROM
    (SELECT message FROM recipient INDEXED BY ready WHERE ${WAITING} AND site = ?1 LIMIT ${WAITING_COUNTED_MAX})`,
  next: `SELECT due, timeline FROM recipient INDEXED BY ready
    WHERE ${WAITING} AND site = ?1 AND priority = ?2 ORDER BY due LIMIT 1`,
  states: `SELECT sum(state = 0), sum(state = 1), sum(state = 4) FROM recipient INDEXED BY ready
    WHERE ${WAITING} AND site = ?1`,
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

type Paused = QueueView["paused"][number];

export interface QueueViewDeps {
  readonly store: Connection;
  readonly index: Connection;
  readonly stored: Stored;
  readonly lag: () => number;
}

export function createQueueView({ store, index, stored, lag }: QueueViewDeps) {
  const nextSite = store.prepare(queueSql.nextSite);
  const waiting = store.prepare(queueSql.waiting);
  const next = store.prepare(queueSql.next);
  const states = store.prepare(queueSql.states);
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

  const siteView = (site: number, now: EpochMs): SiteDepth => {
    const [count, oldest] = waiting.values(site)[0] as [number, MessageId | null];
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

  const walk = (now: EpochMs, see: (site: number, depth: SiteDepth) => void): void => {
    for (let [last, seen] = [-1, 0]; seen < SITES_MAX; seen++) {
      const row = nextSite.values(last)[0] as [number] | undefined;
      if (row === undefined) break;
      last = row[0];
      see(last, siteView(last, now));
    }
  };

  const statesOf = (site: number): SiteBacklog["states"] => {
    const [counts] = states.values(site) as (number | null)[][];
    const [scheduled, queued, deferred] = counts ?? [];
    return { scheduled: scheduled ?? 0, queued: queued ?? 0, deferred: deferred ?? 0 };
  };

  const backlog = (now: EpochMs): SiteBacklog[] => {
    const sites: SiteBacklog[] = [];
    let left = STATES_COUNTED_ALL_MAX;
    walk(now, (site, depth) => {
      const { waiting: count } = depth;
      const isSmall = count <= Math.min(STATES_COUNTED_MAX, left);
      if (isSmall) left -= count;
      const at_least = count >= WAITING_COUNTED_MAX;
      sites.push({ ...depth, at_least, states: isSmall ? statesOf(site) : null });
    });
    return sites;
  };

  const view = (now: EpochMs): QueueView => {
    const sites: SiteDepth[] = [];
    walk(now, (_, depth) => void sites.push(depth));
    return {
      object: "queue",
      counts: stored.tally().map((row) => ({ ...row, priority: `p${row.priority}` as const })),
      oldest_age_seconds: oldestAges(now),
      sites,
      paused: (pauses.values() as [Paused["kind"], string, EpochMs][]).map(([kind, name, at]) => ({
        ...{ kind, name, since: iso(at) },
      })),
      search_lag: lag(),
    };
  };

  const depths = (names: readonly string[], now: EpochMs): SiteDepth[] =>
    names.flatMap((name) => {
      const [row] = siteId.values(name) as [number][];
      return row === undefined ? [] : [siteView(row[0], now)];
    });

  return { view, backlog, depths, oldestAges };
}
