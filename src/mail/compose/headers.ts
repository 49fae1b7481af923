// Header fields as text: folding at 78 columns (RFC 5322 2.1.1), subjects, address lists, dates. Everything that comes from
// outside arrives in a brand that holds no line break (headerText.ts), so the only CR and LF are those written here.
import type { EpochMs } from "../../base/clock.ts";
import { isAtextCode, type Mailbox, parseMailboxes } from "../address.ts";
import { ENCODED_WORD_MAX, encodeWords, type WordPlace } from "./encodedWord.ts";
import type { HeaderText } from "./headerText.ts";

/** Columns of a line without its CRLF: what it should keep to, and what no server need take more of. */
const LINE_SHOULD = 78;
export const LINE_MUST = 998;

/** A longer run without a space is sent as encoded words, since it could not be folded. */
const WORD_MAX = 900;

/** Joins unbreakable words with spaces into a field, breaking lines where a space stands. Ends with CRLF. */
export function foldWords(name: string, words: readonly string[]): string {
  let field = `${name}:`;
  let column = field.length;
  let first = true;
  for (const word of words) {
    // RFC 2047 2: a line that holds an encoded word is at most 76 long.
    const should = word.startsWith("=?") ? ENCODED_WORD_MAX + 1 : LINE_SHOULD;
    if (!first && column + 1 + word.length > should && word !== "") {
      field += "\r\n";
      column = 0;
    }
    field += ` ${word}`;
    column += 1 + word.length;
    first = false;
  }
  return `${field}\r\n`;
}

/** An unstructured field such as Subject: what the reader sees is `text`, to the last space. */
export function textField(name: string, text: HeaderText): string {
  // Short and plain, as most subjects are: nothing to fold, nothing to encode.
  if (name.length + 2 + text.length <= LINE_SHOULD && isPlain(text)) return `${name}: ${text}\r\n`;
  if (!needsWords(text)) return foldWords(name, text.split(" "));
  return foldWords(name, encodedWords(name, text, "text"));
}

/** A field that the caller wrote, perhaps structured: only folded, and encoded only when it could not stand otherwise. */
export function callerField(name: string, text: HeaderText): string {
  if (name.length + 2 + text.length <= LINE_SHOULD && isPlain(text)) return `${name}: ${text}\r\n`;
  // Two blanks stay two, since in a field that is free text they may mean something; a line begins with a word, so that none is blank.
  const words = text.trim().split(/ (?=[^ \t])/);
  if (isAscii(text) && words.every((word) => word.length <= WORD_MAX))
    return foldWords(name, words);
  const list = ADDRESS_FIELDS.has(name.toLowerCase()) ? parseMailboxes(text) : undefined;
  // RFC 2047 5: an encoded word may stand in a name, and never in an address.
  return list?.kind === "ok" && list.value.every(({ utf8 }) => !utf8)
    ? mailboxField(name, list.value)
    : foldWords(name, encodedWords(name, text, "text"));
}

/** Fields of a caller that are lists of mailboxes. */
const ADDRESS_FIELDS = new Set([
  ...["sender", "resent-from", "resent-sender", "resent-to", "resent-cc", "resent-reply-to"],
  ...["disposition-notification-to", "return-receipt-to", "errors-to", "mail-followup-to"],
]);

/** An address field; no mailboxes at all is the empty group that RFC 5322 A.1.3 shows. */
export function mailboxField(name: string, mailboxes: readonly Mailbox[]): string {
  const only = mailboxes[0];
  if (only === undefined) return `${name}: undisclosed-recipients:;\r\n`;
  if (mailboxes.length === 1) {
    // One plain mailbox on one line, as in most mail.
    if (only.name === "") return `${name}: ${only.address}\r\n`;
    const length = name.length + only.name.length + only.address.length + ":  <>".length;
    if (length <= LINE_SHOULD && isPlain(only.name) && isAtoms(only.name))
      return `${name}: ${only.name} <${only.address}>\r\n`;
  }
  const words: string[] = [];
  for (const [i, mailbox] of mailboxes.entries()) {
    const end = i === mailboxes.length - 1 ? "" : ",";
    if (mailbox.name === "") words.push(mailbox.address + end);
    else words.push(...phraseWords(name, mailbox.name), `<${mailbox.address}>${end}`);
  }
  return foldWords(name, words);
}

function phraseWords(field: string, name: HeaderText): readonly string[] {
  if (needsWords(name)) return encodedWords(field, name, "phrase");
  if (isAtoms(name)) return name.split(" ");
  const words = `"${name.replace(/["\\]/g, "\\$&")}"`.split(" ");
  return words.every((word) => word.length <= WORD_MAX)
    ? words
    : encodedWords(field, name, "phrase");
}

function encodedWords(field: string, text: string, place: WordPlace): string[] {
  return encodeWords(text, place, ENCODED_WORD_MAX + 1 - field.length - 2);
}

/** RFC 5322 3.3, always in UTC. Messages of one second share their text. */
export function formatDate(at: EpochMs): string {
  const second = Math.floor(at / 1000);
  if (second !== lastDate.second)
    lastDate = { second, text: `${new Date(at).toUTCString().slice(0, -3)}+0000` };
  return lastDate.text;
}

let lastDate = { second: Number.NaN, text: "" };

const SPACE = 0x20;

/** ASCII, no encoded word, nothing that folding or a reader might change. */
function isPlain(text: string): boolean {
  let previous = SPACE;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < SPACE || code > 126) return false;
    if (code === SPACE && previous === SPACE) return false;
    // "=?" begins an encoded word: a text that only looks like one must not be decoded.
    if (code === 0x3f && previous === 0x3d) return false;
    previous = code;
  }
  return previous !== SPACE;
}

function needsWords(text: string): boolean {
  if (!isPlain(text)) return true;
  return text.length > WORD_MAX && text.split(" ").some((word) => word.length > WORD_MAX);
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

/** Words of `atext` only: a phrase that needs no quotation marks (RFC 5322 3.2.5). */
function isAtoms(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code !== SPACE && !isAtextCode(code)) return false;
  }
  return true;
}
