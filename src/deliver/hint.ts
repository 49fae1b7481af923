// A server's "try again in 5 minutes", as greylisters and throttling servers write it. Read by hand in one pass: replies are hostile,
// and a regular expression would look at some of them for a long time.

/** What a hint may ask for: below it is impatience, above it the ordinary schedule is wiser. */
const HINT_MIN_MS = 10_000;
const HINT_MAX_MS = 3_600_000;

/** One of these stands shortly before the number. */
const cues = ["again", "retry", "wait", "for", "in", "after", "least"];
const CUE_REACH = 24;
const DIGITS_MAX = 5;

/** What may stand in front of the number: it is a word of its own, and no part of an address. */
const before: ReadonlySet<string> = new Set([" ", "("]);

const unitsMs: Readonly<Record<string, number>> = {
  s: 1_000,
  sec: 1_000,
  secs: 1_000,
  second: 1_000,
  seconds: 1_000,
  m: 60_000,
  min: 60_000,
  mins: 60_000,
  minute: 60_000,
  minutes: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  hours: 3_600_000,
};

/** `words` in lower case and bounded. */
export function hintOf(words: string): number | undefined {
  let behind = 0;
  for (let at = 0; at < words.length; at++) {
    if (!isDigit(words, at)) continue;
    const end = digitsEnd(words, at);
    const waitMs = hasCue(words, Math.max(behind, at - CUE_REACH), at)
      ? durationAt(words, at, end)
      : undefined;
    if (waitMs !== undefined) return Math.min(HINT_MAX_MS, Math.max(HINT_MIN_MS, waitMs));
    behind = end;
    at = end;
  }
  return undefined;
}

/** `300 seconds`, `5min`, `00:05:00`. */
function durationAt(words: string, start: number, end: number): number | undefined {
  if (end - start > DIGITS_MAX || !before.has(words.charAt(start - 1))) return undefined;
  const count = Number(words.slice(start, end));
  const rest = clockAt(words, end);
  if (rest !== undefined) return (count * 3600 + rest) * 1000;
  const first = partAt(words, count, end);
  return first === undefined ? undefined : first.ms + restAt(words, first);
}

interface Part {
  readonly ms: number;
  readonly unitMs: number;
  /** Behind its unit. */
  readonly end: number;
}

function partAt(words: string, count: number, numberEnd: number): Part | undefined {
  const from = skipped(words, numberEnd, " ");
  let to = from;
  while (to < words.length && isLetter(words, to)) to++;
  const unitMs = unitsMs[words.slice(from, to)];
  return unitMs === undefined ? undefined : { ms: count * unitMs, unitMs, end: to };
}

/** What smaller units add: `2 minutes 30 seconds`, `4m59s`, `1 hour and 5 min`. */
function restAt(words: string, larger: Part): number {
  let at = skipped(words, larger.end, " ,");
  if (words.startsWith("and ", at)) at = skipped(words, at + 4, " ");
  const end = digitsEnd(words, at);
  if (end === at || end - at > DIGITS_MAX) return 0;
  const next = partAt(words, Number(words.slice(at, end)), end);
  return next === undefined || next.unitMs >= larger.unitMs ? 0 : next.ms + restAt(words, next);
}

function skipped(words: string, from: number, what: string): number {
  let at = from;
  while (at < words.length && what.includes(words.charAt(at))) at++;
  return at;
}

/** Seconds of `:05:00` at this place. */
function clockAt(words: string, at: number): number | undefined {
  if (words[at] !== ":" || words[at + 3] !== ":") return undefined;
  for (const digit of [at + 1, at + 2, at + 4, at + 5])
    if (!isDigit(words, digit)) return undefined;
  return Number(words.slice(at + 1, at + 3)) * 60 + Number(words.slice(at + 4, at + 6));
}

function hasCue(words: string, from: number, to: number): boolean {
  const near = words.slice(from, to);
  return cues.some((cue) => {
    const at = near.lastIndexOf(cue);
    if (at < 0) return false;
    return !isLetter(near, at - 1) && !isLetter(near, at + cue.length);
  });
}

function digitsEnd(words: string, start: number): number {
  let at = start;
  while (at < words.length && isDigit(words, at)) at++;
  return at;
}

function isDigit(words: string, at: number): boolean {
  const code = words.charCodeAt(at);
  return code >= 48 && code <= 57;
}

function isLetter(words: string, at: number): boolean {
  const code = words.charCodeAt(at);
  return code >= 97 && code <= 122;
}
