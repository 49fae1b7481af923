// Encoded words (RFC 2047): how text beyond ASCII stands in a header. Always UTF-8, and every word holds whole characters, since
// readers may decode each by itself (section 5). A sequence of several code points, as many emoji are, may cross a border.

/** RFC 2047 2: a word and its delimiters. */
export const ENCODED_WORD_MAX = 75;
const PREFIX = "=?UTF-8?B?";
const SUFFIX = "?=";
const FRAME = PREFIX.length + SUFFIX.length;

/** Where the words stand: in a phrase (a display name) RFC 2047 5 (3) allows far fewer characters to stand for themselves. */
export type WordPlace = "text" | "phrase";

/**
 * The words, to be joined with folding white space, which readers drop between them. The first one is at most `firstMax` long,
 * so that it fits behind the field name.
 */
export function encodeWords(text: string, place: WordPlace, firstMax: number): string[] {
  const bytes = Buffer.from(text);
  const plain = place === "text" ? PLAIN_IN_TEXT : PLAIN_IN_PHRASE;
  const base64 = preferBase64(bytes, plain);
  const words: string[] = [];
  let room = Math.min(firstMax, ENCODED_WORD_MAX) - FRAME;
  for (let start = 0; start < bytes.length;) {
    const end = base64 ? fitBase64(bytes, start, room) : fitQ(bytes, start, room, plain);
    const part = bytes.subarray(start, end);
    words.push(base64 ? PREFIX + part.toString("base64") + SUFFIX : toQ(part, plain));
    start = end;
    room = ENCODED_WORD_MAX - FRAME;
  }
  return words;
}

/** B when more than half is not ASCII, since some servers choke on long runs of Q; else whichever is shorter. */
function preferBase64(bytes: Uint8Array, plain: Uint8Array): boolean {
  let beyond = 0;
  let escaped = 0;
  for (const byte of bytes) {
    if (byte > 127) beyond++;
    if (byte > 127 || plain[byte] === 0) escaped++;
  }
  return beyond * 2 > bytes.length || bytes.length + 2 * escaped > Math.ceil(bytes.length / 3) * 4;
}

/** The first octet behind the longest run of whole characters from `start` that fits; at least one character. */
function fitBase64(bytes: Uint8Array, start: number, room: number): number {
  return wholeCharacters(bytes, start, start + Math.floor(room / 4) * 3);
}

function fitQ(bytes: Uint8Array, start: number, room: number, plain: Uint8Array): number {
  let end = start;
  for (let used = 0; end < bytes.length; end++) {
    used += plain[bytes[end] as number] === 0 ? 3 : 1;
    if (used > room) break;
  }
  return wholeCharacters(bytes, start, end);
}

function wholeCharacters(bytes: Uint8Array, start: number, limit: number): number {
  if (limit >= bytes.length) return bytes.length;
  let end = limit;
  while (end > start && isContinuation(bytes[end])) end--;
  if (end > start) return end;
  // Room for less than one character: it is taken whole all the same.
  for (end = start + 1; isContinuation(bytes[end]);) end++;
  return end;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}

const HEX = "0123456789ABCDEF";
const SPACE = 0x20;

function toQ(bytes: Uint8Array, plain: Uint8Array): string {
  let word = "=?UTF-8?Q?";
  for (const byte of bytes) {
    if (byte === SPACE) word += "_";
    else if (plain[byte] === 1) word += String.fromCharCode(byte);
    else word += `=${HEX[byte >> 4]}${HEX[byte & 15]}`;
  }
  return word + SUFFIX;
}

/** 1 for octets that take one place in a Q word; the space is written as an underscore. */
function table(marks: string): Uint8Array {
  const plain = new Uint8Array(256);
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ";
  for (const char of letters + marks) plain[char.charCodeAt(0)] = 1;
  return plain;
}
const PLAIN_IN_PHRASE = table("!*+-/");
const PLAIN_IN_TEXT = table("!*+-/.,:;'#$%&()<>@[]{}|~^`\"\\");
