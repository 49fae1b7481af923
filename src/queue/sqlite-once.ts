// Requests that carry an idempotency key: what was asked and what was answered, for a day. A row is appended and nothing else is written
// for it: where a key's row lies is known from memory for the youngest, and from runs (once-runs.ts) for all others.
import type { EpochMs } from "../base/clock.ts";
import type { Once, Suppressed } from "../mail/submission.ts";
import { buildRun, hashOf, type Keyed, mayHold, partOf, seqsIn } from "./once-runs.ts";
import type { Prepare } from "./sqlite-open.ts";
import { type KeptOnce, type OnceTrim, WRONG_MS } from "./store.ts";

/** The numbering of the rows counts their bytes in these units, so that the size of the table is known without a count. */
const UNIT_BYTES = 256;
/** Of a row and its place in a run, beside the answer. */
const ROW_BYTES = 128;
/** So many keys make a run; to write one takes some milliseconds. */
const RUN_KEYS = 32_768;
/** A part's number in the table is that of its run, shifted by this. */
const PARTS_MAX = 256;

interface Run {
  readonly number: number;
  /** The last row of it. */
  readonly last: number;
  readonly filter: Uint8Array;
}

export function createOnces(prepare: Prepare, runKeys = RUN_KEYS) {
  const insert = prepare(
    "INSERT INTO once (seq, key, request, answer, at) VALUES (?1, ?2, ?3, ?4, ?5)",
  );
  const read = prepare("SELECT key, request, answer, suppressed FROM once WHERE seq = ?1");
  const readPart = prepare("SELECT bytes FROM once_part WHERE id = ?1");
  const suppress = prepare("UPDATE once SET suppressed = ?2 WHERE seq = ?1");
  const book = createRunBook(prepare);
  const trim = createTrim(prepare);
  /** Keys of the rows that are in no run yet, oldest first. */
  const tail = new Map<string, number>();
  let runs: readonly Run[] = [];
  let last = -1;
  /** What the open transaction changed here: keys that it noted, and whether keys went from the tail. */
  let fresh: string[] = [];
  let reshaped = false;

  /** Read when the first key comes: a start waits for it only where keys are used. */
  const load = (): void => {
    if (last >= 0) return;
    runs = book.runs();
    last = runs.at(-1)?.last ?? 0;
    for (const { key, seq } of book.rowsAfter(last)) {
      tail.set(key, seq);
      last = seq;
    }
  };

  const rowOf = (key: string, seq: number): Row | undefined => {
    const [row] = read.values(seq) as [string, string, string, string | null][];
    // Of a row that was forgotten the run may still tell, and the number may have been given again.
    if (row === undefined || row[0] !== key) return undefined;
    return { seq, request: row[1], answer: row[2], suppressed: row[3] };
  };

  const find = (key: string): Row | undefined => {
    load();
    const seq = tail.get(key);
    if (seq !== undefined) return rowOf(key, seq);
    if (runs.length === 0) return undefined;
    const hash = hashOf(key);
    for (let i = runs.length - 1; i >= 0; i--) {
      const { number, filter } = runs[i] as Run;
      if (!mayHold(filter, hash)) continue;
      const [part] = readPart.values(number * PARTS_MAX + partOf(hash)) as [Uint8Array][];
      for (const found of part === undefined ? [] : seqsIn(part[0], hash)) {
        const row = rowOf(key, found);
        if (row !== undefined) return row;
      }
    }
    return undefined;
  };

  /** The oldest keys of the tail become a run. */
  const seal = (): void => {
    const entries: Keyed[] = [];
    for (const [key, seq] of tail) {
      entries.push({ key, seq });
      if (entries.length === runKeys) break;
    }
    runs = [...runs, book.write(entries, (runs.at(-1)?.number ?? 0) + 1)];
    for (const { key } of entries) tail.delete(key);
    reshaped = true;
  };

  const forgetUpTo = (reached: number): void => {
    const gone = runs.filter((run) => run.last <= reached);
    for (const run of gone) book.drop(run);
    if (gone.length > 0) runs = runs.slice(gone.length);
    for (const [key, seq] of tail) {
      if (seq > reached) break;
      tail.delete(key);
    }
    reshaped = true;
  };

  const findOnce = (key: string): KeptOnce | undefined => {
    const row = find(key);
    if (row === undefined) return undefined;
    const { request, answer, suppressed } = row;
    if (suppressed === null) return { request, answer };
    return { request, answer, suppressed: JSON.parse(suppressed) as Suppressed };
  };

  return {
    findOnce,
    noteOnce({ key, request, answer }: Once, at: EpochMs): KeptOnce | undefined {
      const kept = findOnce(key);
      if (kept !== undefined) return kept;
      last += Math.ceil((ROW_BYTES + answer.length) / UNIT_BYTES);
      insert.run(last, key, request, answer, at);
      tail.set(key, last);
      fresh.push(key);
      return undefined;
    },
    suppressOnce(key: string, suppressed: Suppressed): void {
      const row = find(key);
      if (row !== undefined) suppress.run(row.seq, JSON.stringify(suppressed));
    },
    trimOnces(wish: OnceTrim): number {
      load();
      const { gone, reached } = trim(wish, last - wish.bytesMax / UNIT_BYTES);
      if (gone > 0) forgetUpTo(reached);
      // Also while requests are forgotten all the time: memory holds the youngest only.
      if (tail.size >= runKeys) seal();
      return gone;
    },
    /** The transaction stands. */
    keepOnces(): void {
      if (fresh.length > 0) fresh = [];
      reshaped = false;
    },
    undoOnces(): void {
      // Their numbers stay unused: the table only seems a little larger than it is.
      for (const key of fresh) tail.delete(key);
      fresh = [];
      if (!reshaped) return;
      // Read anew when the next key comes.
      tail.clear();
      last = -1;
      reshaped = false;
    },
  };
}

interface Row {
  readonly seq: number;
  readonly request: string;
  readonly answer: string;
  readonly suppressed: string | null;
}

/** Runs on the disk. */
function createRunBook(prepare: Prepare) {
  const readRuns = prepare("SELECT number, last, filter FROM once_run ORDER BY number");
  const readRows = prepare("SELECT key, seq FROM once WHERE seq > ?1 ORDER BY seq");
  const insertRun = prepare("INSERT INTO once_run (number, last, filter) VALUES (?1, ?2, ?3)");
  const insertPart = prepare("INSERT INTO once_part (id, bytes) VALUES (?1, ?2)");
  const deleteRun = prepare("DELETE FROM once_run WHERE number = ?1");
  const deleteParts = prepare("DELETE FROM once_part WHERE id >= ?1 AND id < ?2");
  return {
    runs: (): Run[] =>
      (readRuns.values() as [number, number, Uint8Array][]).map(([number, last, filter]) => ({
        number,
        last,
        filter,
      })),
    rowsAfter: (seq: number): Keyed[] =>
      (readRows.values(seq) as [string, number][]).map(([key, row]) => ({ key, seq: row })),
    write(entries: readonly Keyed[], number: number): Run {
      const { filter, parts } = buildRun(entries);
      const last = entries.at(-1)?.seq ?? 0;
      insertRun.run(number, last, filter);
      parts.forEach((bytes, i) => insertPart.run(number * PARTS_MAX + i, bytes));
      return { number, last, filter };
    },
    drop({ number }: Run): void {
      deleteRun.run(number);
      deleteParts.run(number * PARTS_MAX, (number + 1) * PARTS_MAX);
    },
  };
}

function createTrim(prepare: Prepare) {
  const oldest = prepare("SELECT seq, at FROM once ORDER BY seq LIMIT ?1");
  const redate = prepare("UPDATE once SET at = ?2 WHERE seq = ?1");
  const remove = prepare("DELETE FROM once WHERE seq <= ?1");
  /** Rows up to `least` go whatever their age. */
  return ({ before, now, limit }: OnceTrim, least: number) => {
    let gone = 0;
    let reached = 0;
    for (const [seq, at] of oldest.values(limit) as [number, EpochMs][]) {
      if (at > now + WRONG_MS) redate.run(seq, now);
      if (at >= before && seq >= least) break;
      reached = seq;
      gone++;
    }
    if (gone > 0) remove.run(reached);
    return { gone, reached };
  };
}
