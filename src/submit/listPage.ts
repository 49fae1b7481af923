// A page of what the door knows by heart: newest first, after or before one of them, as Resend's lists have it.
import { badParameter, limitOf, type PageLimits, strangeParameter } from "./parameters.ts";
import { ok, problem, type Result } from "./problem.ts";

export interface Page<Row> {
  readonly has_more: boolean;
  readonly rows: readonly Row[];
}

/** `oldestFirst`: all of them; `what` one of them is called; `limits` where they are not the usual ones. */
export function pageOf<Row extends { readonly id: string }>(
  search: URLSearchParams,
  oldestFirst: readonly Row[],
  what: string,
  limits?: PageLimits,
): Result<Page<Row>> {
  const strange = strangeParameter(search, ["limit", "after", "before"]);
  if (strange !== undefined) return problem(strange);
  const asked = limitOf(search, limits);
  if (asked.kind === "problem") return asked;
  const all = [...oldestFirst].reverse();
  const [after, before] = [search.get("after"), search.get("before")];
  if (after !== null && before !== null)
    return problem(badParameter("before", "It cannot be combined with after."));
  const place = before ?? after;
  const found = place === null ? -1 : all.findIndex(({ id }) => id === place);
  if (place !== null && found < 0)
    return problem(badParameter(before === null ? "after" : "before", `There is no such ${what}.`));
  const from = before === null ? found + 1 : Math.max(0, found - asked.value);
  const to = before === null ? from + asked.value : found;
  const has_more = before === null ? to < all.length : from > 0;
  return ok({ has_more, rows: all.slice(from, to) });
}
