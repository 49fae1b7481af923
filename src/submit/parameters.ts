// The query of an address, read alike by every list.
import type { EpochMs } from "../base/clock.ts";
import { ok, type Problem, problem, type Result } from "./problem.ts";
import { INSTANT_FORM, readInstant } from "./schedule.ts";

/** Rows of a page: where nothing is said, and at most. */
export interface PageLimits {
  readonly usual: number;
  readonly max: number;
}

export const pageLimits: PageLimits = { usual: 20, max: 100 };
const PARAMETER_MAX = 1024;
/** How much of a wrong name is told back. */
const SHOWN_MAX = 60;

/** A parameter that is not known, or not meant, is refused: it would silently tell more than was asked for. */
export function strangeParameter(
  search: URLSearchParams,
  known: readonly string[],
  repeated: readonly string[] = [],
): Problem | undefined {
  const seen = new Set<string>();
  for (const [name, value] of search) {
    if (!known.includes(name))
      return badParameter(name, `It is not known; known: ${known.join(", ") || "none"}.`);
    if (value.length > PARAMETER_MAX) return badParameter(name, "It is too long.");
    if (seen.has(name) && !repeated.includes(name))
      return badParameter(name, "It is given more than once.");
    seen.add(name);
  }
  return undefined;
}

/** They say themselves what they know of it; to /metrics a collector says what it likes. */
const READ_THEIR_QUERY: ReadonlySet<string> = new Set([
  "GET /metrics",
  ...["GET /api-keys", "GET /dns/lookup", "GET /domains", "GET /emails", "GET /emails/:id/events"],
  ...["GET /events", "GET /events/stream", "GET /figures/stream", "GET /inbox", "GET /journal"],
  ...["GET /queue/ages", "GET /sites", "GET /suppressions", "GET /trace", "GET /webhooks"],
  ...["GET /webhooks/:id/events", "POST /reports"],
]);

/** Of a route that reads no query. */
export function strangeQuery(
  { method, url }: Pick<Request, "method" | "url">,
  route: string,
): Problem | undefined {
  const at = url.indexOf("?");
  if (at < 0 || READ_THEIR_QUERY.has(`${method} ${route}`)) return undefined;
  return strangeParameter(new URLSearchParams(url.slice(at)), []);
}

/** How many rows one page has. */
export function limitOf(
  search: URLSearchParams,
  { usual, max }: PageLimits = pageLimits,
): Result<number> {
  const text = search.get("limit");
  if (text === null) return ok(usual);
  const limit = idOf(text) ?? 0;
  if (limit >= 1 && limit <= max) return ok(limit);
  return problem(badParameter("limit", `It must be a number from 1 to ${max}.`));
}

/** Digits only: Number() would also take "1e1", " 5 " and "0x10". */
export function idOf(text: string | null): number | null {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** Undefined: it is not given. */
export function instantOf(search: URLSearchParams, name: string): Result<EpochMs | undefined> {
  const text = search.get(name);
  if (text === null) return ok(undefined);
  const at = readInstant(text);
  return Number.isNaN(at) ? problem(badParameter(name, INSTANT_FORM)) : ok(at);
}

export function badParameter(name: string, detail: string): Problem {
  const shown = name.slice(0, SHOWN_MAX);
  return {
    name: "validation_error",
    detail: `The parameter ${JSON.stringify(shown)} is not valid. ${detail}`,
    faults: [{ pointer: `?${shown}`, code: "invalid_value", detail }],
  };
}
