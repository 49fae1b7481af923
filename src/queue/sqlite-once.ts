// Requests that carry an idempotency key: what was asked and what was answered, for a day. A row is appended; only its key's place in
// the index is a scattered write, and requests without a key never come here.
import type { EpochMs } from "../base/clock.ts";
import type { Once, Suppressed } from "../mail/submission.ts";
import type { Prepare } from "./sqlite-open.ts";
import { type KeptOnce, type OnceTrim, WRONG_MS } from "./store.ts";

/** The numbering of the rows counts their bytes in these units, so that the size of the table is known without a count. */
const UNIT_BYTES = 256;
/** Of a row and its place in the index, beside the answer. */
const ROW_BYTES = 128;

const INSERT = `INSERT INTO once (seq, key, request, answer, at) VALUES (?1, ?2, ?3, ?4, ?5)
  ON CONFLICT (key) DO NOTHING`;

export function createOnces(prepare: Prepare) {
  const insert = prepare(INSERT);
  const read = prepare("SELECT request, answer, suppressed FROM once WHERE key = ?1");
  const suppress = prepare("UPDATE once SET suppressed = ?2 WHERE key = ?1");
  const oldest = prepare("SELECT seq, at FROM once ORDER BY seq LIMIT ?1");
  const redate = prepare("UPDATE once SET at = ?2 WHERE seq = ?1");
  const remove = prepare("DELETE FROM once WHERE seq <= ?1");
  // After a rollback some numbers are not used: the table only seems a little larger than it is.
  let [last] = prepare("SELECT coalesce(max(seq), 0) FROM once").values()[0] as [number];

  const findOnce = (key: string): KeptOnce | undefined => {
    const [row] = read.values(key) as [string, string, string | null][];
    if (row === undefined) return undefined;
    const [request, answer, suppressed] = row;
    if (suppressed === null) return { request, answer };
    return { request, answer, suppressed: JSON.parse(suppressed) as Suppressed };
  };

  return {
    findOnce,
    noteOnce({ key, request, answer }: Once, at: EpochMs): KeptOnce | undefined {
      const seq = last + Math.ceil((ROW_BYTES + answer.length) / UNIT_BYTES);
      if (insert.run(seq, key, request, answer, at).changes === 0) return findOnce(key);
      last = seq;
      return undefined;
    },
    suppressOnce(key: string, suppressed: Suppressed): void {
      suppress.run(key, JSON.stringify(suppressed));
    },
    trimOnces({ before, now, bytesMax, limit }: OnceTrim): number {
      let gone = 0;
      let reached = 0;
      for (const [seq, at] of oldest.values(limit) as [number, EpochMs][]) {
        if (at > now + WRONG_MS) redate.run(seq, now);
        const tooMany = (last - seq) * UNIT_BYTES > bytesMax;
        if (at >= before && !tooMany) break;
        reached = seq;
        gone++;
      }
      if (gone > 0) remove.run(reached);
      return gone;
    },
  };
}
