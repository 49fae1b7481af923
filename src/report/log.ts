// Where log lines go: one JSON object a line for machines, or coloured text on a terminal. Fields may hold what a remote server or a
// caller chose, so nothing of them reaches a terminal or a line's structure unescaped.
import type { Clock } from "../base/clock.ts";
import { type Log, type LogFields, type LogLevel, logLevels } from "../base/log.ts";

export interface LogWriter {
  readonly log: Log;
}

/** A longer text is cut: a line of the log is read, not parsed for content. */
const TEXT_MAX = 2000;

export function createLogWriter(deps: {
  readonly clock: Pick<Clock, "now">;
  readonly level: LogLevel;
  readonly format: "json" | "pretty";
  readonly color: boolean;
  readonly write: (line: string) => void;
}): LogWriter {
  const least = logLevels.indexOf(deps.level);
  const format = deps.format === "json" ? jsonLine : prettyLine(deps.color);
  return {
    log(level, event, fields = {}) {
      if (logLevels.indexOf(level) < least) return;
      deps.write(format(new Date(deps.clock.now()).toISOString(), level, event, fields));
    },
  };
}

/** Keys in a fixed order: time, level, event, then the fields as they were given. */
function jsonLine(time: string, level: LogLevel, event: string, fields: LogFields): string {
  const line: Record<string, unknown> = { time, level, event };
  for (const [key, value] of Object.entries(fields)) {
    // A field may not take the place of what every line has.
    const name = key in line ? `${key}_` : key;
    line[name] = typeof value === "string" ? cut(value).toWellFormed() : value;
  }
  // JSON leaves DEL and the C1 controls as they are, which some terminals obey.
  return `${escapeControls(JSON.stringify(line))}\n`;
}

/** SGR codes of a terminal (ECMA-48 8.3.117). */
const codes = { debug: 2, info: 32, warn: 33, error: 31, dim: 2 } as const;

function prettyLine(color: boolean) {
  const paint = (name: keyof typeof codes, text: string): string =>
    color ? `\x1b[${codes[name]}m${text}\x1b[0m` : text;
  return (time: string, level: LogLevel, event: string, fields: LogFields): string => {
    let line = `${paint("dim", time.slice(11, 23))} ${paint(level, level.padEnd(5))} ${event}`;
    for (const [key, value] of Object.entries(fields)) {
      if (value === undefined) continue;
      line += ` ${paint("dim", `${key}=`)}${prettyValue(value)}`;
    }
    return `${line}\n`;
  };
}

const PLAIN = /^[A-Za-z0-9_.:/@+,%*[\]-]+$/;

function prettyValue(value: string | number | boolean | null): string {
  if (typeof value !== "string") return String(value);
  const text = cut(value).toWellFormed();
  return PLAIN.test(text) ? text : escapeControls(JSON.stringify(text));
}

function cut(text: string): string {
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text;
}

/** Also the marks that turn the direction of writing, with which a line can be made to show something else. */
function escapeControls(json: string): string {
  return json.replace(
    /[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
