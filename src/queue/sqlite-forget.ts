// How finished history goes: in the order in which things happened, each message as a whole with the last thing that happened to it. What was
// accepted long ago and ended a moment ago is the newest of all. A bounded stretch at a time.
import type { EpochMs } from "../base/clock.ts";
import type { MessageId } from "../mail/id.ts";
import type { Priority } from "../mail/message.ts";
import { FIRST_FINAL, type StateNumber } from "../mail/state.ts";
import type { Books } from "./sqlite-books.ts";
import type { Graves } from "./sqlite-dead.ts";
import type { Prepare } from "./sqlite-open.ts";
import { FORGET_EVENTS, FORGET_STRETCH, type Forgotten } from "./store.ts";

/** Up to here events were trimmed: what still stands there is of messages that are kept. Beyond it there are no gaps. */
export const TRIMMED_TO =
  "(SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'events_trimmed_to')";

type EventColumns = [seq: number, message: MessageId, at: EpochMs];
type RecipientColumns = [state: StateNumber, priority: Priority, events: string];

export function createForget(prepare: Prepare, books: Books, graves: Pick<Graves, "clear">) {
  const readReached = prepare(`SELECT coalesce(${TRIMMED_TO}, 0)`);
  const readEvents = prepare(
    "SELECT seq, message, at FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2",
  );
  const readMessages = prepare("SELECT id, event FROM message WHERE id > ?1 ORDER BY id LIMIT ?2");
  const lastOf = createLastOf(prepare);
  const remove = createRemove(prepare, books, graves);
  const trim = createTrim(prepare);
  /** The last message that was looked at; 0 starts again from the oldest. */
  let after: MessageId = 0;

  /** Finished without an event, or left behind by an older version: nothing that is still to be met speaks of it. */
  const sweep = (trimmedTo: number, limit: number): number => {
    const rows = readMessages.values(after, FORGET_STRETCH) as [MessageId, number][];
    let gone = 0;
    for (const [message, accepted] of rows) {
      if (gone === limit) return gone;
      if (accepted > trimmedTo) {
        after = 0;
        return gone;
      }
      after = message;
      if (lastOf(message) > trimmedTo) continue;
      remove(message, trimmedTo);
      gone++;
    }
    if (rows.length < FORGET_STRETCH) after = 0;
    return gone;
  };

  return function forget(before: EpochMs, limit: number): Forgotten {
    const [trimmedTo] = readReached.values()[0] as [number];
    let gone = trimmedTo === 0 ? 0 : sweep(trimmedTo, limit);
    const stretch = limit * FORGET_EVENTS;
    const rows = readEvents.values(trimmedTo, stretch) as EventColumns[];
    let more = rows.length === stretch;
    const lasts = new Map<MessageId, number>();
    let reached = trimmedTo;
    for (const [seq, message, at] of rows) {
      if (gone === limit) break;
      if (at >= before) {
        more = false;
        break;
      }
      const last = lasts.get(message) ?? lastOf(message);
      lasts.set(message, last);
      if (last === seq) {
        remove(message, trimmedTo);
        gone++;
      }
      reached = seq;
    }
    trim(trimmedTo, Math.min(reached, books.lastSeq() - 1));
    return { messages: gone, more: more || gone === limit };
  };
}

const READ_ACCEPTED = "SELECT event FROM message WHERE id = ?1";
const READ_RECIPIENTS = "SELECT state, priority, events FROM recipient WHERE message = ?1";

/** The last event of a message: infinity while it is owed, 0 when it is gone. Plain reads take a fifth of what one that adds up takes. */
function createLastOf(prepare: Prepare): (message: MessageId) => number {
  // What is owed is met in each round, and may have a thousand recipients.
  const readOwed = prepare(
    `SELECT 1 FROM recipient WHERE message = ?1 AND state < ${FIRST_FINAL} LIMIT 1`,
  );
  const readAccepted = prepare(READ_ACCEPTED);
  const readRecipients = prepare(READ_RECIPIENTS);
  return (message) => {
    if (readOwed.values(message).length > 0) return Infinity;
    const [accepted] = (readAccepted.values(message) as [number][])[0] ?? [0];
    let last = accepted;
    for (const [, , events] of readRecipients.values(message) as RecipientColumns[])
      last = Math.max(last, Number(events.slice(events.lastIndexOf(",") + 1)));
    return last;
  };
}

function createRemove(prepare: Prepare, books: Books, graves: Pick<Graves, "clear">) {
  const readAccepted = prepare(READ_ACCEPTED);
  const readRecipients = prepare(READ_RECIPIENTS);
  const deleteRecipients = prepare("DELETE FROM recipient WHERE message = ?1");
  const deleteMessage = prepare("DELETE FROM message WHERE id = ?1");
  const deleteEvent = prepare("DELETE FROM event WHERE seq = ?1");
  const deleteDialogue = prepare("DELETE FROM dialogue WHERE event = ?1");
  return (message: MessageId, trimmedTo: number): void => {
    const [accepted] = readAccepted.values(message)[0] as [number];
    const rows = readRecipients.values(message) as RecipientColumns[];
    for (const [state, priority] of rows) books.move(state, null, priority);
    // Those that were passed over, while it was kept.
    if (accepted <= trimmedTo)
      for (const text of [String(accepted), ...rows.map(([, , events]) => events)])
        for (const seq of text.split(",").map(Number)) {
          if (seq === 0 || seq > trimmedTo) continue;
          deleteEvent.run(seq);
          deleteDialogue.run(seq);
        }
    graves.clear(message);
    deleteRecipients.run(message);
    deleteMessage.run(message);
  };
}

/** Removes events in the order of their numbers, but for those of messages that are kept. The last of all must stay: the numbering goes on from it. */
function createTrim(prepare: Prepare) {
  const putReached = prepare(
    "INSERT OR REPLACE INTO meta (key, value) VALUES ('events_trimmed_to', ?1)",
  );
  const deleteEvents = prepare(`DELETE FROM event WHERE seq > ?1 AND seq <= ?2
    AND NOT EXISTS (SELECT 1 FROM message m WHERE m.id = event.message)`);
  const deleteDialogues = prepare(`DELETE FROM dialogue WHERE event > ?1 AND event <= ?2
    AND NOT EXISTS (SELECT 1 FROM event e WHERE e.seq = dialogue.event)`);
  return (from: number, to: number): void => {
    if (to <= from) return;
    deleteEvents.run(from, to);
    deleteDialogues.run(from, to);
    putReached.run(String(to));
  };
}
