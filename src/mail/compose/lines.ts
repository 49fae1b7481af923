// Line ends of texts: whatever they were, they are written as CRLF.
import { LINE_MUST } from "./headers.ts";

/** ASCII that 7bit can carry (RFC 2045 2.7), with bare LF for line ends: no NUL, no CR, no line longer than 998. */
export interface PlainLines {
  readonly kind: "lines";
  readonly text: string;
  /** Line ends in it, each of which becomes an octet longer. */
  readonly breaks: number;
}

/** Undefined: it is to be encoded. */
export function plainLines(text: string): PlainLines | undefined {
  if (text.includes("\0") || Buffer.byteLength(text) !== text.length) return undefined;
  let breaks = 0;
  let start = 0;
  for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
    if (end - start > LINE_MUST) return undefined;
    breaks++;
    start = end + 1;
  }
  return text.length - start > LINE_MUST ? undefined : { kind: "lines", text, breaks };
}

const [CR, LF] = [0x0d, 0x0a];

/**
 * All of it behind the room that its line ends will take, and line by line forward from there: a copy of the text with other line ends
 * costs twice as much. Returns where it ends.
 */
export function writeLines(into: Buffer, start: number, { text, breaks }: PlainLines): number {
  const behind = start + breaks;
  into.write(text, behind, "latin1");
  let at = start;
  let from = 0;
  for (let left = breaks; left > 0; left--) {
    const end = text.indexOf("\n", from);
    into.copyWithin(at, behind + from, behind + end);
    at += end - from;
    into[at++] = CR;
    into[at++] = LF;
    from = end + 1;
  }
  return behind + text.length;
}

/** Splitting it would leave an object for each line to the collector. */
export function withCrlf(text: string): string {
  if (!text.includes("\r")) return text.replaceAll("\n", "\r\n");
  return text.replace(/\r\n|\r|\n/g, "\r\n");
}
