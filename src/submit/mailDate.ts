// The Date of a message as its caller writes it (RFC 5322 3.3), also in the forms of old programs (4.3). Whatever is in doubt is refused: it
// would be sent as another time than was meant.
import type { EpochMs } from "../base/clock.ts";

export const DATE_FORM =
  "The Date cannot be read. Write it as Mon, 23 Nov 2026 10:00:00 +0000 or 2026-11-23T10:00:00Z, as toUTCString() and " +
  "toISOString() of JavaScript do, or leave it out: it is set.";

const MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");
const WEEKDAYS = "sun mon tue wed thu fri sat".split(" ");

const MAIL_DATE = new RegExp(
  [
    `^(?:(${WEEKDAYS.join("|")})[ \\t]*,[ \\t]*)?(\\d{1,2})`,
    `(${MONTHS.join("|")})`,
    "(\\d{2,4})",
    "(\\d\\d):(\\d\\d)(?::(\\d\\d))?",
    "([+-]\\d{4}|[a-z]{1,3})(?:[ \\t]*\\([^()]*\\))?$",
  ].join("[ \\t]+"),
  "i",
);

/** RFC 5322 4.3, in hours; UTC is what the world writes for UT. All others have meant different things to different people. */
const ZONES: Readonly<Record<string, number>> = {
  ...{ UT: 0, UTC: 0, GMT: 0, Z: 0 },
  ...{ EDT: -4, EST: -5, CDT: -5, CST: -6, MDT: -6, MST: -7, PDT: -7, PST: -8 },
};

/** NaN: it is no such date. */
export function readMailDate(text: string): EpochMs {
  const match = MAIL_DATE.exec(text);
  if (match === null) return NaN;
  const [, weekday, day = "", month = "", year = "", hour, minute, second = "0", zone = ""] = match;
  const midnight = Date.UTC(yearOf(year), MONTHS.indexOf(month.toLowerCase()), Number(day));
  const on = new Date(midnight);
  if (on.getUTCDate() !== Number(day)) return NaN;
  if (weekday !== undefined && WEEKDAYS[on.getUTCDay()] !== weekday.toLowerCase()) return NaN;
  const [hours, minutes, seconds] = [Number(hour), Number(minute), Number(second)];
  const offset = offsetOf(zone);
  if (Number.isNaN(offset) || hours > 23 || minutes > 59 || seconds > 60) return NaN;
  const at = midnight + ((hours * 60 + minutes - offset) * 60 + seconds) * 1000;
  return seconds === 60 && !mayBeLeap(at) ? NaN : at;
}

/** 4.3 has years of two and three digits; 3.3 none before 1900. */
function yearOf(digits: string): number {
  const year = Number(digits);
  if (digits.length === 2) return year + (year < 50 ? 2000 : 1900);
  if (digits.length === 3) return year + 1900;
  return year < 1900 ? NaN : year;
}

/** In minutes. */
function offsetOf(zone: string): number {
  const named = zone.toUpperCase();
  if (Object.hasOwn(ZONES, named)) return (ZONES[named] ?? NaN) * 60;
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(3))];
  if (!/^[+-]/.test(zone) || minutes > 59) return NaN;
  return (zone.startsWith("-") ? -1 : 1) * (hours * 60 + minutes);
}

/** The second before was the last of June or December in UTC: there alone have been leap seconds. */
function mayBeLeap(at: EpochMs): boolean {
  return /-(?:01|07)-01T00:00:00/.test(new Date(at).toISOString());
}
