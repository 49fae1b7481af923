// The reader's room: answers every question about what is stored, on connections that only read, and keeps search.db.
import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import { type Log, noLog } from "../base/log.ts";
import type { Meter } from "../base/meter.ts";
import { idOf, type MessageId } from "../mail/id.ts";
import type { Answer, Query } from "../mail/query.ts";
import { unreachable } from "../base/unreachable.ts";
import { createDialogues } from "./dialogues.ts";
import { emailView, readBytes, readTexts, settledView } from "./email.ts";
import { expandEvent } from "./events.ts";
import { createFeed } from "./feed.ts";
import { createFollow } from "./follow.ts";
import { type Connection, openIndex, openStoreReadOnly } from "./index-file.ts";
import { createInbox } from "./inbox.ts";
import { createList } from "./list.ts";
import { createSearchMeasure } from "./measure.ts";
import { createQueueView } from "./queue-view.ts";
import { createReports } from "./report.ts";
import { createShape } from "./shape.ts";
import { createStored } from "./stored.ts";
import { createSuppressionViews } from "./suppressions.ts";
import { createWebhookViews } from "./webhooks.ts";

export interface ReaderDeps {
  readonly dataDir: string;
  readonly clock: Pick<Clock, "now"> & Partial<Pick<Clock, "soon">>;
  readonly log?: Log;
}

export interface Reader {
  ask(query: Query): Promise<Answer> | Answer;
  /** One bounded piece of keeping search.db. True: there is more to do at once. */
  follow(): boolean;
  /** How far search.db lags behind, in events. */
  lag(): number;
  /** Brings the gauges up to date, as far as search.db has come: called before the meter is drained. */
  measure(meter: Meter): void;
  close(): void;
}

/** Rows of the event table that one answer holds. */
const EVENTS_MAX = 1000;
/** A list waits for so many events, so that what was just accepted is found; with more behind it answers at once. */
const CATCH_UP_EVENTS = 16_384;

/**
 * The queue must have opened the data folder before: it makes the database and the tag. Throws what `diskFault` knows when there is
 * no room to open the index.
 */
export function createReader({ dataDir, clock, log = noLog }: ReaderDeps): Reader {
  const store = openStoreReadOnly(join(dataDir, "postrider.db"));
  const stored = createStored(store);
  const tag = stored.tag();
  const index = beside(store, () =>
    openIndex(join(dataDir, "search.db"), { tag, lastSeq: stored.eventBounds().last, log }),
  );
  const follow = createFollow({ store, index, stored, tag, log });
  const feed = createFeed(store, stored, tag);
  const report = createReports(index, stored, tag);
  const suppressions = createSuppressionViews(store, tag);
  const webhooks = createWebhookViews(store, tag, feed);
  const list = createList(index.prepare, stored, tag);
  const inbox = createInbox(join(dataDir, "inbox"));
  const rest = (): Promise<void> =>
    new Promise((go) => (clock.soon === undefined ? go() : clock.soon(go)));
  const shape = createShape({ store, index, stored, rest });
  const queue = createQueueView({ store, index, stored, lag: follow.lag });
  const { oldestAges } = queue;
  const measure = createSearchMeasure({ store, index, lag: follow.lag, oldestAges });

  const catchUp = (): void => {
    const lag = follow.lag();
    if (lag > 0 && lag <= CATCH_UP_EVENTS) follow.catchUp(clock.now());
  };

  const email = async (id: MessageId): Promise<Answer> => {
    const message = stored.message(id);
    if (message === undefined) return { kind: "missing" };
    const texts = await readTexts(message, stored, dataDir);
    return { kind: "found", view: emailView(message, stored.recipients(id), { tag, texts }) };
  };

  const events = (id: MessageId, smtp: boolean): Answer => {
    const message = stored.message(id);
    if (message === undefined) return { kind: "missing" };
    // The rows come first: what happens meanwhile then has its step already.
    const rows = stored.eventsOf(id, EVENTS_MAX);
    const recipients = stored.recipients(id);
    const said = smtp ? { dialogueOf: createDialogues(stored, rows, recipients) } : {};
    const told = { message, recipients, tag, ...said };
    const data = rows.flatMap((row) => expandEvent(row, told));
    return {
      kind: "found",
      view: { object: "list", has_more: rows.length === EVENTS_MAX, data },
    };
  };

  const raw = (id: MessageId): Answer => {
    const message = stored.message(id);
    if (message === undefined) return { kind: "missing" };
    const { spool, sizeBytes } = message;
    if (spool !== null) return { kind: "spooled", file: spool, sizeBytes };
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
          return ofMessage(query.id, (id) => events(id, query.smtp === true));
        case "raw":
          return ofMessage(query.id, raw);
        case "settled":
          return { kind: "found", view: query.ids.flatMap((id) => settledView(id, stored, tag)) };
        case "list":
          catchUp();
          return list(query.filter);
        case "feed":
          return { kind: "found", view: stored.atOnce(() => feed(query.feed)) };
        case "report":
          catchUp();
          return report(query.bytes, query.to).then((view) => ({ kind: "found", view }));
        case "suppressions":
          return suppressions.list(query.filter);
        case "suppression":
          return suppressions.one(query.which);
        case "webhookEvents":
          return webhooks.list(query.filter);
        case "webhookEvent":
          return webhooks.one(query.webhook, query.event);
        case "webhookAttempts":
          return webhooks.attempts(query.webhook, query.event);
        case "webhookPending":
          return { kind: "found", view: webhooks.pending(query.webhook) };
        case "backlog":
          return { kind: "found", view: queue.backlog(clock.now()) };
        case "sites":
          return { kind: "found", view: queue.depths(query.names, clock.now()) };
        case "inbox":
          return inbox.list(query.filter);
        case "inboxMessage":
          return inbox.one(query.id);
        case "shape":
          catchUp();
          return shape(query.filter, clock.now()).then((view) => ({ kind: "found", view }));
        case "queue":
          catchUp();
          return { kind: "found", view: queue.view(clock.now()) };
        default:
          return unreachable(query);
      }
    },
    follow: () => follow.step(clock.now()),
    lag: follow.lag,
    measure(meter) {
      measure.tell(meter, clock.now());
    },
    close() {
      index.close();
      store.close();
    },
  };
}

/** Whoever tries again finds nothing open that failed before. */
function beside(store: Connection, open: () => Connection): Connection {
  try {
    return open();
  } catch (error) {
    store.close();
    throw error;
  }
}
