// The list of addresses that get no mail, as the API shows it: newest first, by pages.
import { type HostTag, idOf, type MessageId } from "../mail/id.ts";
import type { Answer, ListView } from "../mail/query.ts";
import {
  type SuppressionFilter,
  suppressionKey,
  suppressionOrigins,
  suppressionView,
  type SuppressionView,
} from "../mail/suppression.ts";
import type { Connection } from "./index-file.ts";

const COLUMNS = "SELECT id, address, origin, source, reason, at FROM suppression";

export const suppressionSql = {
  address: `${COLUMNS} WHERE address = ?1`,
  id: `${COLUMNS} WHERE id = ?1`,
  newest: `${COLUMNS} WHERE id > ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3`,
  oldest: `${COLUMNS} WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3`,
  newestOf: `${COLUMNS} WHERE origin = ?4 AND id > ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3`,
  oldestOf: `${COLUMNS} WHERE origin = ?4 AND id > ?1 AND id < ?2 ORDER BY id LIMIT ?3`,
} as const;

const ID_END = Number.MAX_SAFE_INTEGER;

type Columns = [number, string, number, MessageId | null, string, number];

export function createSuppressionViews({ prepare }: Connection, tag: HostTag) {
  const byAddress = prepare(suppressionSql.address);
  const byId = prepare(suppressionSql.id);
  const newest = prepare(suppressionSql.newest);
  const oldest = prepare(suppressionSql.oldest);
  const newestOf = prepare(suppressionSql.newestOf);
  const oldestOf = prepare(suppressionSql.oldestOf);

  const viewOf = ([id, address, number, source, reason, at]: Columns): SuppressionView => {
    const origin = suppressionOrigins[number] ?? "manual";
    return suppressionView({ id, address, origin, source, reason, at }, tag);
  };

  return {
    /** By address or by id. */
    one(which: string): Answer {
      const id = which.includes("@") ? undefined : idOf(which, tag);
      const rows = id === undefined ? byAddress.values(suppressionKey(which)) : byId.values(id);
      const [row] = rows as Columns[];
      return row === undefined ? { kind: "missing" } : { kind: "found", view: viewOf(row) };
    },
    list({ origin, limit, after, before }: SuppressionFilter): Answer {
      if (after !== undefined && before !== undefined)
        return { kind: "invalid", field: "before", detail: "It cannot be combined with after." };
      const cursor = after ?? before;
      const id = cursor === undefined ? undefined : idOf(cursor, tag);
      if (cursor !== undefined && id === undefined)
        return {
          kind: "invalid",
          field: after === undefined ? "before" : "after",
          detail: "It must be an id of this list.",
        };
      const above = before === undefined ? 0 : (id ?? 0);
      const below = after === undefined ? ID_END : (id ?? ID_END);
      const upwards = before !== undefined;
      // One more than the page tells whether there is more.
      const rows =
        origin === undefined
          ? (upwards ? oldest : newest).values(above, below, limit + 1)
          : (upwards ? oldestOf : newestOf).values(
              ...([above, below, limit + 1, suppressionOrigins.indexOf(origin)] as const),
            );
      const data = (rows as Columns[]).slice(0, limit).map(viewOf);
      if (upwards) data.reverse();
      const view: ListView<SuppressionView> = {
        ...{ object: "list", has_more: rows.length > limit, data },
      };
      return { kind: "found", view };
    },
  };
}
