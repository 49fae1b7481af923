// What happened, in the order in which it happened: a page of events from any place on. Each event's JSON is made here, once, whoever
// and how many it is for.
import {
  attemptIdOf,
  type EventRow,
  type EventType,
  eventTypes,
  outcomeIdOf,
  rowBefore,
} from "../mail/event.ts";
import type { FeedEvent, FeedPage } from "../mail/eventView.ts";
import type { HostTag, MessageId } from "../mail/id.ts";
import type { FeedQuery } from "../mail/query.ts";
import { expandEvent, type Told } from "./events.ts";
import type { Connection } from "./index-file.ts";
import type { Stored } from "./stored.ts";

/** Rows that one page looks at, told or not. */
const ROWS_MAX = 2000;
/** Rows that are read in one go, so that a page of few events reads few rows. */
const ROWS_STEP = 250;
/** A page that holds more ends, so that events with much metadata are not held by the thousand. */
const PAGE_BYTES = 500_000;

export const feedSql = {
  before:
    "SELECT seq, message, n, type, at, step FROM event WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2",
  at: "SELECT seq, at FROM event WHERE seq >= ?1 ORDER BY seq LIMIT 1",
} as const;

export function createFeed({ prepare }: Connection, stored: Stored, tag: HostTag) {
  const before = prepare(feedSql.before);
  const at = prepare(feedSql.at);

  /** Messages that are read once a page, since most have several events in it. */
  const createTeller = (types: ReadonlySet<EventType> | null) => {
    const known = new Map<MessageId, Told | null>();
    const toldOf = (id: MessageId): Told | null => {
      let told = known.get(id);
      if (told !== undefined) return told;
      const message = stored.message(id);
      told = message === undefined ? null : { message, recipients: stored.recipients(id), tag };
      known.set(id, told);
      return told;
    };
    const wanted = ({ type, step }: EventRow): boolean =>
      types === null || types.has(type) || (step >= 0 && types.has("email.attempted"));
    return (row: EventRow): FeedEvent[] => {
      const told = wanted(row) ? toldOf(row.message) : null;
      // The message's history was cleared, and its last events stand a little longer.
      if (told === null) return [];
      const { trace } = told.message;
      return expandEvent(row, told)
        .filter(({ type }) => types === null || types.has(type))
        .map((view) => ({
          id: view.id,
          type: view.type,
          email_id: view.data.email_id,
          to: view.data.to,
          ...(trace === null ? {} : { trace }),
          body: JSON.stringify(view),
        }));
    };
  };

  const forward = (
    after: number,
    limit: number,
    types: ReadonlySet<EventType> | null,
  ): FeedPage => {
    const tell = createTeller(types);
    const { wholeFrom } = stored.eventBounds();
    const page = createPage(limit);
    const { events } = page;
    let seq = rowBefore(after);
    const forgotten = wholeFrom > seq + 1 ? outcomeIdOf(wholeFrom - 1) : 0;
    let next = after;
    for (let looked = 0; looked < ROWS_MAX;) {
      const rows = stored.eventsAfter(seq, ROWS_STEP);
      for (const row of rows) {
        for (const event of tell(row)) {
          if (event.id <= after) continue;
          if (page.isFull()) return { events, next, more: true, forgotten };
          page.add(event);
          next = event.id;
        }
        seq = row.seq;
        next = outcomeIdOf(seq);
      }
      if (rows.length < ROWS_STEP) return { events, next, more: false, forgotten };
      looked += rows.length;
    }
    return { events, next, more: true, forgotten };
  };

  /** The last ones below an id, in the same order as forward. */
  const backward = (
    below: number,
    limit: number,
    types: ReadonlySet<EventType> | null,
  ): FeedPage => {
    const tell = createTeller(types);
    const page = createPage(limit);
    const ended = (more: boolean): FeedPage => {
      return { events: page.events.reverse(), next, more, forgotten: 0 };
    };
    let next = below;
    let seq = Math.floor(below / 2) + 1;
    for (let looked = 0; looked < ROWS_MAX;) {
      const rows = (before.values(seq, ROWS_STEP) as Columns[]).map(asRow);
      for (const row of rows) {
        for (const event of tell(row).reverse()) {
          if (event.id >= below) continue;
          if (page.isFull()) return ended(true);
          page.add(event);
          next = event.id;
        }
        seq = row.seq;
        next = Math.min(next, attemptIdOf(seq));
      }
      if (rows.length < ROWS_STEP) return ended(false);
      looked += rows.length;
    }
    return ended(true);
  };

  /** Where the events of an instant begin. Times grow with numbers, but for a clock that was set. */
  const placeOf = (since: number): number => {
    let { first: low, last: high } = stored.eventBounds();
    high++;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const [row] = at.values(middle) as [number, number][];
      if (row !== undefined && row[1] < since) low = Math.max(middle + 1, row[0] + 1);
      else high = middle;
    }
    return outcomeIdOf(Math.max(0, low - 1));
  };

  return function feed({ after, before: below, since, types, limit }: FeedQuery): FeedPage {
    const wanted = types === undefined ? null : new Set(types);
    const end = outcomeIdOf(stored.eventBounds().last);
    if (after !== undefined) return forward(after, limit, wanted);
    if (since !== undefined) return forward(placeOf(since), limit, wanted);
    if (limit === 0) return { events: [], next: end, more: false, forgotten: 0 };
    return backward(Math.min(below ?? Infinity, end + 1), limit, wanted);
  };
}

function createPage(limit: number) {
  const events: FeedEvent[] = [];
  let bytes = 0;
  return {
    events,
    isFull: () => events.length === limit || bytes > PAGE_BYTES,
    add(event: FeedEvent): void {
      events.push(event);
      bytes += event.body.length;
    },
  };
}

type Columns = [number, number, number, number, number, number];

function asRow([seq, message, n, type, at, step]: Columns): EventRow {
  return { seq, message, n, type: eventTypes[type] ?? "email.attempted", at, step };
}
