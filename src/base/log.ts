// One line of the log: a decision worth reading. Where lines go is decided by the role (report/log.ts); what lines there are, and what
// their fields mean, stands in logTable.ts.
import { isKept, logAreas } from "./logTable.ts";

export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** `event` is a stable key such as `queue.disk_low`; `fields` hold what differs. */
export type Log = (level: LogLevel, event: string, fields?: LogFields) => void;

export const noLog: Log = () => {};

/** The least important lines that are written: in general, and of single areas (the first word of an event). */
export interface LogLevels {
  readonly general: LogLevel;
  readonly areas: Readonly<Record<string, LogLevel>>;
}

/** As `info` or `info,deliver=debug,uplink=debug`. Undefined: it is neither. */
export function parseLogLevels(text: string): LogLevels | undefined {
  let general: LogLevel | undefined;
  const areas: Record<string, LogLevel> = {};
  for (const part of text.split(",")) {
    const [name = "", level, ...more] = part.split("=").map((word) => word.trim());
    if (more.length > 0) return undefined;
    if (level === undefined) {
      if (general !== undefined || !isLevel(name)) return undefined;
      general = name;
    } else {
      if (!isLevel(level) || !logAreas.includes(name) || name in areas) return undefined;
      areas[name] = level;
    }
  }
  return { general: general ?? "info", areas };
}

export function showLogLevels({ general, areas }: LogLevels): string {
  return [general, ...Object.entries(areas).map(([area, level]) => `${area}=${level}`)].join(",");
}

function isLevel(text: string): text is LogLevel {
  return (logLevels as readonly string[]).includes(text);
}

export type LogGate = (level: LogLevel, event: string) => boolean;

const rank: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Whether a line is to be written. */
export function createLogGate({ general, areas }: LogLevels): LogGate {
  const least = rank[general];
  const own = new Map(Object.entries(areas).map(([area, level]) => [area, rank[level]]));
  // Asked for each message that is delivered: the usual case is one comparison.
  if (own.size === 0) return (level) => rank[level] >= least;
  return (level, event) => {
    const area = event.slice(0, Math.max(0, event.indexOf(".")));
    return rank[level] >= (own.get(area) ?? least);
  };
}

/** Whether a line is to be made at all: one that is kept in the journal is, whatever the level. */
export function createMakingGate(levels: LogLevels): LogGate {
  const isWritten = createLogGate(levels);
  return (level, event) => isWritten(level, event) || (level !== "debug" && isKept(event));
}
