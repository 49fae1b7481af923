// Leasing what waits in the store in memory, in the order of sqlite-claim.ts.
import { acceptedAtOf, type MessageId } from "../mail/id.ts";
import { domainOf } from "../mail/message.ts";
import { attemptsOf, type RecipientState } from "./lifecycle.ts";
import { type Entry, type Image, type Row, waitingRows } from "./memory-image.ts";
import type { Claimed, ClaimRequest } from "./store.ts";

export function createClaim(deps: {
  readonly image: Image;
  readonly put: (id: MessageId, entry: Entry) => void;
  readonly nextClaim: () => number;
}) {
  const { image, put, nextClaim } = deps;
  return function claim(request: ClaimRequest): Claimed[] {
    const { site, priority, limit, bytesMax, now, leaseUntil, parked } = request;
    const due = waitingRows(image)
      .filter(({ entry, row }) => row.site === site && entry.head.priority === priority)
      .filter(({ dueAt }) => dueAt <= now)
      .sort((a, b) => a.dueAt - b.dueAt || a.entry.head.id - b.entry.head.id || a.row.n - b.row.n);
    const claimed: Claimed[] = [];
    const counted = new Set<MessageId>();
    let bytes = 0;
    for (const { entry, row } of due.slice(0, limit)) {
      if (bytes >= bytesMax) break;
      const { head } = entry;
      const line = parked?.get(domainOf(row.address));
      if (line !== undefined && line !== site) {
        const stands = image.messages.get(head.id) as Entry;
        const moved = stands.rows.map((one) => (one.n === row.n ? { ...one, site: line } : one));
        put(head.id, { ...stands, rows: moved });
        continue;
      }
      if (!counted.has(head.id)) bytes += head.sizeBytes;
      counted.add(head.id);
      const number = nextClaim();
      const attempts = attemptsOf(row.state);
      const leased: RecipientState = { at: "sending", claim: number, leaseUntil, attempts };
      const current = image.messages.get(head.id) as Entry;
      const rows = current.rows.map((one) => (one.n === row.n ? { ...one, state: leased } : one));
      put(head.id, { ...current, rows });
      claimed.push(claimedOf(entry, row, number));
    }
    return claimed;
  };
}

function claimedOf({ head, spool }: Entry, row: Row & { n: number }, claim: number): Claimed {
  return {
    message: head.id,
    n: row.n,
    address: row.address,
    claim,
    attempts: attemptsOf(row.state),
    site: row.site,
    priority: head.priority,
    from: head.from,
    acceptedAt: Math.max(acceptedAtOf(head.id), head.dueAt),
    expiresAt: head.expiresAt,
    sizeBytes: head.sizeBytes,
    sha256: head.sha256,
    eightBit: head.eightBit,
    utf8: head.utf8,
    dsn: head.dsn,
    capture: head.capture === true,
    requireTls: head.requireTls === true,
    trace: head.trace,
    spool,
  };
}
