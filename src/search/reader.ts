// The reader's room: answers every question about what is stored, on connections that only read, and keeps search.db.
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { type Log, noLog } from "../base/log.ts";
import { idOf, type MessageId } from "../mail/id.ts";
import type { Answer, Query } from "../mail/query.ts";
import { unreachable } from "../base/unreachable.ts";
import { emailView, readBytes, readTexts } from "./email.ts";
import { expandEvent } from "./events.ts";
import { createFollow } from "./follow.ts";
import { openIndex, openStoreReadOnly } from "./index-file.ts";
import { createList, createStory } from "./list.ts";
import { createQueueView } from "./queue-view.ts";
import { createStored } from "./stored.ts";

export interface ReaderDeps {
  readonly dataDir: string;
  readonly clock: Pick<Clock, "now">;
  readonly log?: Log;
}

export interface Reader {
  ask(query: Query): Promise<Answer> | Answer;
  /** One bounded piece of keeping search.db. True: there is more to do at once. */
  follow(): boolean;
  /** How far search.db lags behind, in events. */
  lag(): number;
  close(): void;
}

/** Rows of the event table that one answer holds. */
const EVENTS_MAX = 1000;
/** Batches that a list waits for, so that what was just accepted is found. */
const CATCH_UP_BATCHES = 4;

/** The queue must have opened the data folder before: it makes the database and the tag. */
export function createReader({ dataDir, clock, log = noLog }: ReaderDeps): Reader {
  const store = openStoreReadOnly(join(dataDir, "postrider.db"));
  const stored = createStored(store);
  const tag = stored.tag();
  const index = openIndex(join(dataDir, "search.db"), {
    tag,
    lastSeq: stored.eventBounds().last,
    log,
  });
  const follow = createFollow(index, stored, tag);
  const list = createList(index.prepare, stored, tag);
  const story = createStory(index.prepare, stored);
  const queueView = createQueueView({ store, index, stored, lag: follow.lag });

  const catchUp = (): void => {
    for (let i = 0; i < CATCH_UP_BATCHES && follow.lag() > 0; i++) follow.catchUp();
  };

  const email = async (id: MessageId): Promise<Answer> => {
    const message = stored.message(id);
    if (message === undefined) return { kind: "missing" };
    const texts = await readTexts(readBytes(message, stored, dataDir));
    return { kind: "found", view: emailView(message, stored.recipients(id), { tag, texts }) };
  };

  const events = (id: MessageId): Answer => {
    const message = stored.message(id);
    if (message === undefined) return { kind: "missing" };
    // The rows come first: what happens meanwhile then has its step already.
    const rows = story(id, follow.cursor(), EVENTS_MAX);
    const told = { message, recipients: stored.recipients(id), tag };
    const data = rows.flatMap((row) => expandEvent(row, told));
    return {
      kind: "found",
      view: { object: "list", has_more: rows.length === EVENTS_MAX, data },
    };
  };

  const raw = (id: MessageId): Answer => {
    const message = stored.message(id);
    if (message === undefined) return { kind: "missing" };
    const bytes = readBytes(message, stored, dataDir);
    return bytes === undefined ? { kind: "gone" } : { kind: "bytes", bytes };
  };

  const ofMessage = (uuid: string, answer: (id: MessageId) => Promise<Answer> | Answer) => {
    const id = idOf(uuid, tag);
    return id === undefined ? ({ kind: "missing" } as const) : answer(id);
  };

  return {
    ask(query) {
      switch (query.ask) {
        case "email":
          return ofMessage(query.id, email);
        case "events":
          return ofMessage(query.id, events);
        case "raw":
          return ofMessage(query.id, raw);
        case "list":
          catchUp();
          return list(query.filter);
        case "queue":
          catchUp();
          return { kind: "found", view: queueView(clock.now()) };
        default:
          return unreachable(query);
      }
    },
    follow: () => follow.step(clock.now()),
    lag: follow.lag,
    close() {
      index.close();
      store.close();
    },
  };
}
