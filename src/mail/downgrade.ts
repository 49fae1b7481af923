// Makes a message with octets above 127 fit for a server without 8BITMIME (RFC 6152 3): each part that is not encoded yet becomes
// quoted-printable or base64. Line by line in bounded memory. What a signature covers is left alone: then it cannot be sent there.
import { createBase64Stream } from "./compose/base64.ts";
import { quotedPrintable } from "./compose/quotedPrintable.ts";
import { createEntityHeader, type EntityHeader } from "./entityHeader.ts";

/** The message cannot be made 7-bit; `enhanced` is RFC 3463's word for it. */
export class NotSevenBit extends Error {
  readonly enhanced = "5.6.3";
}

/** Both throw `NotSevenBit`. */
export interface Downgrader {
  push(chunk: Uint8Array): Uint8Array[];
  end(): Uint8Array[];
}

const LINE_MAX = 65_536;
const DEPTH_MAX = 50;
const LF = 10;
const CR = 13;
const CRLF = Buffer.from("\r\n");

export function downgrade(message: Uint8Array): Uint8Array {
  const downgrader = createDowngrader();
  return Buffer.concat([...downgrader.push(message), ...downgrader.end()]);
}

export async function* downgraded(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  const downgrader = createDowngrader();
  for await (const chunk of source) yield* joined(downgrader.push(chunk));
  yield* joined(downgrader.end());
}

const joined = (pieces: readonly Uint8Array[]): Uint8Array[] =>
  pieces.length === 0 ? [] : [Buffer.concat(pieces)];

/** The content of one part, without the line end before the delimiter, which belongs to that (RFC 2046 5.1.1). */
interface Leaf {
  line(line: Buffer): void;
  /** `last`: nothing follows, so that the last line end is the content's. */
  end(last: boolean): void;
}

interface State {
  out: Uint8Array[];
  rest: Buffer;
  /** Delimiters without their dashes, outermost first. */
  readonly boundaries: string[];
  header: EntityHeader | null;
  /** Null in a preamble or epilogue, which nobody reads. */
  leaf: Leaf | null;
}

export function createDowngrader(): Downgrader {
  const state: State = {
    out: [],
    rest: Buffer.alloc(0),
    boundaries: [],
    header: createEntityHeader(true),
    leaf: null,
  };
  const flush = (): Uint8Array[] => {
    const { out } = state;
    state.out = [];
    return out;
  };
  return {
    push(chunk) {
      const bytes = Buffer.concat([state.rest, chunk]);
      let from = 0;
      for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, from)) {
        takeLine(state, bytes.subarray(from, bytes[at - 1] === CR && at > from ? at - 1 : at));
        from = at + 1;
      }
      state.rest = Buffer.from(bytes.subarray(from));
      if (state.rest.length > LINE_MAX) throw new NotSevenBit("a line of it is too long");
      return flush();
    },
    end() {
      if (state.rest.length > 0) takeLine(state, state.rest);
      if (state.header !== null) finishHeader(state, state.header);
      state.leaf?.end(true);
      return flush();
    },
  };
}

function takeLine(state: State, line: Buffer): void {
  const { header } = state;
  if (header !== null) {
    if (line.length === 0) return finishHeader(state, header);
    if (!header.add(line)) throw new NotSevenBit("the header of a part has octets above 127");
    return;
  }
  const found = delimiterIn(state, line);
  if (found !== undefined) return delimit(state, line, found);
  if (state.leaf !== null) state.leaf.line(line);
  else state.out.push(withoutHighBits(line), CRLF);
}

interface Delimiter {
  readonly level: number;
  readonly closes: boolean;
}

function delimiterIn({ boundaries }: State, line: Buffer): Delimiter | undefined {
  if (boundaries.length === 0 || line[0] !== DASH || line[1] !== DASH) return undefined;
  const text = line.toString("latin1", 2).replace(/[ \t]+$/, "");
  for (let level = boundaries.length - 1; level >= 0; level--) {
    const boundary = boundaries[level] as string;
    if (text === boundary) return { level, closes: false };
    if (text === `${boundary}--`) return { level, closes: true };
  }
  return undefined;
}

const DASH = 45;

function delimit(state: State, line: Buffer, { level, closes }: Delimiter): void {
  state.leaf?.end(false);
  state.leaf = null;
  state.boundaries.length = closes ? level : level + 1;
  if (!closes) state.header = createEntityHeader(false);
  state.out.push(line, CRLF);
}

/** The empty line: what kind of entity is it, and what becomes of its content? */
function finishHeader(state: State, header: EntityHeader): void {
  const { type, encoding, boundary } = header;
  if (header.signed || type === "multipart/signed")
    throw new NotSevenBit("it is signed, so its octets may not be changed");
  const encoded = encoding === "base64" || encoding === "quoted-printable";
  const write = (as: string | null): void => void state.out.push(...header.written(as), CRLF);
  if (!encoded && !["", "7bit", "8bit", "binary"].includes(encoding))
    throw new NotSevenBit("a part of it has an unknown transfer encoding");
  if (type.startsWith("multipart/")) {
    if (boundary === "" || state.boundaries.length >= DEPTH_MAX)
      throw new NotSevenBit("its parts cannot be told apart");
    state.boundaries.push(boundary);
    state.header = null;
    return write("7bit");
  }
  // A message within may not be encoded as a whole (RFC 2046 5.2.1): its own parts are.
  if (type === "message/rfc822" && !encoded) {
    write("7bit");
    state.header = createEntityHeader(false);
    return;
  }
  state.header = null;
  if (encoded || type.startsWith("message/")) {
    write(null);
    state.leaf = plainLeaf(state);
  } else if (type.startsWith("text/")) {
    write("quoted-printable");
    state.leaf = lineLeaf(state, quotedPrintable);
  } else {
    write("base64");
    state.leaf = base64Leaf(state);
  }
}

/** Lines with the line end between them, so that the last one has none before it ends. */
function lineLeaf(state: State, encode: (line: Buffer) => Uint8Array): Leaf {
  let any = false;
  return {
    line(line) {
      if (any) state.out.push(CRLF);
      any = true;
      state.out.push(encode(line));
    },
    end() {
      if (any) state.out.push(CRLF);
    },
  };
}

function plainLeaf(state: State): Leaf {
  return lineLeaf(state, (line) => {
    if (hasHighBits(line)) throw new NotSevenBit("a part of it says it is 7-bit, and is not");
    return line;
  });
}

function base64Leaf(state: State): Leaf {
  const stream = createBase64Stream();
  let any = false;
  const add = (octets: Uint8Array): void => void state.out.push(...stream.push(octets));
  return {
    line(line) {
      if (any) add(CRLF);
      any = true;
      add(line);
    },
    end(last) {
      if (any && last) add(CRLF);
      // Its lines end themselves; an empty one still needs the line end of the delimiter.
      state.out.push(stream.end());
    },
  };
}

export function hasHighBits(octets: Uint8Array): boolean {
  for (let i = 0; i < octets.length; i++) if ((octets[i] as number) > 127) return true;
  return false;
}

function withoutHighBits(line: Buffer): Buffer {
  return hasHighBits(line) ? Buffer.from(line.map((octet) => (octet > 127 ? 63 : octet))) : line;
}
