// What a client sends behind DATA, chunk by chunk: finds the end and takes the stuffed dots away (RFC 5321 4.5.2). Only CRLF . CRLF
// ends a message (4.1.1.4). A CR or LF that stands alone is no line end (2.3.8): servers that took it for one let a message be
// smuggled within another, so it is reported, and where a lone dot stands between such ends nobody can say what the client means.

const CR = 13;
const LF = 10;
const DOT = 46;

/**
 * `start`: behind a CRLF. `odd`: behind a line end that is none. `dot`, `oddDot`: a dot stands first in that line. `dotCr`: and a CR
 * behind it.
 */
type Place = "start" | "odd" | "text" | "cr" | "dot" | "oddDot" | "dotCr";

export type ContentStep =
  /** All of the chunk belongs to the message. */
  | "more"
  /** The message is whole. */
  | "end"
  /** A lone dot between wrong line ends: an end to some, text to others. */
  | "torn";

export interface ContentRead {
  readonly step: ContentStep;
  /** A view of the chunk, in which what is kept has closed up: a dot at the start of every line would make a piece of each. */
  readonly bytes: Uint8Array;
  /** Behind what was read. */
  readonly next: number;
}

export interface ContentReader {
  /** The chunk is nobody else's. */
  read(chunk: Uint8Array, from: number): ContentRead;
  /** A CR or LF has stood alone. */
  readonly bare: boolean;
}

export function createContentReader(): ContentReader {
  let place: Place = "start";
  let bare = false;

  /** The place behind an octet that is neither CR nor LF nor, at the start of a line, a dot. */
  const read = (chunk: Uint8Array, from: number): ContentRead => {
    let kept = from;
    let length = 0;
    const keep = (to: number): void => {
      if (kept > from + length) chunk.copyWithin(from + length, kept, to);
      length += to - kept;
    };
    for (let at = from; at < chunk.length; at++) {
      let byte = chunk[at] as number;
      if (place === "text") {
        // The inner loop: text needs no decision.
        while (byte > CR || (byte !== CR && byte !== LF)) {
          if (++at >= chunk.length) break;
          byte = chunk[at] as number;
        }
        if (at >= chunk.length) break;
      }
      const step = take(byte);
      if (step === "dot") {
        // The dot is dropped: it was stuffed, or it is the end.
        keep(at);
        kept = at + 1;
      } else if (step === "dotCr") kept = at + 1;
      else if (step !== "more") {
        return { step, bytes: chunk.subarray(from, from + length), next: at + 1 };
      }
    }
    keep(chunk.length);
    return { step: "more", bytes: chunk.subarray(from, from + length), next: chunk.length };
  };

  const take = (byte: number): ContentStep | "dot" | "dotCr" => {
    if (byte === CR) return takeCr();
    if (byte === LF) return takeLf();
    if (place === "dotCr") return "torn";
    if (place === "cr") {
      bare = true;
      place = "odd";
    }
    if (byte === DOT && (place === "start" || place === "odd")) {
      // Behind an odd line end the dot is text: no sender has stuffed it.
      const stuffed = place === "start";
      place = stuffed ? "dot" : "oddDot";
      return stuffed ? "dot" : "more";
    }
    place = "text";
    return "more";
  };

  const takeCr = (): ContentStep | "dotCr" => {
    if (place === "oddDot" || place === "dotCr") return "torn";
    if (place === "dot") {
      place = "dotCr";
      return "dotCr";
    }
    if (place === "cr") bare = true;
    place = "cr";
    return "more";
  };

  const takeLf = (): ContentStep => {
    if (place === "dotCr") return "end";
    if (place === "dot" || place === "oddDot") return "torn";
    if (place === "cr") place = "start";
    else {
      bare = true;
      place = "odd";
    }
    return "more";
  };

  return {
    read,
    get bare() {
      return bare;
    },
  };
}
