// Lists by cursor: what to ask for, and where the neighbouring pages lie.
import type { ListView } from "../../mail/query.ts";
import { linkTo, type Section } from "../route.ts";
import { PAGE_ROWS } from "./search.ts";

export type Query = Readonly<Record<string, string>>;

/** `filters` are the names that are passed on besides the cursor. */
export function listPath(path: string, query: Query, filters: readonly string[]): string {
  const asked = new URLSearchParams({ limit: String(PAGE_ROWS) });
  for (const name of [...filters, "after", "before"]) {
    const value = query[name];
    if (value !== undefined && value !== "") asked.set(name, value);
  }
  return `${path}?${asked}`;
}

export interface Cursors {
  readonly newer: string | null;
  readonly older: string | null;
}

interface Row {
  readonly id: string;
}

/** `names`: what stands behind the section in the address. */
export function cursorsOf(
  section: Section,
  query: Query,
  { data, has_more: hasMore }: ListView<Row>,
  names: readonly string[] = [],
): Cursors {
  const { after, before, ...rest } = query;
  const [first, last] = [data[0], data.at(-1)];
  const page = (cursor: Query): string => linkTo(section, names, { ...rest, ...cursor });
  // Of a page that was reached backwards, `has_more` speaks of newer rows, and older ones are where one came from.
  const isBack = before !== undefined;
  const newer = isBack ? hasMore : after !== undefined;
  const older = isBack || hasMore;
  return {
    newer: newer && first !== undefined ? page({ before: first.id }) : null,
    older: older && last !== undefined ? page({ after: last.id }) : null,
  };
}
