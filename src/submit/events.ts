// GET /events and /events/stream: what happened, in its order.
import type { Hono } from "hono";
import type { Clock } from "../base/clock.ts";
import { soughtAddress } from "../mail/address.ts";
import { type EventType, eventTypes } from "../mail/event.ts";
import type { Feed, FeedEvent, FeedPage } from "../mail/eventView.ts";
import { domainOf } from "../mail/message.ts";
import type { FeedQuery } from "../mail/query.ts";
import { answer } from "./answer.ts";
import type { Guard } from "./guard.ts";
import { wireDomain } from "./operate.ts";
import { badParameter, idOf, instantOf, limitOf, strangeParameter } from "./parameters.ts";
import { type Problem, ok, problem, type Result } from "./problem.ts";
import { COME_AGAIN, placeIn, type Pulling, pulledStream } from "./pulledStream.ts";
import { type Ask, readerBusy } from "./read.ts";

export interface EventDeps {
  readonly ask: Ask;
  readonly feed: Feed;
  readonly clock: Clock;
}

const MAY_REPEAT = ["type"];
/** Streams that are open at one time. */
const STREAMS_MAX = 100;
/** Below the time after which a listener, or a proxy before it, closes a silent connection. */
const KEEP_ALIVE_MS = 5_000;
const BUSY_RETRY_S = 5;

export function addEvents<E extends object>(app: Hono<E>, deps: EventDeps, keyed: Guard<E>): void {
  let streams = 0;
  app.get(
    "/events",
    keyed(async (request) => {
      const wish = listWish(new URL(request.url).searchParams);
      return wish.kind === "problem" ? wish : list(request, deps.ask, wish.value);
    }),
  );
  app.get(
    "/events/stream",
    keyed(async (request) => {
      const wish = streamWish(request);
      if (wish.kind === "problem") return wish;
      if (streams >= STREAMS_MAX) return problem(tooManyStreams);
      // Before anything is waited for: of many that come at once each would find room.
      streams++;
      const end = await deps.feed.end();
      if (end === null) {
        streams--;
        return problem(readerBusy);
      }
      const { after, wants } = wish.value;
      // An id from before a backup was brought back means nothing any more.
      const from = after === null || after > end ? end : after;
      return ok(
        pulledStream({
          clock: deps.clock,
          gone: request.signal,
          ended: () => void streams--,
          next: telling(deps, from, wants),
        }),
      );
    }),
  );
}

const tooManyStreams: Problem = {
  name: "busy",
  detail: `${STREAMS_MAX} streams are open already.`,
  retryAfterS: BUSY_RETRY_S,
};

interface ListWish {
  readonly feed: FeedQuery;
  readonly forward: boolean;
}

async function list(
  request: Request,
  ask: Ask,
  { feed, forward }: ListWish,
): Promise<Result<Response>> {
  const said = await ask({ ask: "feed", feed });
  if (said.kind !== "found") return problem(readerBusy);
  const { events, more, next, forgotten } = said.view as FeedPage;
  const data = events.map(({ body }) => JSON.parse(body) as unknown);
  const cursor = forward ? { next } : { previous: more ? next : null };
  const kept = forgotten === 0 ? {} : { forgotten };
  return ok(answer(request, 200, { object: "list", has_more: more, data, ...cursor, ...kept }));
}

function listWish(search: URLSearchParams): Result<ListWish> {
  const unknown = strangeParameter(
    search,
    ["after", "before", "since", "type", "limit"],
    MAY_REPEAT,
  );
  if (unknown !== undefined) return problem(unknown);
  const types = typesOf(search);
  if (types.kind === "problem") return types;
  const limit = limitOf(search);
  if (limit.kind === "problem") return limit;
  const places = ["after", "before", "since"].filter((name) => search.has(name));
  if (places.length > 1)
    return problem(badParameter(places[1] ?? "", `It cannot be combined with ${places[0]}.`));
  const [place] = places;
  const kinds = types.value === null ? {} : { types: types.value };
  const feed: FeedQuery = { limit: limit.value, ...kinds };
  if (place === undefined) return ok({ feed, forward: false });
  if (place === "since") {
    const since = instantOf(search, "since");
    if (since.kind === "problem") return since;
    return ok({ feed: { ...feed, since: since.value ?? 0 }, forward: true });
  }
  const id = idOf(search.get(place));
  if (id === null) return problem(badParameter(place, "It must be the id of an event."));
  return ok({ feed: { ...feed, [place]: id }, forward: place === "after" });
}

interface StreamWish {
  /** Null: from now on. */
  readonly after: number | null;
  readonly wants: (event: FeedEvent) => boolean;
}

function streamWish(request: Request): Result<StreamWish> {
  const search = new URL(request.url).searchParams;
  const unknown = strangeParameter(
    search,
    ["after", "type", "email_id", "domain", "to"],
    MAY_REPEAT,
  );
  if (unknown !== undefined) return problem(unknown);
  const types = typesOf(search);
  if (types.kind === "problem") return types;
  const after = placeIn(request, "an event");
  if (after.kind === "problem") return after;
  const wanted = types.value === null ? null : new Set(types.value);
  const email = search.get("email_id")?.toLowerCase();
  const to = search.has("to") ? soughtAddress(search.get("to") ?? "") : undefined;
  const domain = search.has("domain") ? wireDomain(search.get("domain") ?? "") : undefined;
  if (domain === "") return problem(badParameter("domain", "It is no domain name."));
  const wants = (event: FeedEvent): boolean =>
    (wanted === null || wanted.has(event.type)) &&
    (email === undefined || event.email_id === email) &&
    (to === undefined || event.to.some((one) => soughtAddress(one) === to)) &&
    (domain === undefined || event.to.some((one) => domainOf(one).toLowerCase() === domain));
  return ok({ after: after.value, wants });
}

/** `?type=delivered,bounced`, also several times, with or without `email.`. */
function typesOf(search: URLSearchParams): Result<readonly EventType[] | null> {
  const named = search.getAll("type").flatMap((text) => text.split(","));
  if (named.length === 0) return ok(null);
  const types: EventType[] = [];
  for (const name of named) {
    const full = name.trim().startsWith("email.") ? name.trim() : `email.${name.trim()}`;
    const type = eventTypes.find((one) => one === full);
    if (type === undefined)
      return problem(badParameter("type", `It must be of ${eventTypes.join(", ")}.`));
    types.push(type);
  }
  return ok(types);
}

/** Says what came after `from`, as soon as there is something, and now and then that it is still there. */
function telling(
  { feed, clock }: Pick<EventDeps, "feed" | "clock">,
  from: number,
  wants: StreamWish["wants"],
): Pulling["next"] {
  let after = from;
  let words = `${COME_AGAIN}: from ${after} on\n\n`;
  let saidAtMs = clock.monotonicMs();

  const written = (page: FeedPage): string => {
    const lost = page.forgotten > after ? `: events up to ${page.forgotten} are gone\n\n` : "";
    const told = page.events.filter(wants);
    after = page.next;
    return lost + told.map(({ id, body }) => `id: ${id}\ndata: ${body}\n\n`).join("");
  };

  return async (leaving) => {
    while (words === "" && !leaving.aborted) {
      const page = await feed.next(after, leaving, KEEP_ALIVE_MS);
      if (page === null) return null;
      words = written(page);
      // What is not told moves on as well: a client that comes again need not be looked through everything once more.
      const isQuiet = clock.monotonicMs() - saidAtMs >= KEEP_ALIVE_MS;
      if (words === "" && isQuiet) words = `: still here\nid: ${after}\n\n`;
    }
    saidAtMs = clock.monotonicMs();
    const said = words;
    words = "";
    return said;
  };
}
