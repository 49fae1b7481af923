// The body of a message as DKIM hashes it: relaxed canonicalisation (RFC 6376 3.4.4), piece by piece in constant memory. Only CRLF
// is a line end here; a message has no other once it was accepted.
import { createHash } from "node:crypto";

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;

export interface RelaxedBody {
  push(chunk: Uint8Array): void;
  end(): void;
}

/** Line ends that are held back are written in one go up to here. */
const LINE_ENDS_AT_ONCE = 512;
const manyLineEnds = Buffer.from("\r\n".repeat(LINE_ENDS_AT_ONCE));
const oneLineEnd = manyLineEnds.subarray(0, 2);

/** `emit` gets views of a buffer that the next call overwrites. */
export function createRelaxedBody(emit: (octets: Uint8Array) => void): RelaxedBody {
  let room = new Uint8Array(0);
  let length = 0;
  /** White space was read, and it is not known yet whether the line goes on. */
  let blank = false;
  /** A CR was read that an LF may follow. */
  let cr = false;
  /** Line ends that count only if more follows: empty lines at the end are dropped. */
  let lineEnds = 0;
  let empty = true;

  const flush = (): void => {
    if (length > 0) emit(room.subarray(0, length));
    length = 0;
  };
  /** What was held back in front of an octet that stays. */
  const release = (): void => {
    if (lineEnds > LINE_ENDS_AT_ONCE) flush();
    for (; lineEnds > LINE_ENDS_AT_ONCE; lineEnds -= LINE_ENDS_AT_ONCE) emit(manyLineEnds);
    for (; lineEnds > 0; lineEnds--) {
      room[length++] = CR;
      room[length++] = LF;
    }
    if (blank) room[length++] = SPACE;
    blank = false;
    empty = false;
  };
  return {
    push(chunk) {
      const most = chunk.length + 2 * LINE_ENDS_AT_ONCE + 2;
      if (room.length < most) room = new Uint8Array(most);
      for (let i = 0; i < chunk.length; i++) {
        const octet = chunk[i] as number;
        if (cr) {
          cr = false;
          if (octet === LF) {
            blank = false;
            lineEnds++;
            continue;
          }
          release();
          room[length++] = CR;
        }
        if (octet === CR) cr = true;
        else if (octet === SPACE || octet === TAB) blank = true;
        else {
          if (blank || lineEnds > 0 || empty) release();
          room[length++] = octet;
        }
      }
      flush();
    },
    end() {
      if (cr) {
        release();
        room[length++] = CR;
      }
      flush();
      // Also a last line that had no end of its own gets one; a body of empty lines is no body at all.
      if (!empty) emit(oneLineEnd);
    },
  };
}

/** The value of `bh=` for a body that comes in pieces. */
export function createBodyHash(): { add(chunk: Uint8Array): void; digest(): string } {
  const hash = createHash("sha256");
  const body = createRelaxedBody((octets) => hash.update(octets));
  return {
    add: body.push,
    digest() {
      body.end();
      return hash.digest("base64");
    },
  };
}

const twoSpaces = Buffer.from("  ");
const spaceAtEnd = Buffer.from(" \r");

/** The value of `bh=` for the part of `message` behind its header. */
export function bodyHashOf(message: Buffer, start: number): string {
  // Most text needs nothing done to it. The runtime's searches take a fiftieth of a loop over all octets.
  const plain =
    message.indexOf(twoSpaces, start) < 0 &&
    message.indexOf(TAB, start) < 0 &&
    message.indexOf(spaceAtEnd, start) < 0;
  const end = plain ? contentEnd(message, start) : -1;
  if (end < 0) {
    const hash = createBodyHash();
    hash.add(message.subarray(start));
    return hash.digest();
  }
  const hash = createHash("sha256");
  if (end > start) hash.update(message.subarray(start, end));
  return hash.digest("base64");
}

/** Behind the CRLF of the last line that is not empty; -1 when the body does not end in CRLF. */
function contentEnd(message: Buffer, start: number): number {
  let end = message.length;
  const isLineEnd = (at: number): boolean =>
    at - 2 >= start && message[at - 1] === LF && message[at - 2] === CR;
  if (end > start && !isLineEnd(end)) return -1;
  while (isLineEnd(end) && (end - 2 === start || isLineEnd(end - 2))) end -= 2;
  return end;
}
