// GET /journal: what the daemon itself went through. GET and POST /log-level: which lines of its log are written at this moment.
import type { Hono } from "hono";
import type { Clock } from "../base/clock.ts";
import { type LogLevels, logLevels, parseLogLevels } from "../base/log.ts";
import { logAreas, logTable } from "../base/logTable.ts";
import type { JournalFilter, JournalView, LogLevelView } from "../mail/journal.ts";
import { answer } from "./answer.ts";
import { badField, readFields } from "./fields.ts";
import type { Guard } from "./guard.ts";
import { badParameter, instantOf, limitOf, strangeParameter } from "./parameters.ts";
import { ok, problem, type Result } from "./problem.ts";

export interface JournalDeps {
  readonly journal: (filter: JournalFilter) => Promise<JournalView>;
  readonly logLevel: {
    view(): LogLevelView;
    /** Null: until a reload or a restart. */
    set(levels: LogLevels, forMs: number | null): LogLevelView;
  };
  readonly clock: Clock;
}

const LINES = { usual: 200, max: 1000 };
const WEEK_S = 7 * 86_400;

export function addJournal<E extends object>(
  app: Hono<E>,
  deps: JournalDeps,
  keyed: Guard<E>,
): void {
  const { clock, journal, logLevel } = deps;
  app.get(
    "/journal",
    keyed(async (request) => {
      const filter = filterOf(new URL(request.url).searchParams);
      if (filter.kind === "problem") return filter;
      return ok(answer(request, 200, await journal(filter.value)));
    }),
  );
  app.get(
    "/log-level",
    keyed((request) => ok(answer(request, 200, logLevel.view()))),
  );
  app.post(
    "/log-level",
    keyed(async (request) => {
      const fields = await readFields(request, clock, ["level", "for_seconds"]);
      if (fields.kind === "problem") return fields;
      const { level, for_seconds: forS = null } = fields.value;
      const levels = typeof level === "string" ? parseLogLevels(level) : undefined;
      if (levels === undefined) return problem(badField("level", ALLOWED));
      if (forS !== null && !isWhole(forS, 1, WEEK_S))
        return problem(badField("for_seconds", `It must be a whole number from 1 to ${WEEK_S}.`));
      return ok(answer(request, 200, logLevel.set(levels, forS === null ? null : forS * 1000)));
    }),
  );
}

const ALLOWED =
  `It must be one of ${logLevels.join(", ")}, and may go on for areas, as in "info,uplink=debug". ` +
  `Areas: ${logAreas.join(", ")}.`;

function isWhole(value: unknown, min: number, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
}

function filterOf(search: URLSearchParams): Result<JournalFilter> {
  const strange = strangeParameter(search, ["since", "until", "event", "limit"], ["event"]);
  if (strange !== undefined) return problem(strange);
  const since = instantOf(search, "since");
  if (since.kind === "problem") return since;
  const until = instantOf(search, "until");
  if (until.kind === "problem") return until;
  const limit = limitOf(search, LINES);
  if (limit.kind === "problem") return limit;
  const events = search.getAll("event").flatMap((text) => text.split(","));
  const unknown = events.find((one) => !isEvent(one));
  if (unknown !== undefined)
    return problem(
      badParameter("event", `It is a key of the log, or an area: ${logAreas.join(", ")}.`),
    );
  return ok({
    ...(since.value === undefined ? {} : { since: since.value }),
    ...(until.value === undefined ? {} : { until: until.value }),
    ...{ events, limit: limit.value },
  });
}

function isEvent(text: string): boolean {
  return logAreas.includes(text) || logTable.some(({ event }) => event === text);
}
