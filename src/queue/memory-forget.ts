// How the store in memory forgets finished history: as sqlite-forget.ts does, message by message and event by event.
import type { EpochMs } from "../base/clock.ts";
import { acceptedAtOf, type MessageId } from "../mail/id.ts";
import { isFinal } from "../mail/state.ts";
import type { Entry, Image, ImageEvent } from "./memory-image.ts";
import { FORGET_EVENTS, FORGET_STRETCH, FORGET_STRETCH_MIN } from "./store.ts";

export function createForget(deps: {
  readonly image: Image;
  readonly changed: (undo: () => void) => void;
  readonly remove: (id: MessageId, entry: Entry) => void;
}) {
  const { image, changed, remove } = deps;
  let after: MessageId = 0;

  const isOwed = (entry: Entry | undefined): boolean =>
    entry?.rows.some(({ state }) => !isFinal(state.at)) ?? false;

  const setOwed = (events: readonly ImageEvent[]): void => {
    const old = [...image.owedEvents];
    changed(() => void image.owedEvents.splice(0, Infinity, ...old));
    image.owedEvents.splice(0, Infinity, ...events);
  };

  const trim = (before: EpochMs, limit: number): void => {
    const rows = image.events.slice(0, limit + 1).slice(0, -1);
    const end = rows.findIndex(({ row }) => row.at >= before);
    const removed = image.events.splice(0, end === -1 ? rows.length : end);
    changed(() => void image.events.unshift(...removed));
    const owed = removed.filter(({ row }) => isOwed(image.messages.get(row.message)));
    if (owed.length > 0) setOwed([...image.owedEvents, ...owed]);
  };

  return function forget(before: EpochMs, limit: number): number {
    const stretch = Math.max(FORGET_STRETCH_MIN, limit * FORGET_STRETCH);
    const ids = [...image.messages.keys()]
      .filter((id) => id > after && acceptedAtOf(id) < before)
      .sort((a, b) => a - b)
      .slice(0, stretch);
    let gone = 0;
    let reached = 0;
    for (const id of ids) {
      if (gone === limit) break;
      reached = id;
      const entry = image.messages.get(id) as Entry;
      if (isOwed(entry)) continue;
      remove(id, entry);
      gone++;
      if (image.owedEvents.some(({ row }) => row.message === id))
        setOwed(image.owedEvents.filter(({ row }) => row.message !== id));
    }
    after = gone < limit && ids.length < stretch ? 0 : reached;
    trim(before, limit * FORGET_EVENTS);
    return gone;
  };
}
