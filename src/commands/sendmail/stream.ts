// Standard input as a message: up to a lone dot, with the lines of its header apart, and its body in pieces whatever its size.
import { isHeaderLine, isMailboxLine } from "./header.ts";

const LF = 0x0a;
const CR = 0x0d;
const DOT = 0x2e;

export interface DotEnd {
  /** What of the chunk belongs to the message; some octets may be kept back until more are known. */
  push(chunk: Uint8Array): Uint8Array;
  /** What was kept back. */
  rest(): Uint8Array;
  readonly ended: boolean;
}

/** Finds a line that is a single dot, whatever its line ends are. */
export function createDotEnd(): DotEnd {
  let held: Uint8Array = new Uint8Array(0);
  let atLineStart = true;
  let ended = false;
  return {
    push(chunk) {
      if (ended || chunk.length === 0) return new Uint8Array(0);
      const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      held = new Uint8Array(0);
      let at = 0;
      for (;;) {
        if (atLineStart && bytes[at] === DOT) {
          const end = dotLineEnd(bytes, at);
          if (end === "unknown") {
            held = bytes.slice(at);
            return bytes.subarray(0, at);
          }
          if (end) {
            ended = true;
            return bytes.subarray(0, at);
          }
        }
        const lf = bytes.indexOf(LF, at);
        atLineStart = lf >= 0;
        at = lf + 1;
        if (lf < 0 || at === bytes.length) return bytes;
      }
    },
    rest() {
      // The end of the input ends a line as well.
      const isDot = held.length > 0 && (held.length === 1 || held[1] === CR);
      if (isDot) ended = true;
      return isDot ? new Uint8Array(0) : held;
    },
    get ended() {
      return ended;
    },
  };
}

function dotLineEnd(bytes: Uint8Array, at: number): boolean | "unknown" {
  const next = bytes[at + 1];
  if (next === undefined) return "unknown";
  if (next === LF) return true;
  if (next !== CR) return false;
  const last = bytes[at + 2];
  return last === undefined ? "unknown" : last === LF;
}

/** The header may be as large as the door takes it. */
const HEAD_BYTES_MAX = 256 * 1024;

export type Head =
  | {
      readonly kind: "head";
      /** Latin-1, without line ends. */
      readonly lines: readonly string[];
      /** What came behind it so far. */
      readonly body: Uint8Array;
    }
  | { readonly kind: "too large" };

export interface HeadReader {
  /** Undefined: more is needed. */
  push(chunk: Uint8Array): Head | undefined;
  /** There is no more. */
  end(): Head;
}

export function createHeadReader(): HeadReader {
  let held: Buffer = Buffer.alloc(0);
  let at = 0;
  const lines: string[] = [];
  let seenLines = 0;

  /** The next whole line, or what is left of the input. */
  const step = (last: boolean): Head | undefined => {
    for (;;) {
      const lf = held.indexOf(LF, at);
      if (lf < 0 && !(last && at < held.length)) break;
      let end = lf < 0 ? held.length : lf;
      while (end > at && held[end - 1] === CR) end--;
      const next = lf < 0 ? held.length : lf + 1;
      // A CR within is no line end here, as it would be one to the daemon: what stands behind it is no field of its own.
      const line = held.toString("latin1", at, end).replaceAll("\r", " ");
      seenLines++;
      if (seenLines === 1 && isMailboxLine(line)) {
        at = next;
        continue;
      }
      if (line === "") return { kind: "head", lines, body: held.subarray(next) };
      // A program that writes no header at all, or forgets the empty line behind it.
      if (!isHeaderLine(line, lines.length === 0))
        return { kind: "head", lines, body: held.subarray(at) };
      lines.push(line);
      at = next;
    }
    if (held.length > HEAD_BYTES_MAX) return { kind: "too large" };
    return last ? { kind: "head", lines, body: new Uint8Array(0) } : undefined;
  };
  return {
    push(chunk) {
      held = Buffer.concat([held, chunk]);
      return step(false);
    },
    end: () => step(true) ?? { kind: "head", lines, body: new Uint8Array(0) },
  };
}

/** Octets of a line without its end (RFC 5322 2.1.1). */
const LINE_MAX = 998;

export interface LineBreaker {
  push(chunk: Uint8Array): Uint8Array;
}

/**
 * Breaks lines of a body that are longer than SMTP allows, at a blank where there is one, as other mail systems do for such programs:
 * they have no way to hear that their text was refused.
 */
export function createLineBreaker(): LineBreaker {
  /** Octets of the present line that have been given out. */
  let column = 0;
  return {
    push(chunk) {
      if (column + longestOf(chunk) <= LINE_MAX) {
        column = columnAfter(chunk, column);
        return chunk;
      }
      const pieces: Uint8Array[] = [];
      let start = 0;
      while (start < chunk.length) {
        const lf = chunk.indexOf(LF, start);
        const end = lf < 0 ? chunk.length : lf;
        let left = end - start - (lf > 0 && chunk[lf - 1] === CR ? 1 : 0);
        while (column + left > LINE_MAX) {
          const cut = cutAt(chunk, start, LINE_MAX - column);
          pieces.push(chunk.subarray(start, cut), NEW_LINE);
          left -= cut - start;
          start = cut;
          column = 0;
        }
        const next = lf < 0 ? chunk.length : lf + 1;
        pieces.push(chunk.subarray(start, next));
        column = lf < 0 ? column + (next - start) : 0;
        start = next;
      }
      return Buffer.concat(pieces);
    },
  };
}

const NEW_LINE = Uint8Array.of(CR, LF);
const BLANK = 0x20;
/** So far back a blank is looked for. */
const BLANK_SEARCH = 200;

/** Behind a blank, else between two characters of UTF-8. */
function cutAt(chunk: Uint8Array, start: number, room: number): number {
  const limit = start + room;
  for (let at = limit; at > start && at > limit - BLANK_SEARCH; at--)
    if (chunk[at - 1] === BLANK) return at;
  let at = limit;
  while (at > start && ((chunk[at] as number) & 0xc0) === 0x80) at--;
  return at > start ? at : limit;
}

function longestOf(chunk: Uint8Array): number {
  let longest = 0;
  let start = 0;
  for (;;) {
    const lf = chunk.indexOf(LF, start);
    const end = lf < 0 ? chunk.length : lf;
    if (end - start > longest) longest = end - start;
    if (lf < 0) return longest;
    start = lf + 1;
  }
}

function columnAfter(chunk: Uint8Array, before: number): number {
  const lf = chunk.lastIndexOf(LF);
  return lf < 0 ? before + chunk.length : chunk.length - lf - 1;
}
