// Mail that gave up. Its bytes stay for a while, so that an operator who has mended what was wrong can send it again; nothing of this is
// met by mail that is delivered.
import type { EpochMs } from "../base/clock.ts";
import { eventNumber } from "../mail/event.ts";
import type { MessageId } from "../mail/id.ts";
import type { Priority } from "../mail/message.ts";
import { FIRST_FINAL, stateNumber, type StateNumber } from "../mail/state.ts";
import type { Books } from "./sqlite-books.ts";
import type { Prepare } from "./sqlite-open.ts";
import { type Held, INSERT_EVENT } from "./sqlite-write.ts";
import type { Keeping, Reopening } from "./store.ts";

export interface Graves {
  keep(keeping: Keeping): void;
  /** The last recipient of the message has just become `final`: whether its bytes stay. */
  takes(held: Held, final: StateNumber): boolean;
  bury(held: Held, at: EpochMs): void;
  reopen(reopening: Reopening): boolean;
  fade(before: EpochMs, limit: number): number;
  /** The message is being forgotten, and whatever is kept of it goes along. */
  clear(message: MessageId): void;
}

const { bounced, expired, queued } = stateNumber;
const DEAD = `state IN (${bounced}, ${expired})`;

const READ_DEAD = `SELECT 1 FROM recipient WHERE message = ?1 AND ${DEAD} LIMIT 1`;
const READ_OPEN = `SELECT 1 FROM recipient WHERE message = ?1 AND state < ${FIRST_FINAL} LIMIT 1`;
const READ_LETTER = `SELECT r.state, r.priority, r.steps, m.size
  FROM recipient r JOIN message m ON m.id = r.message
  WHERE r.message = ?1 AND r.n = ?2 AND r.${DEAD}
    AND (m.spool IS NOT NULL OR EXISTS (SELECT 1 FROM body b WHERE b.message = m.id))`;
const REOPEN = `UPDATE recipient
  SET state = ${queued}, due = ?3, attempts = 0, steps = steps + 1, timeline = timeline || ?4,
    events = events || ?5
  WHERE message = ?1 AND n = ?2`;

export function createGraves(prepare: Prepare, books: Books): Graves {
  const readDead = prepare(READ_DEAD);
  const readOpen = prepare(READ_OPEN);
  const readLetter = prepare(READ_LETTER);
  const reopenRow = prepare(REOPEN);
  const prolong = prepare("UPDATE message SET expires = ?2 WHERE id = ?1");
  const insertDead = prepare("INSERT INTO dead (message, until, size) VALUES (?1, ?2, ?3)");
  const readSize = prepare("SELECT size FROM dead WHERE message = ?1");
  const deleteDead = prepare("DELETE FROM dead WHERE message = ?1");
  const readFading = prepare("SELECT message FROM dead WHERE until < ?1 ORDER BY until LIMIT ?2");
  const deleteBody = prepare("DELETE FROM body WHERE message = ?1");
  const readSpool = prepare("SELECT spool FROM message WHERE id = ?1");
  const forgetSpool = prepare("UPDATE message SET spool = NULL WHERE id = ?1");
  const insertEvent = prepare(INSERT_EVENT);
  let keeping: Keeping = { deadMs: 0, all: false };

  const unbury = (message: MessageId): void => {
    const [row] = readSize.values(message) as [number][];
    if (row === undefined) return;
    deleteDead.run(message);
    books.keep(-row[0]);
  };

  const dropBytes = (message: MessageId): void => {
    deleteBody.run(message);
    const [spool] = readSpool.values(message)[0] as [string | null];
    if (spool === null) return;
    forgetSpool.run(message);
    books.drop(spool);
  };

  return {
    keep: (next) => void (keeping = next),
    takes({ message, recipients }, final) {
      if (keeping.all) return true;
      if (keeping.deadMs === 0) return false;
      if (final === bounced || final === expired) return true;
      return recipients > 1 && readDead.values(message).length > 0;
    },
    bury({ message, sizeBytes }, at) {
      const until = keeping.all ? Number.MAX_SAFE_INTEGER : at + keeping.deadMs;
      insertDead.run(message, until, sizeBytes);
      books.keep(sizeBytes);
    },
    reopen({ message, n, dueAt, expiresAt, step, at }) {
      const [letter] = readLetter.values(message, n) as [
        [state: StateNumber, priority: Priority, steps: number, sizeBytes: number] | undefined,
      ];
      if (letter === undefined) return false;
      const [state, priority, steps, sizeBytes] = letter;
      if (readOpen.values(message).length === 0) {
        unbury(message);
        books.owe(sizeBytes);
      }
      const seq = books.nextSeq();
      reopenRow.run(message, n, dueAt, steps === 0 ? step : `,${step}`, `,${seq}`);
      prolong.run(message, expiresAt);
      books.move(state, queued, priority);
      insertEvent.run(seq, message, n, eventNumber["email.requeued"], at, steps);
      return true;
    },
    fade(before, limit) {
      const letters = readFading.values(before, limit) as [MessageId][];
      for (const [message] of letters) {
        unbury(message);
        dropBytes(message);
      }
      return letters.length;
    },
    clear(message) {
      unbury(message);
      dropBytes(message);
    },
  };
}
