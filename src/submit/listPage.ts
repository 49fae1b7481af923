// A page of what the door knows by heart: newest first, after or before one of them, as Resend's lists have it.
import { badParameter, limitOf, type PageLimits, strangeParameter } from "./parameters.ts";
import { ok, problem, type Result } from "./problem.ts";

export interface Page<Row> {
  readonly has_more: boolean;
  readonly rows: readonly Row[];
}

/** `oldestFirst`: all of them; `what` one of them is called, with its article; `limits` where they are not the usual ones. */
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
  if (place !== null && !UUID.test(place))
    return problem(
      badParameter(before === null ? "after" : "before", `It must be the id of ${what}.`),
    );
  const border = place === null ? 0 : borderOf(all, place, before === null);
  const from = before === null ? border : Math.max(0, border - asked.value);
  const to = before === null ? from + asked.value : border;
  const has_more = before === null ? to < all.length : from > 0;
  return ok({ has_more, rows: all.slice(from, to) });
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The index at which the rows behind `place` begin, or those before it end. A row that is gone leaves its place: ids tell the time. */
function borderOf(all: readonly { readonly id: string }[], place: string, behind: boolean): number {
  const found = all.findIndex(({ id }) => id === place);
  if (found >= 0) return behind ? found + 1 : found;
  const older = all.findIndex(({ id }) => id < place);
  return older < 0 ? all.length : older;
}
