// How many values a body may hold: a list of numbers takes ten times its text in memory once it is parsed, and one of empty objects forty
// times. Counted before anything is made of them.
import type { Problem } from "./problem.ts";
import { endOfString } from "./repeated.ts";

/** Six million numbers: an attachment of 6 MB as a list of bytes, or one of any size in base64. */
export const VALUES_MAX = 6_000_000;
/** What objects, lists and members cost beside the value itself, in values. */
export const HOLDER_COST = 4;
export const MEMBER_COST = 3;

export const tooManyValues: Problem = {
  name: "message_too_large",
  limit: "body_values",
  detail:
    `The body holds more than ${VALUES_MAX} values (body_values). ` +
    "Send attachments in base64, not as lists of numbers.",
};

const [QUOTE, COMMA, COLON, LIST, OBJECT] = [0x22, 0x2c, 0x3a, 0x5b, 0x7b];

/** Of JSON that may yet turn out to be none. */
export function holdsTooMany(text: string): boolean {
  // No character costs more.
  if (text.length * HOLDER_COST <= VALUES_MAX) return false;
  let cost = 0;
  for (let at = 0; at < text.length && cost <= VALUES_MAX; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = endOfString(text, at);
      if (at < 0) return false;
    } else if (code === COMMA) cost++;
    else if (code === COLON) cost += MEMBER_COST;
    else if (code === LIST || code === OBJECT) cost += HOLDER_COST;
  }
  return cost > VALUES_MAX;
}
