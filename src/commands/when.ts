// Instants on the command line, as people say them on the phone: a time of day means the last one, by the clock of this terminal.
import { type EpochMs, iso } from "../base/clock.ts";
import { parseDurationMs } from "../config/kinds.ts";
import { notAllowed } from "./failure.ts";

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/i;
const TIME = /^(\d\d?):(\d\d)(?::(\d\d))?$/;
const DAY = /^(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d?):(\d\d)(?::(\d\d))?)?$/;

export const WHEN = "a time such as 03:00, 2026-12-31 03:00, 2026-12-31T03:00:00Z, or 2h ago as 2h";

/** Undefined: it is none. */
export function parseWhen(text: string, now: EpochMs): EpochMs | undefined {
  const ago = parseDurationMs(text);
  if (ago !== undefined) return now - ago;
  if (RFC_3339.test(text)) return valid(Date.parse(text));
  const day = DAY.exec(text);
  if (day !== null) {
    const [year, month, date, hour, minute, second] = day.slice(1).map((one) => Number(one ?? 0));
    return localTime(
      [year ?? 0, (month ?? 0) - 1, date ?? 0],
      [hour ?? 0, minute ?? 0, second ?? 0],
    );
  }
  const time = TIME.exec(text);
  if (time === null) return undefined;
  const [hour, minute, second] = time.slice(1).map((one) => Number(one ?? 0));
  const today = new Date(now);
  const at = (daysBack: number): EpochMs | undefined =>
    localTime(
      [today.getFullYear(), today.getMonth(), today.getDate() - daysBack],
      [hour ?? 0, minute ?? 0, second ?? 0],
    );
  const sameDay = at(0);
  return sameDay === undefined || sameDay <= now ? sameDay : at(1);
}

type Three = readonly [number, number, number];

function localTime([year, month, date]: Three, [hour, minute, second]: Three): EpochMs | undefined {
  if (hour > 23 || minute > 59 || second > 59 || month > 11) return undefined;
  return valid(new Date(year, month, date, hour, minute, second).getTime());
}

function valid(at: number): EpochMs | undefined {
  return Number.isFinite(at) ? at : undefined;
}

/** As RFC 3339, for the API; undefined: the option was not given. */
export function whenOf(option: string, text: string | undefined, now: EpochMs): string | undefined {
  if (text === undefined) return undefined;
  const at = parseWhen(text, now);
  if (at === undefined) throw notAllowed(option, text, WHEN);
  return iso(at);
}

/** Of an option `--wait`, which may stand without a value: `usualMs` then. */
export function waitOf(wait: string | true | undefined, usualMs: number): number | undefined {
  if (wait === undefined) return undefined;
  const waitMs = wait === true ? usualMs : parseDurationMs(wait);
  if (waitMs !== undefined) return waitMs;
  throw notAllowed("--wait", String(wait), "a duration such as 30s");
}
