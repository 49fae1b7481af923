// How finished history goes: message by message, and event by event but for those of what is owed. A bounded stretch at a time.
import type { EpochMs } from "../base/clock.ts";
import { IDS_PER_MS, type MessageId } from "../mail/id.ts";
import type { Priority } from "../mail/message.ts";
import { FIRST_FINAL, type StateNumber } from "../mail/state.ts";
import type { Books } from "./sqlite-books.ts";
import type { Graves } from "./sqlite-dead.ts";
import type { Prepare } from "./sqlite-open.ts";
import { FORGET_EVENTS, FORGET_STRETCH, FORGET_STRETCH_MIN } from "./store.ts";

const READ_STRETCH = `SELECT m.id, m.event,
    (SELECT count(*) FROM recipient r WHERE r.message = m.id AND r.state < ${FIRST_FINAL}) AS open
  FROM message m WHERE m.id > ?1 AND m.id < ?2 ORDER BY m.id LIMIT ?3`;

export function createForget(prepare: Prepare, books: Books, graves: Pick<Graves, "clear">) {
  const readStretch = prepare(READ_STRETCH);
  const readRecipients = prepare(
    "SELECT state, priority, events FROM recipient WHERE message = ?1",
  );
  const deleteRecipients = prepare("DELETE FROM recipient WHERE message = ?1");
  const deleteMessage = prepare("DELETE FROM message WHERE id = ?1");
  const trims = createTrims(prepare);
  // The last message that was looked at; 0 starts again from the oldest.
  let after: MessageId = 0;

  const remove = (message: MessageId, accepted: number, trimmedTo: number): void => {
    const rows = readRecipients.values(message) as [StateNumber, Priority, string][];
    for (const [state, priority] of rows) books.move(state, null, priority);
    if (accepted <= trimmedTo)
      for (const text of [String(accepted), ...rows.map(([, , events]) => events)])
        for (const seq of text.split(",")) trims.removeKept(Number(seq), trimmedTo);
    graves.clear(message);
    deleteRecipients.run(message);
    deleteMessage.run(message);
  };

  return function forget(before: EpochMs, limit: number): number {
    const stretch = Math.max(FORGET_STRETCH_MIN, limit * FORGET_STRETCH);
    const rows = readStretch.values(after, before * IDS_PER_MS, stretch) as Looked[];
    const trimmedTo = trims.reached();
    let gone = 0;
    let reached = 0;
    for (const [message, accepted, open] of rows) {
      if (gone === limit) break;
      reached = message;
      if (open > 0) continue;
      remove(message, accepted, trimmedTo);
      gone++;
    }
    // A short stretch came to its end: the next call starts from the oldest again.
    after = gone < limit && rows.length < stretch ? 0 : reached;
    trims.go(before, trimmedTo, limit * FORGET_EVENTS);
    return gone;
  };
}

type Looked = [message: MessageId, accepted: number, open: number];

/** Up to here events were trimmed: what still stands there is of messages that are owed. Beyond it there are no gaps. */
export const TRIMMED_TO =
  "(SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'events_trimmed_to')";

/** Removes events in the order of their numbers, but for those of messages that are owed: they go with their message. */
function createTrims(prepare: Prepare) {
  const readReached = prepare(`SELECT coalesce(${TRIMMED_TO}, 0)`);
  const putReached = prepare(
    "INSERT OR REPLACE INTO meta (key, value) VALUES ('events_trimmed_to', ?1)",
  );
  const readEvents = prepare("SELECT seq, at FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2");
  const deleteEvents = prepare(`DELETE FROM event WHERE seq > ?1 AND seq <= ?2 AND NOT EXISTS
    (SELECT 1 FROM recipient r WHERE r.message = event.message AND r.state < ${FIRST_FINAL})`);
  const deleteDialogues = prepare(`DELETE FROM dialogue WHERE event > ?1 AND event <= ?2
    AND NOT EXISTS (SELECT 1 FROM event e WHERE e.seq = dialogue.event)`);
  const deleteEvent = prepare("DELETE FROM event WHERE seq = ?1");
  const deleteDialogue = prepare("DELETE FROM dialogue WHERE event = ?1");
  return {
    reached: () => (readReached.values()[0] as [number])[0],
    /** Of a message that goes: those that were passed over. */
    removeKept(seq: number, trimmedTo: number): void {
      if (seq === 0 || seq > trimmedTo) return;
      deleteEvent.run(seq);
      deleteDialogue.run(seq);
    },
    go(before: EpochMs, trimmedTo: number, limit: number): void {
      const rows = readEvents.values(trimmedTo, limit + 1) as [number, EpochMs][];
      let last = 0;
      // The numbering goes on from the last event: it stays, whatever its age.
      for (const [seq, at] of rows.slice(0, -1)) {
        if (at >= before) break;
        last = seq;
      }
      if (last === 0) return;
      deleteEvents.run(trimmedTo, last);
      deleteDialogues.run(trimmedTo, last);
      putReached.run(String(last));
    },
  };
}
