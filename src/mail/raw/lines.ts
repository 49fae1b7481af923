// Line ends of mail that others composed. A bare CR or LF is not a line end in SMTP, and servers disagree on what it is: that is
// how one message has been smuggled within another. So every one of them becomes CRLF, also across the borders of chunks.

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
