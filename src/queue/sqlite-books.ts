// The numbers that every transaction moves: recipients by state and priority, bytes owed, the last event. They are kept in
// memory, staged by a transaction and written once per commit, so that a count costs a row neither on the way in nor at start.
import { type Priority, priorities } from "../mail/message.ts";
import { recipientStates, type StateNumber } from "../mail/state.ts";
import type { Prepare } from "./sqlite-open.ts";
import type { Tally } from "./store.ts";

export interface Books {
  /** Null: the recipient is new, or gone. */
  move(from: StateNumber | null, to: StateNumber | null, priority: Priority): void;
  owe(bytes: number): void;
  /** Bytes of finished messages: more of them, or fewer. */
  keep(bytes: number): void;
  nextSeq(): number;
  lastSeq(): number;
  /** A spool file that nothing needs once this transaction stands. */
  drop(spool: string): void;
  /** Writes what the transaction moved, as its last statements. */
  flush(): void;
  stand(): void;
  undo(): void;
  tally(): Tally[];
  owedBytes(): number;
  keptBytes(): number;
  takeDropped(): string[];
}

const CELLS = recipientStates.length * priorities.length;

export function createBooks(prepare: Prepare): Books {
  const total = new Float64Array(CELLS);
  const delta = new Int32Array(CELLS);
  for (const [state, priority, recipients] of prepare(
    "SELECT state, priority, recipients FROM tally",
  ).values() as [number, number, number][]) {
    total[state * priorities.length + priority] = recipients;
  }
  let [owed, kept] = prepare("SELECT bytes, kept FROM pending").values()[0] as [number, number];
  let owedDelta = 0;
  let keptDelta = 0;
  let seq = (prepare("SELECT coalesce(max(seq), 0) AS seq FROM event").get() as { seq: number })
    .seq;
  let keptSeq = seq;
  let dropped: string[] = [];
  let dropping: string[] = [];
  const writeCell = prepare(
    "UPDATE tally SET recipients = recipients + ?3 WHERE state = ?1 AND priority = ?2",
  );
  const writeOwed = prepare("UPDATE pending SET bytes = bytes + ?1");
  const writeKept = prepare("UPDATE pending SET kept = kept + ?1");
  const shift = (cell: number, by: number): void => {
    delta[cell] = (delta[cell] as number) + by;
  };
  const reset = (): void => {
    delta.fill(0);
    owedDelta = 0;
    keptDelta = 0;
    dropping = [];
  };
  return {
    move(from, to, priority) {
      if (from !== null) shift(from * priorities.length + priority, -1);
      if (to !== null) shift(to * priorities.length + priority, 1);
    },
    owe: (bytes) => void (owedDelta += bytes),
    keep: (bytes) => void (keptDelta += bytes),
    nextSeq: () => ++seq,
    lastSeq: () => seq,
    drop: (spool) => void dropping.push(spool),
    flush() {
      for (let cell = 0; cell < CELLS; cell++) {
        const by = delta[cell] as number;
        if (by === 0) continue;
        writeCell.run(Math.floor(cell / priorities.length), cell % priorities.length, by);
      }
      if (owedDelta !== 0) writeOwed.run(owedDelta);
      if (keptDelta !== 0) writeKept.run(keptDelta);
    },
    stand() {
      for (let cell = 0; cell < CELLS; cell++) {
        total[cell] = (total[cell] as number) + (delta[cell] as number);
      }
      owed += owedDelta;
      kept += keptDelta;
      keptSeq = seq;
      if (dropping.length > 0) dropped.push(...dropping);
      reset();
    },
    undo() {
      seq = keptSeq;
      reset();
    },
    tally() {
      const rows: Tally[] = [];
      for (const [number, state] of recipientStates.entries()) {
        for (const priority of priorities) {
          const cell = number * priorities.length + priority;
          const recipients = (total[cell] as number) + (delta[cell] as number);
          if (recipients !== 0) rows.push({ state, priority, recipients });
        }
      }
      return rows;
    },
    owedBytes: () => owed + owedDelta,
    keptBytes: () => kept + keptDelta,
    takeDropped() {
      const taken = dropped;
      dropped = [];
      return taken;
    },
  };
}
