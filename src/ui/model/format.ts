// Numbers and times as an operator reads them: short, of the same width where they stand below each other, and without a locale, so that
// a figure read aloud on the phone is the figure that the other one sees.
import { grouped } from "../../base/human.ts";

const KILO = 1000;

/** `0`, `0.4`, `38`, `1,240`, `12.4k`, `3.1M`. */
export function shortCount(value: number): string {
  if (value >= KILO * KILO) return `${oneDigit(value / (KILO * KILO))}M`;
  if (value >= 10 * KILO) return `${oneDigit(value / KILO)}k`;
  if (value >= 10 || Number.isInteger(value)) return grouped(Math.round(value));
  return oneDigit(value);
}

function oneDigit(value: number): string {
  return value.toFixed(1).replace(/\.0$/, "");
}

/** `0.4 ms`, `38 ms`, `1.24 s`, `2 m 05 s`. */
export function milliseconds(ms: number): string {
  if (ms < 9.95) return `${oneDigit(ms)} ms`;
  if (ms < KILO) return `${Math.round(ms)} ms`;
  if (ms < 60 * KILO) return `${(ms / KILO).toFixed(ms < 10 * KILO ? 2 : 1)} s`;
  return age(ms / KILO);
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The two largest units: `45 s`, `4 m 15 s`, `3 h 20 m`, `2 d 4 h`. */
export function age(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return pair(whole, [MINUTE, "m"], [1, "s"]);
  if (whole < DAY) return pair(whole, [HOUR, "h"], [MINUTE, "m"]);
  return pair(whole, [DAY, "d"], [HOUR, "h"]);
}

type Unit = readonly [seconds: number, name: string];

function pair(whole: number, [large, one]: Unit, [small, two]: Unit): string {
  const rest = Math.floor((whole % large) / small);
  return `${Math.floor(whole / large)} ${one}${rest === 0 ? "" : ` ${rest} ${two}`}`;
}

/** `1.2 GB`; `MB` is 10^6 here as in the settings. */
export function bytes(count: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [value, unit] = [count, 0];
  while (value >= 999.5 && unit < units.length - 1) {
    value /= KILO;
    unit++;
  }
  return `${value >= 10 || unit === 0 ? Math.round(value) : oneDigit(value)} ${units[unit]}`;
}

/** In UTC, as logs and the API have it: `2026-11-23 13:45:10.123`. */
export function instant(at: string, { ms = false } = {}): string {
  return at.slice(0, ms ? 23 : 19).replace("T", " ");
}

/** A sentence of the API with its instants as the page writes them. */
export function plainTimes(text: string): string {
  return text.replace(/(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z/g, "$1 $2 UTC");
}

/** `in 4 m 15 s`, `3 h ago`, `now`. */
export function fromNow(at: string, nowMs: number): string {
  const seconds = Math.round((Date.parse(at) - nowMs) / KILO);
  if (Number.isNaN(seconds)) return at;
  if (Math.abs(seconds) < 1) return "now";
  return seconds > 0 ? `in ${age(seconds)}` : `${age(-seconds)} ago`;
}

/** `in 4 m 15 s`; what is past its time only waits for its turn. */
export function dueText(at: string, nowMs: number): string {
  return Date.parse(at) <= nowMs ? "due" : fromNow(at, nowMs);
}

/** `1 recipient`, `2,000 recipients`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${grouped(count)} ${count === 1 ? one : many}`;
}
