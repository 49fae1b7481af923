// What an operator's verbs read and what they leave for the next start: walks over what waits, and the pauses.
import type { EpochMs } from "../base/clock.ts";
import { redated } from "../mail/compose/redate.ts";
import type { MessageId } from "../mail/id.ts";
import type { Priority } from "../mail/message.ts";
import { recipientStates, type StateNumber } from "../mail/state.ts";
import type { Prepare } from "./sqlite-open.ts";
import type { Pause, SiteId, Walked, WalkPlace } from "./store.ts";

const COLUMNS = `message, n, address, state, priority, site, due, attempts,
  (SELECT expires FROM message m WHERE m.id = recipient.message)`;
/** As the index `ready` says it. */
const WAITING = "state IN (0, 1, 4)";

export const walkSql = {
  waiting: `SELECT ${COLUMNS} FROM recipient INDEXED BY ready
    WHERE ${WAITING} AND (site, priority, due, message, n) > (?1, ?2, ?3, ?4, ?5)
    ORDER BY site, priority, due, message, n LIMIT ?6`,
  held: `SELECT ${COLUMNS} FROM recipient INDEXED BY held
    WHERE state = 2 AND (message, n) > (?1, ?2) ORDER BY message, n LIMIT ?3`,
} as const;

type Row = [
  message: MessageId,
  n: number,
  address: string,
  state: StateNumber,
  priority: Priority,
  site: SiteId,
  due: EpochMs | null,
  attempts: number,
  expires: EpochMs | null,
];

/** Before all that there is. */
const START: WalkPlace = { site: -1, priority: 0, dueAt: 0, message: 0, n: 0 };

export function createWalk(prepare: Prepare) {
  const waiting = prepare(walkSql.waiting);
  const held = prepare(walkSql.held);
  const put = prepare("INSERT OR REPLACE INTO pause (kind, name, at) VALUES (?1, ?2, ?3)");
  const remove = prepare("DELETE FROM pause WHERE kind = ?1 AND name = ?2");
  const read = prepare("SELECT kind, name, at FROM pause ORDER BY kind, name");
  const postpone = prepare("UPDATE message SET due = ?2 WHERE id = ?1");
  const readBody = prepare(
    "SELECT m.due, b.bytes FROM message m JOIN body b ON b.message = m.id WHERE m.id = ?1",
  );
  const putBody = prepare("UPDATE body SET bytes = ?2 WHERE message = ?1");
  const putSum = prepare("UPDATE message SET sha256 = ?2 WHERE id = ?1");
  return {
    walk(
      which: "waiting" | "held",
      { after, limit }: { readonly after: WalkPlace | null; readonly limit: number },
    ): Walked[] {
      const { site, priority, dueAt, message, n } = after ?? START;
      const rows =
        which === "held"
          ? held.values(message, n, limit)
          : waiting.values(site, priority, dueAt, message, n, limit);
      return (rows as Row[]).map(walkedOf);
    },
    pause: ({ kind, name, at }: Pause) => void put.run(kind, name, at),
    resume: ({ kind, name }: Pick<Pause, "kind" | "name">) => void remove.run(kind, name),
    pauses: (): Pause[] =>
      (read.values() as [Pause["kind"], string, EpochMs][]).map(([kind, name, at]) => ({
        kind,
        name,
        at,
      })),
    reschedule(message: MessageId, dueAt: EpochMs): void {
      const [old, source] = (readBody.values(message)[0] ?? []) as [EpochMs?, Uint8Array?];
      const dated = old === undefined || source === undefined ? null : redated(source, old, dueAt);
      if (dated !== null) {
        putBody.run(message, dated.bytes);
        putSum.run(message, dated.sha256);
      }
      postpone.run(message, dueAt);
    },
  };
}

function walkedOf(row: Row): Walked {
  const [message, n, address, state, priority, site, due, attempts, expiresAt] = row;
  const at = recipientStates[state];
  const dueAt = due ?? 0;
  const place = { site, priority, dueAt, message, n, address, expiresAt };
  switch (at) {
    case "scheduled":
      return { ...place, state: { at, dueAt } };
    case "queued":
    case "deferred":
      return { ...place, state: { at, dueAt, attempts } };
    case "held":
      return { ...place, state: { at, attempts } };
    default:
      throw new Error(`a walk came by a recipient in state ${state}`);
  }
}
