// The list of addresses that get no mail, by address; and what a report adds to a recipient that has come to its end. Mail asks for one
// row a recipient, and only while there is any row at all.
import type { EpochMs } from "../base/clock.ts";
import { eventNumber } from "../mail/event.ts";
import { IDS_PER_MS, type MessageId } from "../mail/id.ts";
import { FIRST_FINAL } from "../mail/state.ts";
import { type Suppression, suppressionOrigins } from "../mail/suppression.ts";
import type { Books } from "./sqlite-books.ts";
import type { Prepare } from "./sqlite-open.ts";
import { INSERT_EVENT } from "./sqlite-write.ts";
import type { Annotation, NewSuppression } from "./store.ts";

const INSERT = `INSERT INTO suppression (id, address, origin, source, reason, at)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (address) DO NOTHING`;
const READ = "SELECT id, address, origin, source, reason, at FROM suppression";
const ANNOTATE = `UPDATE recipient SET steps = steps + 1, events = events || ?4,
    timeline = CASE steps WHEN 0 THEN ?3 ELSE timeline || ',' || ?3 END
  WHERE message = ?1 AND n = ?2 AND state >= ${FIRST_FINAL} RETURNING steps`;

type Columns = [number, string, number, MessageId | null, string, EpochMs];

export interface Suppressions {
  suppress(entry: NewSuppression): Suppression | undefined;
  unsuppress(address: string): Suppression | undefined;
  suppression(address: string): Suppression | undefined;
  suppressionById(id: number): Suppression | undefined;
  anySuppressed(): boolean;
  annotate(annotation: Annotation): boolean;
}

export function createSuppressions(
  prepare: Prepare,
  books: Pick<Books, "nextSeq" | "lastSeq">,
): Suppressions & { undoSuppressions(): void } {
  const insert = prepare(INSERT);
  const byAddress = prepare(`${READ} WHERE address = ?1`);
  const byId = prepare(`${READ} WHERE id = ?1`);
  const remove = prepare("DELETE FROM suppression WHERE id = ?1");
  const first = prepare("SELECT 1 FROM suppression LIMIT 1");
  const annotate = prepare(ANNOTATE);
  const insertEvent = prepare(INSERT_EVENT);
  let [last] = prepare("SELECT coalesce(max(id), 0) FROM suppression").values()[0] as [number];
  /** Undefined: to be looked up. */
  let any: boolean | undefined;

  const suppression = (address: string): Suppression | undefined =>
    asSuppression(byAddress.values(address)[0] as Columns | undefined);

  return {
    suppression,
    suppressionById: (id) => asSuppression(byId.values(id)[0] as Columns | undefined),
    suppress({ address, origin, source, reason, at }) {
      const id = Math.max(last + 1, at * IDS_PER_MS);
      const number = suppressionOrigins.indexOf(origin);
      const { changes } = insert.run(id, address, number, source, reason, at);
      if (changes === 0) return suppression(address);
      last = id;
      any = true;
      return undefined;
    },
    unsuppress(address) {
      const found = suppression(address);
      if (found === undefined) return undefined;
      remove.run(found.id);
      any = undefined;
      return found;
    },
    anySuppressed: () => (any ??= first.values().length > 0),
    annotate({ message, n, step, event, at }) {
      const seq = books.lastSeq() + 1;
      const [row] = annotate.values(message, n, step, `,${seq}`) as [number][];
      if (row === undefined) return false;
      insertEvent.run(books.nextSeq(), message, n, eventNumber[event], at, row[0] - 1);
      return true;
    },
    undoSuppressions: () => void (any = undefined),
  };
}

function asSuppression(row: Columns | undefined): Suppression | undefined {
  if (row === undefined) return undefined;
  const [id, address, number, source, reason, at] = row;
  return { id, address, origin: suppressionOrigins[number] ?? "manual", source, reason, at };
}
