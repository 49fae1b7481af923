// The bytes between DATA and the final dot, chunk by chunk: finds the end, and is strict about line
// ends, since a lone CR or LF is how mail is smuggled (RFC 5321 2.3.8 and 4.1.1.4). Only CRLF .
// CRLF ends the message.
import type { Tap } from "./dialogue.ts";

const CR = 13;
const LF = 10;
const DOT = 46;

type Place = "start" | "text" | "cr" | "dot" | "dot-cr";

export interface ContentFacts {
  readonly sizeBytes: number;
  readonly longestLineBytes: number;
  readonly eightBit: boolean;
  /** A CR without LF or an LF without CR was seen. */
  readonly bareLineEnd: boolean;
  /** As sent, dots still stuffed, without the final dot; cut at the limit given. */
  readonly kept: readonly Uint8Array[];
  readonly tap: Tap | undefined;
}

export interface ContentScanner {
  /** The index after the final dot's line, or -1 when the message goes on. */
  scan(chunk: Uint8Array, from: number): number;
  facts(): ContentFacts;
}

/** Up to `keptMax` bytes are kept as views of the chunks: the caller must not reuse its buffers. `tap` hears all of them. */
export function createContentScanner(keptMax: number, tap?: Tap): ContentScanner {
  let place: Place = "start";
  let sizeBytes = 0;
  let lineBytes = 0;
  let longestLineBytes = 0;
  let bits = 0;
  let bareLineEnd = false;
  let keptBytes = 0;
  const kept: Uint8Array[] = [];

  const keep = (chunk: Uint8Array, from: number, to: number): void => {
    tap?.add(chunk.subarray(from, to));
    const end = Math.min(to, from + keptMax - keptBytes);
    if (end <= from) return;
    kept.push(chunk.subarray(from, end));
    keptBytes += end - from;
  };

  const scan = (chunk: Uint8Array, from: number): number => {
    const length = chunk.length;
    let at = from;
    while (at < length) {
      let byte = chunk[at] as number;
      if (place === "text") {
        // The inner loop: plain text needs no decision.
        const textFrom = at;
        while (byte > CR || (byte !== CR && byte !== LF)) {
          bits |= byte;
          at++;
          if (at >= length) break;
          byte = chunk[at] as number;
        }
        lineBytes += at - textFrom;
        if (at >= length) break;
      }
      at++;
      if (byte === CR) {
        if (place === "cr" || place === "dot-cr") bareLineEnd = true;
        place = place === "dot" ? "dot-cr" : "cr";
      } else if (byte === LF) {
        if (place === "dot-cr") {
          sizeBytes += at - from;
          keep(chunk, from, at);
          return at;
        }
        if (place !== "cr") bareLineEnd = true;
        if (lineBytes > longestLineBytes) longestLineBytes = lineBytes;
        lineBytes = 0;
        place = place === "cr" ? "start" : "text";
      } else {
        if (place === "cr" || place === "dot-cr") bareLineEnd = true;
        bits |= byte;
        lineBytes++;
        place = place === "start" && byte === DOT ? "dot" : "text";
      }
    }
    sizeBytes += length - from;
    keep(chunk, from, length);
    return -1;
  };

  return {
    scan,
    facts: () => ({
      sizeBytes: Math.max(0, sizeBytes - FINAL_DOT_BYTES),
      longestLineBytes,
      eightBit: bits > 127,
      bareLineEnd,
      tap,
      kept: trimmed(kept, Math.min(keptBytes, Math.max(0, sizeBytes - FINAL_DOT_BYTES))),
    }),
  };
}

/** `.` CR LF */
const FINAL_DOT_BYTES = 3;

function trimmed(chunks: readonly Uint8Array[], sizeBytes: number): Uint8Array[] {
  const result: Uint8Array[] = [];
  let left = sizeBytes;
  for (const chunk of chunks) {
    if (left <= 0) break;
    result.push(chunk.length <= left ? chunk : chunk.subarray(0, left));
    left -= chunk.length;
  }
  return result;
}

/**
 * The message as its author wrote it: a dot that begins a line was doubled on the way (RFC 5321
 * 4.5.2). Chunk by chunk.
 */
export function createUnstuffer(): (chunk: Uint8Array) => Uint8Array {
  let lineStart = true;
  return (chunk) => {
    // Most chunks hold no such dot, and a search is quicker than a look at each byte.
    if (
      !(lineStart && chunk[0] === DOT) &&
      Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).indexOf("\n.") < 0
    ) {
      if (chunk.length > 0) lineStart = chunk[chunk.length - 1] === LF;
      return chunk;
    }
    const bytes = new Uint8Array(chunk.length);
    let length = 0;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i] as number;
      if (!(lineStart && byte === DOT)) bytes[length++] = byte;
      lineStart = byte === LF;
    }
    return bytes.subarray(0, length);
  };
}

export function unstuffed(chunks: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(chunks.map(createUnstuffer()));
}
