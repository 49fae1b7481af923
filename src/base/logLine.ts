// How a log line looks: one JSON object a line for machines, or aligned, coloured text on a terminal. Fields may hold what a remote
// server or a caller chose, so nothing of them reaches a terminal or a line's structure unescaped.
import { humanBytes, humanDuration } from "./human.ts";
import type { LogFields, LogLevel } from "./log.ts";

/** A longer text is cut: a line of the log is read, not parsed for content. */
const TEXT_MAX = 2000;

/** Keys in a fixed order: time, level, event, then the fields as they were given. */
export function jsonLine(time: string, level: LogLevel, event: string, fields: LogFields): string {
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
const codes = { debug: 2, info: 32, warn: 33, error: 31, dim: 2, bold: 1 } as const;

/** As wide as most keys; a longer one only shifts its own line. */
const EVENT_WIDTH = 18;

export interface Looks {
  readonly color: boolean;
  /** Of lines that are not of today, perhaps. */
  readonly date?: boolean;
}

export function prettyLine({ color, date = false }: Looks) {
  const paint = (name: keyof typeof codes, text: string): string =>
    color ? `\x1b[${codes[name]}m${text}\x1b[0m` : text;
  return (time: string, level: LogLevel, event: string, fields: LogFields): string => {
    const name = paint("bold", event);
    const at = date ? `${time.slice(0, 10)} ${time.slice(11, 19)}Z` : time.slice(11, 23);
    let line = `${paint("dim", at)} ${paint(level, level.padEnd(5))} ${name}`;
    const shown = Object.entries(fields).filter(([key, value]) => isShown(key, value));
    if (shown.length > 0) line += " ".repeat(Math.max(0, EVENT_WIDTH - event.length));
    for (const [key, value] of shown)
      line += ` ${paint("dim", `${key}=`)}${prettyValue(key, value)}`;
    const { more } = fields;
    if (more !== undefined) line += ` ${paint("dim", `(${String(more)} more like it)`)}`;
    return `${line}\n`;
  };
}

type Value = string | number | boolean | null | undefined;

function isShown(key: string, value: Value): boolean {
  return value !== undefined && value !== null && value !== "" && key !== "more";
}

const PLAIN = /^[A-Za-z0-9_.:/@+,%*[\]=-]+$/;

function prettyValue(key: string, value: Value): string {
  if (typeof value === "number") return prettyNumber(key, value);
  if (typeof value !== "string") return String(value);
  const text = cut(value).toWellFormed();
  return PLAIN.test(text) ? text : escapeControls(JSON.stringify(text));
}

/** By the unit that ends its name: durations and sizes as people say them. */
function prettyNumber(key: string, value: number): string {
  if (key.endsWith("_ms")) return humanDuration(value);
  if (key.endsWith("_s")) return humanDuration(value * 1000);
  return key.endsWith("_bytes") ? humanBytes(value) : String(value);
}

function cut(text: string): string {
  return text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}…` : text;
}

/** Also the marks that turn the direction of writing, with which a line can be made to show something else. */
function escapeControls(json: string): string {
  return json.replace(
    /[\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
