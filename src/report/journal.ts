// The journal: what the daemon itself went through, in two files of the data folder that are used in turn. It answers "what happened at
// three in the night" when the log of that night is gone or was never kept. A line is written at once and not synced: a kill loses none,
// and after a power cut the moment of the cut is what one wants to know.
import {
  closeSync,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, type EpochMs, iso, type Timer } from "../base/clock.ts";
import type { JournalFilter, JournalLine, JournalView } from "../mail/journal.ts";

export const JOURNAL_FILE = "journal.jsonl";
const OLDER_FILE = "journal.1.jsonl";
/** Of each of the two files: some weeks. */
const FILE_MAX_BYTES = 2_000_000;
/** The file's time says how long the daemon lived, should it die without a word. */
const BEAT_MS = 30_000;
const LIST_MAX = 10_000;

/** How the process before this one ended: `stop`, `crash`, or `first` when there was none. */
export interface Before {
  readonly after: "stop" | "crash" | "first";
  /** When it was last known to live. */
  readonly aliveAt: EpochMs | null;
}

export interface Journal {
  readonly before: Before;
  /** A line of the log as JSON. */
  add(line: string): void;
  read(filter: JournalFilter): Promise<JournalView>;
  close(): void;
}

const HEAD = '{"time":"';

/** Throws where the folder cannot be written. */
export function openJournal(options: {
  readonly dataDir: string;
  readonly clock: Pick<Clock, "now" | "after">;
  readonly fileMaxBytes?: number;
}): Journal {
  const { dataDir, clock, fileMaxBytes = FILE_MAX_BYTES } = options;
  const path = join(dataDir, JOURNAL_FILE);
  const older = join(dataDir, OLDER_FILE);
  const before = beforeOf(path, older);
  let handle = openSync(path, "a", 0o600);
  let sizeBytes = statSync(path).size;
  let timer: Timer;
  // What a crash or a full disk tore off must not spoil the line behind it.
  let isTorn = sizeBytes > 0 && readFileSync(path).at(-1) !== 10;
  const write = (text: string): void => {
    if (sizeBytes > 2 * fileMaxBytes) return;
    const octets = Buffer.from(isTorn ? `\n${text}` : text);
    try {
      const written = writeSync(handle, octets);
      sizeBytes += written;
      isTorn = written < octets.length;
    } catch {
      // A full disk: the line stands in the log, and mail matters more.
    }
  };
  /** Where it cannot be done the old file is written on, within a bound. */
  const turn = (): void => {
    try {
      renameSync(path, older);
    } catch {
      // Somebody removed the file, or put something in its way.
    }
    try {
      const next = openSync(path, "a", 0o600);
      closeSync(handle);
      handle = next;
      sizeBytes = fstatSync(handle).size;
    } catch {
      // The next line tries again.
    }
  };
  const beat = (): void => {
    const at = new Date(clock.now());
    try {
      utimesSync(path, at, at);
    } catch {
      // Somebody removed the file: the next turn makes another one.
    }
    timer = clock.after(BEAT_MS, beat);
  };
  beat();
  return {
    before,
    add(line) {
      if (sizeBytes > fileMaxBytes) turn();
      write(line);
    },
    async read(filter) {
      const texts = await Promise.all(
        [older, path].map((file) => readFile(file, "utf8").catch((): string => "")),
      );
      return viewOf(texts.join("\n"), filter);
    },
    close() {
      timer.cancel();
      closeSync(handle);
    },
  };
}

export function viewOf(text: string, filter: JournalFilter): JournalView {
  const found: JournalLine[] = [];
  const from = filter.since === undefined ? "" : `${HEAD}${iso(filter.since)}`;
  for (const row of text.split("\n")) {
    // Every line begins with its time, in a form that sorts: what is too old need not be parsed.
    if (row < from && row.startsWith(HEAD)) continue;
    const line = lineOf(row);
    if (line !== undefined && matches(line, filter)) found.push(line);
  }
  const limit = Math.min(filter.limit, LIST_MAX);
  // Who names a moment wants to see what happened then, and who names none, what happened last.
  const data = filter.since === undefined ? found.slice(-limit) : found.slice(0, limit);
  return { object: "list", has_more: found.length > data.length, data };
}

function matches({ time, event }: JournalLine, { since, until, events }: JournalFilter): boolean {
  const at = Date.parse(time);
  if (since !== undefined && !(at >= since)) return false;
  if (until !== undefined && !(at < until)) return false;
  return events.length === 0 || events.some((one) => event === one || event.startsWith(`${one}.`));
}

function lineOf(row: string): JournalLine | undefined {
  if (row === "") return undefined;
  try {
    const line = JSON.parse(row) as Partial<JournalLine> | null;
    return typeof line?.time === "string" && typeof line.event === "string"
      ? (line as JournalLine)
      : undefined;
  } catch {
    // Torn by a power cut.
    return undefined;
  }
}

function beforeOf(path: string, older: string): Before {
  try {
    const aliveAt = Math.floor(statSync(path).mtimeMs);
    const rows: string[] = readFileSync(path, "utf8").split("\n");
    // A file that was just begun.
    if (!rows.some((row) => row !== "")) rows.unshift(...readFileSync(older, "utf8").split("\n"));
    const last = rows.map(lineOf).findLast((line) => line !== undefined);
    if (last === undefined) return { after: "first", aliveAt: null };
    return { after: last.event === "daemon.stopped" ? "stop" : "crash", aliveAt };
  } catch {
    return { after: "first", aliveAt: null };
  }
}
