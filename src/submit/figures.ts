// GET /figures, /figures/stream and /sites: what the dashboard and `postrider top` show.
import type { Hono } from "hono";
import type { Clock } from "../base/clock.ts";
import type { FiguresView, SiteFigure } from "../mail/figures.ts";
import { answer } from "./answer.ts";
import type { Guard } from "./guard.ts";
import { limitOf, strangeParameter } from "./parameters.ts";
import { ok, type Problem, problem, type Result } from "./problem.ts";
import { COME_AGAIN, placeIn, type Pulling, pulledStream } from "./pulledStream.ts";
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
const BUSY_RETRY_S = 5;
const SITES = { usual: 100, max: 300 };

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
      const unknown = strangeParameter(new URL(request.url).searchParams, ["after"]);
      if (unknown !== undefined) return problem(unknown);
      const after = placeIn(request, "a point");
      if (after.kind === "problem") return after;
      if (streams >= STREAMS_MAX) return problem(tooManyStreams);
      streams++;
      return ok(
        pulledStream({
          clock: deps.clock,
          gone: request.signal,
          ended: () => void streams--,
          next: telling(figures, after.value),
        }),
      );
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
  const limit = limitOf(search, SITES);
  if (limit.kind === "problem") return limit;
  return ok({ site: search.get("site"), limit: limit.value });
}

/** Says the next point, and what was missed since `after`; to whoever has no place yet, the last point first. */
function telling(figures: FiguresDesk, from: number | null): Pulling["next"] {
  let after = from;
  let begun = false;
  return async (leaving) => {
    if (begun && !(await figures.nextPoint(leaving))) return null;
    const view = await figures.view(after ?? undefined);
    const history = after === null ? view.history.slice(-1) : view.history;
    const id = view.now?.id;
    after = id ?? after;
    const words = `data: ${JSON.stringify({ ...view, history })}\n\n`;
    const place = id === undefined ? words : `id: ${id}\n${words}`;
    const opening = begun ? "" : COME_AGAIN;
    begun = true;
    return opening + place;
  };
}
