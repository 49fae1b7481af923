// The body of a message as DKIM hashes it: relaxed canonicalisation (RFC 6376 3.4.4), piece by piece in constant memory. Only CRLF
// is a line end here; a message has no other once it was accepted.
import { createHash, hash } from "node:crypto";

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

/** 1 for what is white space, and every octet with a space for a tab. */
const blankOf = Uint8Array.from({ length: 256 }, (_, octet) => Number(isBlank(octet)));
const spacedOf = Uint8Array.from({ length: 256 }, (_, octet) => (octet === TAB ? SPACE : octet));

/** `emit` gets views of a buffer that the next call overwrites. */
export function createRelaxedBody(
  emit: (octets: Uint8Array) => void,
  room: Uint8Array = new Uint8Array(0),
): RelaxedBody {
  /** White space was read, and it is not known yet whether the line goes on. */
  let blankBefore = false;
  /** A CR was read that an LF may follow. */
  let crBefore = false;
  /** Line ends that count only if more follows: empty lines at the end are dropped. */
  let endsBefore = 0;
  let empty = true;

  /** Line ends that do not fit into the room with what follows them. */
  const release = (lineEnds: number): number => {
    let left = lineEnds;
    for (; left > LINE_ENDS_AT_ONCE; left -= LINE_ENDS_AT_ONCE) emit(manyLineEnds);
    return left;
  };
  return {
    push(chunk) {
      const most = chunk.length + 2 * LINE_ENDS_AT_ONCE + 2;
      if (room.length < most) room = new Uint8Array(most);
      // Variables of this function alone: the loop runs over every octet, and shared ones cost it four times as much.
      const out = room;
      let length = 0;
      let blank = blankBefore;
      let cr = crBefore;
      let ends = endsBefore;
      let started = !empty;
      for (let i = 0; i < chunk.length; i++) {
        const octet = chunk[i] as number;
        if (cr && octet === LF) {
          cr = false;
          blank = false;
          ends++;
          continue;
        }
        if (!cr && (octet === SPACE || octet === TAB)) {
          blank = true;
          continue;
        }
        if (!cr && octet === CR) {
          cr = true;
          continue;
        }
        // Something that stays, so that all that was held back stays too.
        if (ends > LINE_ENDS_AT_ONCE) {
          if (length > 0) emit(out.subarray(0, length));
          length = 0;
          ends = release(ends);
        }
        for (; ends > 0; ends--) {
          out[length++] = CR;
          out[length++] = LF;
        }
        if (blank) out[length++] = SPACE;
        blank = false;
        started = true;
        if (cr) out[length++] = CR;
        cr = false;
        // Behind a bare CR the octet begins anew.
        if (octet === CR) cr = true;
        else if (octet === SPACE || octet === TAB) blank = true;
        else out[length++] = octet;
        if (blank || cr) continue;
        // The rest of the line, which is nearly all there is. Without branches, since nobody can foresee where words end.
        let last = 0;
        for (; i + 1 < chunk.length && chunk[i + 1] !== CR; i++) {
          const next = chunk[i + 1] as number;
          const isBlank = blankOf[next] as number;
          out[length] = spacedOf[next] as number;
          length += 1 - (last & isBlank);
          last = isBlank;
        }
        if (last === 1) {
          length--;
          blank = true;
        }
      }
      if (length > 0) emit(out.subarray(0, length));
      blankBefore = blank;
      crBefore = cr;
      endsBefore = ends;
      empty = !started;
    },
    end() {
      if (crBefore) {
        for (endsBefore = release(endsBefore); endsBefore > 0; endsBefore--) emit(oneLineEnd);
        emit(Uint8Array.from(blankBefore ? [SPACE, CR] : [CR]));
        empty = false;
      }
      // Also a last line that had no end of its own gets one; a body of empty lines is no body at all.
      if (!empty) emit(oneLineEnd);
    },
  };
}

/** The value of `bh=` for a body that comes in pieces. */
export function createBodyHash(room?: Uint8Array): {
  add(chunk: Uint8Array): void;
  digest(): string;
} {
  const sum = createHash("sha256");
  const body = createRelaxedBody((octets) => sum.update(octets), room);
  return {
    add: body.push,
    digest() {
      body.end();
      return sum.digest("base64");
    },
  };
}

/** For messages that are hashed in one go, so one at a time; a fresh one for each would be most of the work. */
const roomOfAll = new Uint8Array(65_536);
const twoSpaces = Buffer.from("  ");
const spaceAtEnd = Buffer.from(" \r");

/** The value of `bh=` for the part of `message` behind its header. */
export function bodyHashOf(message: Buffer, start: number): string {
  // Base64 and much text need nothing done to them. The runtime's searches take a fiftieth of a loop over all octets.
  const plain =
    message.indexOf(twoSpaces, start) < 0 &&
    message.indexOf(TAB, start) < 0 &&
    message.indexOf(spaceAtEnd, start) < 0;
  const end = plain ? contentEnd(message, start) : -1;
  if (end < 0) {
    const whole = createBodyHash(roomOfAll);
    whole.add(message.subarray(start));
    return whole.digest();
  }
  return hash("sha256", message.subarray(start, Math.max(start, end)), "base64");
}

/** Behind the CRLF of the last line that is not empty; -1 when the body does not end in CRLF. */
function contentEnd(message: Buffer, start: number): number {
  let end = message.length;
  if (end > start && !endsLine(message, start, end)) return -1;
  while (endsLine(message, start, end) && (end - 2 === start || endsLine(message, start, end - 2)))
    end -= 2;
  return end;
}

function endsLine(message: Buffer, start: number, end: number): boolean {
  return end - 2 >= start && message[end - 1] === LF && message[end - 2] === CR;
}

function isBlank(octet: number): boolean {
  return octet === SPACE || octet === TAB;
}
