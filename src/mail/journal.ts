// What the daemon itself went through, kept on the disk: GET /journal. Its lines are those of the log that base/logTable.ts says are kept.
import type { LogLevel } from "../base/log.ts";

export interface JournalFilter {
  /** Milliseconds since 1970; absent: no bound. */
  readonly since?: number;
  readonly until?: number;
  /** First words of events, or whole ones; empty: all. */
  readonly events: readonly string[];
  /** The first so many since then; without `since` the last ones. */
  readonly limit: number;
}

/** As it was logged. */
export interface JournalLine {
  readonly time: string;
  readonly level: LogLevel;
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface JournalView {
  readonly object: "list";
  /** There was more in this time. */
  readonly has_more: boolean;
  /** Oldest first. */
  readonly data: readonly JournalLine[];
}

/** Which lines of the log are written at this moment. */
export interface LogLevelView {
  readonly object: "log_level";
  readonly level: string;
  /** When the level of the settings holds again; null: this is it, or it holds until a reload. */
  readonly until: string | null;
}
