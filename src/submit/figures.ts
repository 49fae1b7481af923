// GET /figures, /figures/stream and /sites: what the dashboard and `postrider top` show. A stream is pulled by its reader: whoever is slow
// gets what it missed with the next event, and whoever takes nothing at all is cut.
import type { Hono } from "hono";
import type { Clock, Timer } from "../base/clock.ts";
import type { FiguresView, SiteFigure } from "../mail/figures.ts";
import { answer } from "./answer.ts";
import type { Guard } from "./guard.ts";
import { badParameter, strangeParameter } from "./parameters.ts";
import { ok, type Problem, problem, type Result } from "./problem.ts";
import { readerBusy } from "./read.ts";

export interface FiguresDesk {
  /** The history from behind this point on; absent: all of it. */
  view(after?: number): Promise<FiguresView>;
  /** True once there is another point; false when there will be none, or nobody waits any more. */
  nextPoint(signal: AbortSignal): Promise<boolean>;
  /** Null: some thread did not answer in time. */
  sites(): Promise<readonly SiteFigure[] | null>;
}

export interface FiguresDeps {
  readonly figures: FiguresDesk;
  readonly clock: Clock;
}

/** Streams that are open at one time. */
const STREAMS_MAX = 100;
/** A client that takes nothing for so long is cut. */
const STALLED_MS = 60_000;
/** What a client waits before it comes again. */
const COME_AGAIN_MS = 1000;
const BUSY_RETRY_S = 5;
const SITES_MAX = 300;
const SITES_SHOWN = 100;

export function addFigures<E extends object>(
  app: Hono<E>,
  deps: FiguresDeps,
  keyed: Guard<E>,
): void {
  const { figures } = deps;
  let streams = 0;
  app.get(
    "/figures",
    keyed(async (request) => ok(answer(request, 200, await figures.view()))),
  );
  app.get(
    "/figures/stream",
    keyed((request) => {
      const after = placeOf(request);
      if (after.kind === "problem") return after;
      if (streams >= STREAMS_MAX) return problem(tooManyStreams);
      streams++;
      const stream = open(deps, {
        after: after.value,
        gone: request.signal,
        ended: () => void streams--,
      });
      const headers = {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      };
      return ok(new Response(stream, { headers }));
    }),
  );
  app.get(
    "/sites",
    keyed(async (request) => {
      const wish = sitesWish(new URL(request.url).searchParams);
      if (wish.kind === "problem") return wish;
      const sites = await figures.sites();
      if (sites === null) return problem(readerBusy);
      const { site, limit } = wish.value;
      const found = site === null ? sites : sites.filter((one) => one.site === site);
      const data = found.slice(0, limit);
      const has_more = found.length > limit;
      return ok(answer(request, 200, { object: "list", has_more, data }));
    }),
  );
}

const tooManyStreams: Problem = {
  name: "busy",
  detail: `${STREAMS_MAX} streams of figures are open already.`,
  retryAfterS: BUSY_RETRY_S,
};

function sitesWish(search: URLSearchParams): Result<{ site: string | null; limit: number }> {
  const unknown = strangeParameter(search, ["site", "limit"]);
  if (unknown !== undefined) return problem(unknown);
  const limit = search.get("limit") ?? String(SITES_SHOWN);
  if (!/^\d{1,3}$/.test(limit) || Number(limit) < 1 || Number(limit) > SITES_MAX)
    return problem(badParameter("limit", `It must be a number from 1 to ${SITES_MAX}.`));
  return ok({ site: search.get("site"), limit: Number(limit) });
}

/** Null: from now on. The header is what a browser sends when it comes again, so it goes before the address that it was first given. */
function placeOf(request: Request): Result<number | null> {
  const search = new URL(request.url).searchParams;
  const unknown = strangeParameter(search, ["after"]);
  if (unknown !== undefined) return problem(unknown);
  const header = request.headers.get("last-event-id");
  const from = header ?? search.get("after");
  if (from === null) return ok(null);
  if (/^\d{1,15}$/.test(from)) return ok(Number(from));
  const name = header === null ? "after" : "Last-Event-ID";
  return problem(badParameter(name, "It is no id of a point."));
}

interface Opening {
  readonly after: number | null;
  readonly gone: AbortSignal;
  readonly ended: () => void;
}

function open({ figures, clock }: FiguresDeps, opening: Opening): ReadableStream<Uint8Array> {
  const text = new TextEncoder();
  const leaving = new AbortController();
  let { after } = opening;
  let stalled: Timer | undefined;
  let begun = false;
  const end = (): void => {
    if (leaving.signal.aborted) return;
    leaving.abort();
    stalled?.cancel();
    opening.ended();
  };
  opening.gone.addEventListener("abort", end, { once: true });
  if (opening.gone.aborted) end();

  /** Null: the daemon ends. */
  const next = async (): Promise<string | null> => {
    if (begun && !(await figures.nextPoint(leaving.signal))) return null;
    const view = await figures.view(after ?? undefined);
    // Who has no place yet begins with the last point.
    const history = after === null ? view.history.slice(-1) : view.history;
    const id = view.now?.id;
    after = id ?? after;
    const words = `data: ${JSON.stringify({ ...view, history })}\n\n`;
    const place = id === undefined ? words : `id: ${id}\n${words}`;
    return begun ? place : `retry: ${COME_AGAIN_MS}\n${place}`;
  };

  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    stalled?.cancel();
    const words = await next();
    begun = true;
    if (leaving.signal.aborted) return;
    if (words === null) {
      end();
      return controller.close();
    }
    controller.enqueue(text.encode(words));
    stalled = clock.after(STALLED_MS, () => {
      end();
      controller.error(new Error("the client takes nothing"));
    });
  };
  return new ReadableStream<Uint8Array>({ pull, cancel: end }, { highWaterMark: 0 });
}
