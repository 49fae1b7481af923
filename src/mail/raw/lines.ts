// Line ends of mail that others composed. A bare CR or LF is not a line end in SMTP, and servers disagree on what it is: that is
// how one message has been smuggled within another. So every one of them becomes CRLF, also across the borders of chunks.
import { isAscii } from "node:buffer";

const CR = 0x0d;
const LF = 0x0a;

export interface LineNormaliser {
  /** The chunk itself when nothing had to change, else a changed copy. */
  push(chunk: Uint8Array): Uint8Array;
  /** The line end that is missing at the end; empty when none is. */
  end(): Uint8Array;
  /** An octet above 127 was seen. */
  readonly eightBit: boolean;
  /** Octets of the longest line so far, its CRLF not counted. */
  readonly longestLine: number;
}

const LINE_END = Uint8Array.of(CR, LF);
const NOTHING = new Uint8Array(0);

export function createLineNormaliser(): LineNormaliser {
  /** The last chunk ended in a CR, which was given out as a whole CRLF: its LF, if it comes, is to be dropped. */
  let dropLf = false;
  let bits = 0;
  let column = 0;
  let longest = 0;

  /** Counts what must be added or dropped, so that most chunks pass without being copied. */
  const survey = (chunk: Uint8Array): { readonly added: number; readonly dropped: boolean } => {
    let added = 0;
    const dropped = dropLf && chunk[0] === LF;
    for (let i = dropped ? 1 : 0; i < chunk.length; i++) {
      const byte = chunk[i] as number;
      if (byte > CR || (byte !== CR && byte !== LF)) {
        bits |= byte;
        column++;
        continue;
      }
      if (column > longest) longest = column;
      column = 0;
      if (byte === CR && chunk[i + 1] === LF) i++;
      else added++;
    }
    return { added, dropped };
  };

  return {
    push(chunk) {
      if (chunk.length === 0) return chunk;
      const { added, dropped } = survey(chunk);
      dropLf = chunk[chunk.length - 1] === CR;
      const rest = dropped ? chunk.subarray(1) : chunk;
      return added === 0 ? rest : rewrite(rest, added);
    },
    end() {
      const open = column > 0;
      if (column > longest) longest = column;
      column = 0;
      return open ? LINE_END : NOTHING;
    },
    get eightBit() {
      return bits > 127;
    },
    get longestLine() {
      return Math.max(longest, column);
    },
  };
}

/**
 * For a door that has already refused every other line end than CRLF: all passes unchanged. Lines of up to `enough` octets are not
 * measured one by one, so that most of a message is leapt over.
 */
export function createLineMeasure(enough: number): LineNormaliser {
  let eightBit = false;
  /** Octets since the last LF, a last CR among them. */
  let column = 0;
  let longest = 0;
  let endsInCr = false;
  const measure = (chunk: Buffer): void => {
    let start = 0;
    for (;;) {
      // The last line end within reach: no line before it can be longer than that.
      const near = start + enough - column + 1;
      let lf = near < start ? -1 : chunk.lastIndexOf(LF, near);
      if (lf < start) {
        lf = chunk.indexOf(LF, start);
        const end = lf < 0 ? chunk.length : lf + 1;
        column += end - start;
        if (lf >= 0) longest = Math.max(longest, column - 2);
      }
      if (lf < 0) return;
      column = 0;
      start = lf + 1;
    }
  };
  return {
    push(chunk) {
      if (chunk.length === 0) return chunk;
      eightBit ||= !isAscii(chunk);
      measure(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length));
      endsInCr = chunk[chunk.length - 1] === CR;
      return chunk;
    },
    end: () => (column > 0 ? LINE_END : NOTHING),
    get eightBit() {
      return eightBit;
    },
    get longestLine() {
      return Math.max(longest, endsInCr ? column - 1 : column);
    },
  };
}

function rewrite(chunk: Uint8Array, added: number): Uint8Array {
  const out = new Uint8Array(chunk.length + added);
  let length = 0;
  for (let i = 0; i < chunk.length; i++) {
    const byte = chunk[i] as number;
    if (byte !== CR && byte !== LF) {
      out[length++] = byte;
      continue;
    }
    out[length++] = CR;
    out[length++] = LF;
    if (byte === CR && chunk[i + 1] === LF) i++;
  }
  return out;
}
