// The query of an address, read alike by every list.
import { ok, type Problem, problem, type Result } from "./problem.ts";

const LIMIT_DEFAULT = 20;
const LIMIT_MAX = 100;
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
      return badParameter(name, `It is not known; known: ${known.join(", ")}.`);
    if (value.length > PARAMETER_MAX) return badParameter(name, "It is too long.");
    if (seen.has(name) && !repeated.includes(name))
      return badParameter(name, "It is given more than once.");
    seen.add(name);
  }
  return undefined;
}

/** How many rows one page has. */
export function limitOf(search: URLSearchParams, usual = LIMIT_DEFAULT): Result<number> {
  const text = search.get("limit");
  if (text === null) return ok(usual);
  // Digits only: Number() would also take "1e1", " 5 " and "0x10".
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= LIMIT_MAX) return ok(limit);
  return problem(badParameter("limit", `It must be a number from 1 to ${LIMIT_MAX}.`));
}

export function badParameter(name: string, detail: string): Problem {
  const shown = name.slice(0, SHOWN_MAX);
  return {
    name: "validation_error",
    detail: `The parameter ${JSON.stringify(shown)} is not valid. ${detail}`,
    faults: [{ pointer: `?${shown}`, code: "invalid_value", detail }],
  };
}
