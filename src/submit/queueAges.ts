// GET /queue/ages: the shape of the queue, by site or domain and by age.
import type { Hono } from "hono";
import type { ShapeFilter } from "../mail/shape.ts";
import { FIRST_FINAL, recipientStates, type StateName } from "../mail/state.ts";
import type { Guard } from "./guard.ts";
import { badParameter, limitOf, strangeParameter } from "./parameters.ts";
import { ok, problem, type Result } from "./problem.ts";
import { type Ask, answerQuery } from "./read.ts";
import type { Spool } from "./spool.ts";

export interface QueueAgesDeps {
  readonly ask: Ask;
  readonly spool: Pick<Spool, "read">;
}

const waiting: readonly StateName[] = recipientStates.slice(0, FIRST_FINAL);

export function addQueueAges<E extends object>(
  app: Hono<E>,
  deps: QueueAgesDeps,
  keyed: Guard<E>,
): void {
  app.get(
    "/queue/ages",
    keyed((request) => {
      const filter = filterOf(new URL(request.url).searchParams);
      if (filter.kind === "problem") return filter;
      return answerQuery(request, deps, { ask: "shape", filter: filter.value });
    }),
  );
}

function filterOf(search: URLSearchParams): Result<ShapeFilter> {
  const strange = strangeParameter(search, ["by", "state", "limit"]);
  if (strange !== undefined) return problem(strange);
  const limit = limitOf(search);
  if (limit.kind === "problem") return limit;
  const by = search.get("by") ?? "site";
  if (by !== "site" && by !== "domain")
    return problem(badParameter("by", "It must be site or domain."));
  const state = search.get("state");
  const known = waiting.find((one) => one === state);
  if (state !== null && known === undefined)
    return problem(badParameter("state", `It must be one of ${waiting.join(", ")}.`));
  return ok({ by, limit: limit.value, ...(known === undefined ? {} : { state: known }) });
}
