// Quoted-printable (RFC 2045 6.7) for text: any octets in, lines of at most 76 out, line ends kept as line ends. One pass over
// bytes with the output's size known before, so nothing grows.

const LINE_MAX = 76;
const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const EQUALS = 0x3d;
const DOT = 0x2e;
const LETTER_F = 0x46;

const HEX = Buffer.from("0123456789ABCDEF", "latin1");

/** `text` has CRLF line ends only; so has the result, which never holds an octet above 126. */
export function quotedPrintable(text: Uint8Array): Uint8Array {
  const out = new Uint8Array(lengthMax(text));
  let length = 0;
  let column = 0;
  for (let i = 0; i < text.length; i++) {
    const byte = text[i] as number;
    if (column < LINE_MAX - 1 && ORDINARY[byte] === 1) {
      out[length++] = byte;
      column++;
      continue;
    }
    if (byte === CR && text[i + 1] === LF) {
      out[length++] = CR;
      out[length++] = LF;
      column = 0;
      i++;
      continue;
    }
    const atLineEnd = i + 1 === text.length || (text[i + 1] === CR && text[i + 2] === LF);
    const escape = mustEscape(byte, column, atLineEnd);
    const width = escape ? 3 : 1;
    // The last column is kept for the "=" of a soft break, unless the line ends here anyway.
    if (column + width > (atLineEnd ? LINE_MAX : LINE_MAX - 1)) {
      out[length++] = EQUALS;
      out[length++] = CR;
      out[length++] = LF;
      column = 0;
    }
    column += width;
    if (escape) {
      out[length++] = EQUALS;
      out[length++] = HEX[byte >> 4] as number;
      out[length++] = HEX[byte & 15] as number;
    } else out[length++] = byte;
  }
  return out.subarray(0, length);
}

/** 1 for octets that stand for themselves wherever they stand. */
const ORDINARY = new Uint8Array(256).fill(1, SPACE + 1, 0x7f);
for (const byte of [EQUALS, DOT, LETTER_F]) ORDINARY[byte] = 0;

/** Counted rather than assumed: text that is all escapes is three times as long, most text hardly longer. */
function lengthMax(text: Uint8Array): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    if (ORDINARY[text[i] as number] === 0) length += 2;
  }
  return length + Math.ceil(length / (LINE_MAX - 3)) * 3;
}

function mustEscape(byte: number, column: number, atLineEnd: boolean): boolean {
  if (byte === SPACE || byte === TAB) return atLineEnd;
  if (byte < 0x21 || byte > 0x7e || byte === EQUALS) return true;
  // A leading dot and "From " are what careless relays change (RFC 2049 3, rule 1 and note).
  return column === 0 && (byte === DOT || byte === LETTER_F);
}
