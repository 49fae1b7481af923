// A page of the list of API keys: newest first, after or before one of them, as Resend's lists have it.
import type { KeyRecord } from "../mail/apiKey.ts";
import { badField } from "./fields.ts";
import { ok, problem, type Result } from "./problem.ts";

const LIMIT_MAX = 100;

/** Without a limit all of them: they are few. */
export function pageOf(
  query: URLSearchParams,
  records: readonly KeyRecord[],
): Result<{ readonly has_more: boolean; readonly keys: readonly KeyRecord[] }> {
  const all = [...records].reverse();
  const asked = query.get("limit");
  const limit = asked === null ? all.length : Number(asked);
  if (asked !== null && !(Number.isInteger(limit) && limit >= 1 && limit <= LIMIT_MAX))
    return problem(badField("limit", `It must be a whole number from 1 to ${LIMIT_MAX}.`));
  const place = (name: "after" | "before"): number | undefined => {
    const id = query.get(name);
    return id === null ? undefined : all.findIndex((key) => key.id === id);
  };
  const [after, before] = [place("after"), place("before")];
  if (after === -1 || before === -1)
    return problem(badField(after === -1 ? "after" : "before", "There is no such API key."));
  if (before !== undefined) {
    const from = Math.max(0, before - limit);
    return ok({ has_more: from > 0, keys: all.slice(from, before) });
  }
  const from = after === undefined ? 0 : after + 1;
  return ok({ has_more: from + limit < all.length, keys: all.slice(from, from + limit) });
}
