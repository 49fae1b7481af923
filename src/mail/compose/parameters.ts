// Parameters of Content-Type and Content-Disposition: tokens and quoted strings (RFC 2045 5.1), and what RFC 2231 adds for
// other scripts and for values that are longer than a line.
import { ENCODED_WORD_MAX, encodeWords } from "./encodedWord.ts";

/** Encoded characters in one piece: with ` filename*12*=` before it a line stays within 78. */
const PIECE_MAX = 56;
const HEX = "0123456789ABCDEF";

/** RFC 2045 `token`: no space, no control, no tspecial. */
export function isToken(text: string): boolean {
  return /^[!#$%&'*+\-.0-9A-Z^_`a-z{|}~]+$/.test(text);
}

/** Readers decode what looks like an encoded word, also where RFC 2047 5 allows none: such a value must not stand as it is. */
function isShortPlain(value: string): boolean {
  return value.length <= PIECE_MAX && /^[\x20-\x7e]*$/.test(value) && !value.includes("=?");
}

/** `name=value`, quoted if it must be, or continued and percent-encoded. Each element is one unbreakable word. */
export function parameterWords(name: string, value: string): string[] {
  if (isShortPlain(value)) return [`${name}=${isToken(value) ? value : quote(value)}`];
  const pieces = percentPieces(value);
  if (pieces.length === 1) return [`${name}*=${pieces[0]}`];
  return pieces.map((piece, i) => `${name}*${i}*=${piece}`);
}

/**
 * For readers older than RFC 2231: encoded words inside quotation marks. RFC 2047 5 forbids it, all of them read it, and it
 * stands only in Content-Type's `name`, which the others pass over in favour of Content-Disposition's `filename`.
 */
export function legacyNameWords(value: string): string[] {
  if (isShortPlain(value)) return [`name=${isToken(value) ? value : quote(value)}`];
  const words = encodeWords(value, "phrase", ENCODED_WORD_MAX - ' name="";'.length);
  return `name="${words.join(" ")}"`.split(" ");
}

/** A quoted string has no spaces at which it might be folded apart by `foldWords`: it stays one word. */
function quote(value: string): string {
  return `"${value.replace(/["\\]/g, "\\$&")}"`;
}

/** Whole characters in every piece, though RFC 2231 would allow to cut them. */
function percentPieces(value: string): string[] {
  const pieces: string[] = [];
  let piece = "utf-8''";
  for (const char of value) {
    const encoded = percentEncode(char);
    if (piece.length + encoded.length > PIECE_MAX) {
      pieces.push(piece);
      piece = "";
    }
    piece += encoded;
  }
  pieces.push(piece);
  return pieces;
}

/** RFC 2231 7 `attribute-char`: a token's characters but `*`, `'` and `%`. */
function percentEncode(char: string): string {
  if (/^[!#$&+\-.0-9A-Z^_`a-z{|}~]$/.test(char)) return char;
  let encoded = "";
  for (const byte of Buffer.from(char)) encoded += `%${HEX[byte >> 4]}${HEX[byte & 15]}`;
  return encoded;
}
