// The reply of a web server, read as it comes (RFC 9112). Nothing is kept but the head, which is bounded; the body is handed on piece by
// piece. Whatever could be read in two ways is refused, and nothing is ever unpacked.

export interface ReplyHead {
  readonly status: number;
  /** Names in lower case; of a name that stands several times the last value. */
  readonly headers: ReadonlyMap<string, string>;
}

/**
 * - `more`: not all of it is there yet.
 * - `done`: the connection may be used again when `reusable`.
 */
export type ReplyStep =
  | { readonly kind: "more" }
  | { readonly kind: "done"; readonly reusable: boolean }
  | { readonly kind: "bad"; readonly why: string };

export interface ReplyReader {
  push(bytes: Buffer): ReplyStep;
  /** The server has closed its side. */
  end(): ReplyStep;
  /** Undefined until it is complete. */
  head(): ReplyHead | undefined;
}

export const HEAD_BYTES_MAX = 16_384;
/** The size of a chunk with what may stand behind it, and all the trailers together. */
const CHUNK_LINE_BYTES_MAX = 1024;
const TRAILER_BYTES_MAX = 8192;

type Phase =
  | { readonly at: "head" }
  | { readonly at: "length"; left: number }
  | { readonly at: "chunkSize" }
  | { readonly at: "chunk"; left: number }
  | { readonly at: "chunkEnd" }
  | { readonly at: "trailer"; seen: number }
  | { readonly at: "close" }
  | { readonly at: "done" };

const MORE: ReplyStep = { kind: "more" };

export function createReplyReader(take: (piece: Buffer) => void): ReplyReader {
  let phase: Phase = { at: "head" };
  let head: ReplyHead | undefined;
  let keptOpen = false;
  let rest: Buffer = Buffer.alloc(0);

  const finish = (): ReplyStep => {
    phase = { at: "done" };
    // What follows was not asked for, so the connection cannot be trusted with another question.
    return { kind: "done", reusable: keptOpen && rest.length === 0 };
  };

  /** Null: this phase has ended, and the next one looks at what is left. */
  function step(): ReplyStep | null {
    switch (phase.at) {
      case "head":
        return readHead();
      case "length":
      case "chunk":
        return readBody(phase);
      case "close":
        return hand(rest.length);
      case "chunkSize":
        return readChunkSize();
      case "chunkEnd":
        return readChunkEnd();
      case "trailer":
        return readTrailer(phase);
      case "done":
        return bad("something follows the reply");
    }
  }

  function hand(bytes: number): ReplyStep {
    if (bytes > 0) take(rest.subarray(0, bytes));
    rest = rest.subarray(bytes);
    return MORE;
  }

  function readHead(): ReplyStep | null {
    const end = rest.indexOf("\r\n\r\n");
    if (end < 0 || end > HEAD_BYTES_MAX)
      return rest.length > HEAD_BYTES_MAX ? bad("the head of the reply has no end") : MORE;
    const parsed = parseHead(rest.toString("latin1", 0, end));
    if (typeof parsed === "string") return bad(parsed);
    rest = rest.subarray(end + 4);
    // Interim replies, such as early hints, come before the one that was asked for (RFC 9110 15.2).
    if (parsed.status < 200) return parsed.status === 101 ? bad("it changes the protocol") : null;
    const framing = framingOf(parsed);
    if (typeof framing === "string") return bad(framing);
    head = parsed;
    keptOpen = parsed.keptOpen && framing.at !== "close";
    phase = framing;
    return null;
  }

  function readBody(body: Extract<Phase, { at: "length" | "chunk" }>): ReplyStep | null {
    const bytes = Math.min(body.left, rest.length);
    hand(bytes);
    body.left -= bytes;
    if (body.left > 0) return MORE;
    if (body.at === "length") return finish();
    phase = { at: "chunkEnd" };
    return null;
  }

  function readChunkSize(): ReplyStep | null {
    const end = rest.indexOf("\r\n");
    if (end < 0 || end > CHUNK_LINE_BYTES_MAX)
      return rest.length > CHUNK_LINE_BYTES_MAX ? bad("a chunk has no proper size") : MORE;
    const size = /^([0-9a-f]{1,12})(?:[ \t]*;.*)?$/i.exec(rest.toString("latin1", 0, end))?.[1];
    if (size === undefined) return bad("a chunk has no proper size");
    rest = rest.subarray(end + 2);
    const left = Number.parseInt(size, 16);
    phase = left === 0 ? { at: "trailer", seen: 0 } : { at: "chunk", left };
    return null;
  }

  function readChunkEnd(): ReplyStep | null {
    if (rest.length < 2) return MORE;
    if (rest.toString("latin1", 0, 2) !== "\r\n") return bad("a chunk has no end");
    rest = rest.subarray(2);
    phase = { at: "chunkSize" };
    return null;
  }

  function readTrailer(trailer: Extract<Phase, { at: "trailer" }>): ReplyStep | null {
    const end = rest.indexOf("\r\n");
    if (trailer.seen + Math.max(end, rest.length) > TRAILER_BYTES_MAX)
      return bad("the trailer of the reply has no end");
    if (end < 0) return MORE;
    rest = rest.subarray(end + 2);
    if (end === 0) return finish();
    trailer.seen += end + 2;
    return null;
  }

  return {
    push(bytes) {
      rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      for (;;) {
        const result = step();
        if (result !== null) return result;
      }
    },
    end: () => (phase.at === "close" ? finish() : bad("the reply was cut off")),
    head: () => head,
  };
}

function bad(why: string): ReplyStep {
  return { kind: "bad", why };
}

interface ParsedHead extends ReplyHead {
  readonly keptOpen: boolean;
}

function parseHead(text: string): ParsedHead | string {
  const [statusLine = "", ...lines] = text.split("\r\n");
  const [, minor, code] = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: |$)/.exec(statusLine) ?? [];
  if (code === undefined) return "the reply is no HTTP";
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const value = withoutBlanks(line, colon + 1);
    if (!isName(line, colon) || /[\r\n]/.test(value)) return "a header cannot be read";
    const key = line.slice(0, colon).toLowerCase();
    const decides = key === "content-length" || key === "transfer-encoding";
    if (decides && headers.has(key)) return `the header ${key} stands twice`;
    headers.set(key, value);
  }
  const wish = (headers.get("connection") ?? "").toLowerCase();
  const keptOpen = minor === "1" ? !/\bclose\b/.test(wish) : /\bkeep-alive\b/.test(wish);
  return { status: Number(code), headers, keptOpen };
}

/** Printable, and at least one character of it. */
function isName(line: string, end: number): boolean {
  for (let i = 0; i < end; i++) {
    const code = line.charCodeAt(i);
    if (code < 0x21 || code > 0x7e) return false;
  }
  return end > 0;
}

/** Not `trim`, to which other characters are blank, too. */
function withoutBlanks(line: string, from: number): string {
  let [start, end] = [from, line.length];
  while (start < end && isBlank(line.charCodeAt(start))) start++;
  while (end > start && isBlank(line.charCodeAt(end - 1))) end--;
  return line.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** How the end of the body is known (RFC 9112 6.3). */
function framingOf({ status, headers }: ReplyHead): Phase | string {
  if (status === 204 || status === 304) return { at: "length", left: 0 };
  const coding = headers.get("transfer-encoding");
  const length = headers.get("content-length");
  if (coding !== undefined) {
    if (length !== undefined) return "the body has two lengths";
    if (coding.toLowerCase() !== "chunked") return "the transfer encoding is unknown";
    return { at: "chunkSize" };
  }
  if (length === undefined) return { at: "close" };
  if (!/^\d{1,15}$/.test(length)) return "the content length is no number";
  return { at: "length", left: Number(length) };
}
