// Replies of a server, read from whatever chunks the network makes of them (RFC 5321 4.2). A server is not trusted: its lines are
// bounded, its text is made harmless, and what is no reply ends the connection.
import { harmless } from "./text.ts";

export interface Reply {
  readonly code: number;
  /** RFC 3463, such as `5.1.1`; empty when absent or when its class contradicts the code (RFC 2034 4). */
  readonly enhanced: string;
  /** The texts without code, harmless and bounded; at least one. */
  readonly lines: readonly string[];
}

/** The first digit: 2 done, 3 go on, 4 not now, 5 never. */
export const classOf = (reply: Reply): number => Math.floor(reply.code / 100);

export const REPLY_LIMITS = {
  /** Of a longer line only so much is kept. RFC 5321 4.5.3.1.5 allows 512 octets. */
  lineKeptOctets: 4096,
  /** All lines of one reply together. */
  replyOctets: 65_536,
  lines: 200,
} as const;

export type ParserState =
  | { readonly kind: "fine" }
  /** The server does not speak SMTP; nothing after it can be believed. */
  | { readonly kind: "broken"; readonly why: string };

export interface ReplyParser {
  /** Hands each finished reply to `heard`. After `broken` it stays broken. */
  feed(chunk: Uint8Array, heard: (reply: Reply) => void): ParserState;
  /** True when part of a reply has been read. */
  midReply(): boolean;
}

const FINE: ParserState = { kind: "fine" };

export function createReplyParser(): ReplyParser {
  let state: ParserState = FINE;
  /** The unfinished line, as latin1 so that one character is one octet. */
  let rest = "";
  let lines: string[] = [];
  let code = 0;
  let octets = 0;

  const fail = (why: string): ParserState => {
    rest = "";
    lines = [];
    state = { kind: "broken", why };
    return state;
  };

  /** Takes one whole line without its line end; a text when it is none. */
  const take = (text: string, heard: (reply: Reply) => void): string | undefined => {
    const known = lines.length === 0 ? wellKnown.get(text) : undefined;
    if (known !== undefined) {
      octets = 0;
      heard(known);
      return undefined;
    }
    const found = codeOf(text);
    if (found === 0) return "a line is no SMTP reply";
    if (lines.length > 0 && found !== code) return "the code changes within a reply";
    code = found;
    lines.push(text.length > 4 ? text.slice(4, 4 + REPLY_LIMITS.lineKeptOctets) : "");
    if (lines.length > REPLY_LIMITS.lines) return "a reply has too many lines";
    if (text.charCodeAt(3) === HYPHEN) return undefined;
    const reply = replyOf(code, lines);
    if (lines.length === 1 && text.length <= KNOWN_OCTETS_MAX && wellKnown.size < KNOWN_MAX)
      wellKnown.set(text, reply);
    lines = [];
    octets = 0;
    heard(reply);
    return undefined;
  };

  return {
    feed(chunk, heard) {
      if (state.kind === "broken") return state;
      let text = latin1(chunk);
      if (rest !== "") {
        // A line that comes octet by octet is only put together at its end.
        const ends = text.includes("\n");
        text = rest + text;
        if (!ends) {
          rest = text;
          return octets + text.length > REPLY_LIMITS.replyOctets
            ? fail("a reply is too long")
            : state;
        }
      }
      let from = 0;
      for (;;) {
        const end = text.indexOf("\n", from);
        if (end === -1) break;
        octets += end - from;
        if (octets > REPLY_LIMITS.replyOctets) return fail("a reply is too long");
        const last = end > from && text.charCodeAt(end - 1) === 13 ? end - 1 : end;
        const fault = take(text.slice(from, last), heard);
        if (fault !== undefined) return fail(fault);
        from = end + 1;
      }
      rest = from === 0 ? text : text.slice(from);
      if (octets + rest.length > REPLY_LIMITS.replyOctets) return fail("a reply is too long");
      return state;
    },
    midReply: () => rest !== "" || lines.length > 0,
  };
}

/** Most replies are the same few words again and again: `250 2.1.5 Ok`. They are read once. */
const wellKnown = new Map<string, Reply>();
const KNOWN_MAX = 256;
const KNOWN_OCTETS_MAX = 48;

const DOT = 46;
const HYPHEN = 45;
const SPACE = 32;
const ZERO = 48;

/** The code of a line, or 0 when the line does not begin like a reply. A bare code counts (RFC 5321 4.2: clients should take it). */
function codeOf(text: string): number {
  if (text.length < 3) return 0;
  const separator = text.length === 3 ? SPACE : text.charCodeAt(3);
  if (separator !== SPACE && separator !== HYPHEN) return 0;
  const high = text.charCodeAt(0) - ZERO;
  const middle = text.charCodeAt(1) - ZERO;
  const low = text.charCodeAt(2) - ZERO;
  if (high < 2 || high > 5 || middle < 0 || middle > 9 || low < 0 || low > 9) return 0;
  return high * 100 + middle * 10 + low;
}

function replyOf(code: number, raw: readonly string[]): Reply {
  const enhanced = enhancedOf(raw[0] ?? "", code);
  if (enhanced === "") return { code, enhanced, lines: raw.map(harmless) };
  // The code is repeated on each line by most servers; it says nothing new there.
  const skip = enhanced.length;
  const lines = raw.map((text) =>
    harmless(text.startsWith(enhanced) ? text.slice(skip).trimStart() : text),
  );
  return { code, enhanced, lines };
}

/** `class.subject.detail`, each of the last two one to three digits (RFC 3463 2). */
function enhancedOf(text: string, code: number): string {
  // A loop, since a regular expression here was a tenth of a reply's whole cost.
  if (text.charCodeAt(1) !== DOT || text.charCodeAt(0) - ZERO !== Math.floor(code / 100)) return "";
  const subjectEnd = digitsFrom(text, 2);
  if (subjectEnd === 2 || text.charCodeAt(subjectEnd) !== DOT) return "";
  const end = digitsFrom(text, subjectEnd + 1);
  if (end === subjectEnd + 1 || (end < text.length && text.charCodeAt(end) !== SPACE)) return "";
  return text.slice(0, end);
}

/** The end of at most three digits. */
function digitsFrom(text: string, start: number): number {
  let at = start;
  while (at < start + 3 && text.charCodeAt(at) >= ZERO && text.charCodeAt(at) <= ZERO + 9) at++;
  return at;
}

function latin1(chunk: Uint8Array): string {
  if (Buffer.isBuffer(chunk)) return chunk.toString("latin1");
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString("latin1");
}

/** The words of a reply as one line. */
export function wordsOf(reply: Reply): string {
  return reply.lines.length === 1 ? (reply.lines[0] ?? "") : reply.lines.join(" ");
}
