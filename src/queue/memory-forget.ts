// How the store in memory forgets finished history: as sqlite-forget.ts does, each message with the last thing that happened to it.
import type { EpochMs } from "../base/clock.ts";
import type { MessageId } from "../mail/id.ts";
import { isFinal } from "../mail/state.ts";
import type { Entry, Image, ImageEvent } from "./memory-image.ts";
import { FORGET_EVENTS, FORGET_STRETCH, type Forgotten } from "./store.ts";

export function createForget(deps: {
  readonly image: Image;
  readonly changed: (undo: () => void) => void;
  readonly remove: (id: MessageId, entry: Entry) => void;
}) {
  const { image, changed, remove } = deps;
  let after: MessageId = 0;

  const setKept = (events: readonly ImageEvent[]): void => {
    const old = [...image.keptEvents];
    changed(() => void image.keptEvents.splice(0, Infinity, ...old));
    image.keptEvents.splice(0, Infinity, ...events);
  };

  const numbersOf = (id: MessageId): number[] =>
    [...image.keptEvents, ...image.events]
      .filter(({ row }) => row.message === id)
      .map(({ row }) => row.seq);

  const lastOf = (id: MessageId): number => {
    const entry = image.messages.get(id);
    if (entry === undefined) return 0;
    return entry.rows.every(({ state }) => isFinal(state.at))
      ? Math.max(...numbersOf(id))
      : Infinity;
  };

  const drop = (id: MessageId): void => {
    remove(id, image.messages.get(id) as Entry);
    if (image.keptEvents.some(({ row }) => row.message === id))
      setKept(image.keptEvents.filter(({ row }) => row.message !== id));
  };

  const sweep = (trimmedTo: number, limit: number): number => {
    const ids = [...image.messages.keys()].filter((id) => id > after).sort((a, b) => a - b);
    const stretch = ids.slice(0, FORGET_STRETCH);
    let gone = 0;
    for (const id of stretch) {
      if (gone === limit) return gone;
      if (Math.min(...numbersOf(id)) > trimmedTo) {
        after = 0;
        return gone;
      }
      after = id;
      if (lastOf(id) > trimmedTo) continue;
      drop(id);
      gone++;
    }
    if (stretch.length < FORGET_STRETCH) after = 0;
    return gone;
  };

  const trim = (count: number): void => {
    const removed = image.events.splice(0, Math.min(count, image.events.length - 1));
    if (removed.length === 0) return;
    changed(() => void image.events.unshift(...removed));
    const kept = removed.filter(({ row }) => image.messages.has(row.message));
    if (kept.length > 0) setKept([...image.keptEvents, ...kept]);
  };

  return function forget(before: EpochMs, limit: number): Forgotten {
    const trimmedTo = (image.events[0]?.row.seq ?? 1) - 1;
    let gone = trimmedTo === 0 ? 0 : sweep(trimmedTo, limit);
    const stretch = image.events.slice(0, limit * FORGET_EVENTS);
    let more = stretch.length === limit * FORGET_EVENTS;
    let met = 0;
    for (const { row } of stretch) {
      if (gone === limit) break;
      if (row.at >= before) {
        more = false;
        break;
      }
      if (lastOf(row.message) === row.seq) {
        drop(row.message);
        gone++;
      }
      met++;
    }
    trim(met);
    return { messages: gone, more: more || gone === limit };
  };
}
