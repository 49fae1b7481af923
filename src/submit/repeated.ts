// JSON that names a member of an object twice (RFC 8259 4): the runtime's parser keeps the last without a word, and what the first one
// said would be lost. Members are counted in the text and in what was parsed of it, which costs less than a tenth of parsing; where the
// two differ, the text is read once more for the place.
import { type Fault, pointerOf } from "./problem.ts";

/** `value` is what `JSON.parse` made of `text`, of bounded depth. */
export function repeatedMember(text: string, value: unknown): Fault | undefined {
  if (membersIn(text) === membersOf(value)) return undefined;
  const path = firstRepeated(text);
  if (path === undefined) return undefined;
  const name = JSON.stringify(String(path.at(-1)).slice(0, SHOWN_MAX));
  const detail = `${name} is given twice, and only one of them could count. Remove the other.`;
  return { pointer: pointerOf(path), code: "conflict", detail };
}

const SHOWN_MAX = 60;
const QUOTE = '"';
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/** Strings that a colon follows. The text is valid, so that quotation marks come in pairs. */
function membersIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf(QUOTE); at >= 0;) {
    const next = behindBlanks(text, endOfString(text, at) + 1);
    if (text.charCodeAt(next) === COLON) count++;
    at = text.indexOf(QUOTE, next);
  }
  return count;
}

/** The index of the quotation mark that ends the string beginning at `start`; -1 where none does. */
export function endOfString(text: string, start: number): number {
  let end = text.indexOf(QUOTE, start + 1);
  while (isEscaped(text, end)) end = text.indexOf(QUOTE, end + 1);
  return end;
}

/** Behind an odd number of backslashes. */
function isEscaped(text: string, at: number): boolean {
  let before = at - 1;
  while (text.charCodeAt(before) === BACKSLASH) before--;
  return (at - before) % 2 === 0;
}

function behindBlanks(text: string, from: number): number {
  let at = from;
  for (let code = text.charCodeAt(at); code === 0x20 || (code >= 0x09 && code <= 0x0d);)
    code = text.charCodeAt(++at);
  return at;
}

function membersOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  let count = 0;
  if (Array.isArray(value)) {
    for (const item of value as unknown[])
      if (typeof item === "object" && item !== null) count += membersOf(item);
    return count;
  }
  for (const name in value) {
    count++;
    const member = (value as Readonly<Record<string, unknown>>)[name];
    if (typeof member === "object" && member !== null) count += membersOf(member);
  }
  return count;
}

/** An object or a list that is being read. */
interface Place {
  /** Null for a list. */
  readonly names: Set<string> | null;
  /** The member or the item that is being read. */
  step: PropertyKey;
}

function firstRepeated(text: string): readonly PropertyKey[] | undefined {
  const places: Place[] = [];
  for (let at = 0; at < text.length; at++) {
    const place = places.at(-1);
    switch (text[at]) {
      case "{":
        places.push({ names: new Set(), step: "" });
        break;
      case "[":
        places.push({ names: null, step: 0 });
        break;
      case "}":
      case "]":
        places.pop();
        break;
      case ",":
        if (place?.names === null) place.step = Number(place.step) + 1;
        break;
      case QUOTE: {
        const end = endOfString(text, at);
        const isName = text.charCodeAt(behindBlanks(text, end + 1)) === COLON;
        if (isName && place !== undefined) {
          place.step = JSON.parse(text.slice(at, end + 1)) as string;
          if (place.names?.has(place.step) === true) return places.map(({ step }) => step);
          place.names?.add(place.step);
        }
        at = end;
        break;
      }
      default:
    }
  }
  return undefined;
}
