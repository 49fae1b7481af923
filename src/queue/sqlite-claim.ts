// Leasing what waits, and finding leases again. All of it runs on the two partial indexes, whatever the history.
import type { EpochMs } from "../base/clock.ts";
import { acceptedAtOf, type MessageId } from "../mail/id.ts";
import { domainOf, type DsnRequest, type Priority } from "../mail/message.ts";
import { stateNumber, type StateNumber } from "../mail/state.ts";
import type { Books } from "./sqlite-books.ts";
import type { Prepare } from "./sqlite-open.ts";
import { EIGHT_BIT, type HeldLeases, UTF8 } from "./sqlite-write.ts";
import type { Claimed, ClaimRequest, Lease, SiteId } from "./store.ts";

/** As the index `ready` says it: the planner takes a partial index only for these very words. */
const WAITING = "state IN (0, 1, 4)";

const READ_READY = `SELECT r.message, r.n, r.address, r.state, r.attempts, r.steps, m.sender, m.expires, m.size,
    m.sha256, m.flags, m.recipients, m.spool, m.dsn, m.capture,
    m.require_tls, m.due, m.trace
  FROM recipient r INDEXED BY ready CROSS JOIN message m ON m.id = r.message
  WHERE ${WAITING} AND r.site = ?1 AND r.priority = ?2 AND r.due <= ?3
  ORDER BY r.due, r.message, r.n LIMIT ?4`;
type Ready = [...Head, ...Tail];
type Head = [
  message: MessageId,
  n: number,
  address: string,
  state: StateNumber,
  attempts: number,
  steps: number,
  from: string,
  expiresAt: EpochMs | null,
  sizeBytes: number,
];
type Tail = [
  sha256: string,
  flags: number,
  recipients: number,
  spool: string | null,
  dsn: string | null,
  capture: number,
  requireTls: number,
  scheduledAt: EpochMs,
  trace: string | null,
];

const LEASE = `UPDATE recipient SET state = ${stateNumber.sending}, due = ?3, claim = ?4
  WHERE message = ?1 AND n = ?2`;

export interface ClaimDeps {
  readonly prepare: Prepare;
  readonly books: Books;
  readonly leases: HeldLeases;
  readonly nextClaim: () => number;
}

export function createClaim({ prepare, books, leases, nextClaim }: ClaimDeps) {
  const readReady = prepare(READ_READY);
  const lease = prepare(LEASE);
  const move = prepare("UPDATE recipient SET site = ?3 WHERE message = ?1 AND n = ?2");

  return function claim(request: ClaimRequest): Claimed[] {
    const { site, priority, limit, bytesMax, now, leaseUntil, parked } = request;
    const rows = readReady.values(site, priority, now, limit) as Ready[];
    const claimed: Claimed[] = [];
    const counted = new Set<MessageId>();
    let bytes = 0;
    for (const row of rows) {
      if (bytes >= bytesMax) break;
      const [message, n, address, state, attempts, steps, from, expiresAt, sizeBytes] = row;
      const [sha256, flags, recipients, spool, dsn, capture, requireTls, scheduledAt, trace] =
        row.slice(9) as Tail;
      const line = parked?.get(domainOf(address));
      if (line !== undefined && line !== site) {
        move.run(message, n, line);
        continue;
      }
      if (!counted.has(message)) bytes += sizeBytes;
      counted.add(message);
      const number = nextClaim();
      lease.run(message, n, leaseUntil, number);
      books.move(state, stateNumber.sending, priority);
      const sending = stateNumber.sending;
      leases.set(number, {
        message,
        n,
        state: sending,
        priority,
        steps,
        recipients,
        sizeBytes,
        spool,
      });
      claimed.push({
        message,
        n,
        address,
        claim: number,
        attempts,
        site,
        priority,
        from,
        acceptedAt: Math.max(acceptedAtOf(message), scheduledAt),
        expiresAt,
        sizeBytes,
        sha256,
        eightBit: (flags & EIGHT_BIT) !== 0,
        utf8: (flags & UTF8) !== 0,
        dsn: dsn === null ? undefined : (JSON.parse(dsn) as DsnRequest),
        capture: capture !== 0,
        requireTls: requireTls !== 0,
        trace: trace ?? undefined,
        spool,
      });
    }
    return claimed;
  };
}

const READ_NEXT_DUE = `SELECT due FROM recipient INDEXED BY ready
  WHERE ${WAITING} AND site = ?1 AND priority = ?2 ORDER BY due LIMIT 1`;
const READ_NEXT_SITE = `SELECT site FROM recipient INDEXED BY ready
  WHERE ${WAITING} AND site > ?1 ORDER BY site LIMIT 1`;
const READ_LEASES = `SELECT message, n, claim, due, attempts, site, priority FROM recipient INDEXED BY leased
  WHERE state = 3 AND (claim <= ?1 OR due < ?2) ORDER BY message, n LIMIT ?3`;

export function createWaiting(prepare: Prepare) {
  const readNextDue = prepare(READ_NEXT_DUE);
  const readNextSite = prepare(READ_NEXT_SITE);
  const readLeases = prepare(READ_LEASES);
  return {
    nextDue(site: SiteId, priority: Priority): EpochMs | undefined {
      return (readNextDue.values(site, priority)[0] as [number] | undefined)?.[0];
    },
    /** One seek a site: the rows of a site are skipped, not counted. */
    sitesWaiting(): SiteId[] {
      const sites: SiteId[] = [];
      for (let last = -1; ;) {
        const row = readNextSite.values(last)[0] as [number] | undefined;
        if (row === undefined) return sites;
        last = row[0];
        sites.push(last);
      }
    },
    leases(options: { claimMax: number; now: EpochMs; limit: number }): Lease[] {
      const rows = readLeases.values(options.claimMax, options.now, options.limit) as [
        MessageId,
        number,
        number,
        EpochMs,
        number,
        SiteId,
        Priority,
      ][];
      return rows.map(([message, n, claim, leaseUntil, attempts, site, priority]) => ({
        message,
        n,
        claim,
        leaseUntil,
        attempts,
        site,
        priority,
      }));
    },
  };
}
