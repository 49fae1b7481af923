// Dot-stuffing (RFC 5321 4.5.2): a line that begins with a dot gets a second one, so that the lone dot ends the message.

export interface DotStuffer {
  /** The chunk as it goes on the wire; the same array when nothing had to be added. */
  stuff(chunk: Uint8Array): Uint8Array;
  /** What ends the message: the dot, and a CRLF before it when the body did not end in one. */
  end(): Uint8Array;
}

const LF = 10;
const CR = 13;
const DOT = 46;

const closing = Uint8Array.of(DOT, CR, LF);
const closingAfterText = Uint8Array.of(CR, LF, DOT, CR, LF);
const closingAfterCr = Uint8Array.of(LF, DOT, CR, LF);

/** For a body that comes in chunks. */
export function createDotStuffer(): DotStuffer {
  /** The last two octets; the beginning counts as the start of a line. */
  let before = CR;
  let last = LF;
  return {
    stuff(chunk) {
      if (chunk.length === 0) return chunk;
      const dots = countDots(chunk, last === LF);
      const startsLine = last === LF;
      before = chunk.length > 1 ? (chunk[chunk.length - 2] as number) : last;
      last = chunk[chunk.length - 1] as number;
      if (dots === 0) return chunk;
      const out = new Uint8Array(chunk.length + dots);
      copyStuffed(chunk, startsLine, out);
      return out;
    },
    end() {
      if (before === CR && last === LF) return closing;
      return last === CR ? closingAfterCr : closingAfterText;
    },
  };
}

export interface Around {
  /** Whole lines in ASCII that begin with no dot. */
  readonly front: string;
  /** The commands behind it. */
  readonly behind: string;
  /** Gives the buffer. */
  room(octets: number): Buffer;
}

const nothingAround: Around = { front: "", behind: "", room: Buffer.allocUnsafeSlow };

/** A whole body with its dot, and what is around it, in one buffer for one write. */
export function dotted(
  body: Uint8Array,
  { front, behind, room }: Around = nothingAround,
): Uint8Array {
  const dots = countDots(body, true);
  const end = endingOf(body);
  const endAt = front.length + body.length + dots;
  const out = room(endAt + end.length + Buffer.byteLength(behind));
  if (front !== "") out.write(front, "latin1");
  out.write(behind, endAt + end.length);
  if (dots === 0) out.set(body, front.length);
  else copyStuffed(body, true, front === "" ? out : out.subarray(front.length));
  out.set(end, endAt);
  return out;
}

function endingOf(body: Uint8Array): Uint8Array {
  const last = body.length === 0 ? LF : body[body.length - 1];
  const before = body.length === 0 ? CR : body[body.length - 2];
  if (before === CR && last === LF) return closing;
  return last === CR ? closingAfterCr : closingAfterText;
}

/** What to look for: the runtime's search for two octets takes a fiftieth of a loop over all of them. */
const dottedLine = Buffer.from("\n.", "latin1");

/** The place of the next dot that starts a line, from `from` on; -1 when there is none. */
function nextDot(chunk: Uint8Array, from: number): number {
  const at: number = Buffer.prototype.indexOf.call(chunk, dottedLine, from);
  return at === -1 ? -1 : at + 1;
}

function firstDot(chunk: Uint8Array, startsLine: boolean): number {
  return startsLine && chunk[0] === DOT ? 0 : nextDot(chunk, 0);
}

function countDots(chunk: Uint8Array, startsLine: boolean): number {
  let count = 0;
  for (let at = firstDot(chunk, startsLine); at !== -1; at = nextDot(chunk, at)) count++;
  return count;
}

function copyStuffed(chunk: Uint8Array, startsLine: boolean, out: Uint8Array): void {
  let from = 0;
  let to = 0;
  for (let at = firstDot(chunk, startsLine); at !== -1; at = nextDot(chunk, at)) {
    out.set(chunk.subarray(from, at), to);
    to += at - from;
    out[to++] = DOT;
    from = at;
  }
  out.set(chunk.subarray(from), to);
}
