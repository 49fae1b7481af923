// What a message that somebody else composed should have said of itself (RFC 2045), as far as its beginning shows. It is sent as it is: some
// readers will show it wrongly, and its sender wants to know.
import { isAscii } from "node:buffer";
import type { WarningCode } from "../warning.ts";

/** Of multiparts within each other, and of parts in all: more is not looked at. */
const DEPTH_MAX = 10;
const PARTS_MAX = 200;
/** Of each part's header. */
const HEADER_MAX_BYTES = 65_536;

export interface Judgement {
  readonly codes: readonly WarningCode[];
  /** Fields of the outermost header, unfolded. */
  readonly field: (name: string) => string | undefined;
}

/** `source` is the whole message or its beginning, with CRLF line ends; `eightBit`: it has octets above 127, or what follows has. */
export function judgeRaw(source: Uint8Array, eightBit = true): Judgement {
  const bytes = Buffer.from(source.buffer, source.byteOffset, source.byteLength);
  const codes = new Set<WarningCode>();
  const { field } = judgeEntity(bytes, { codes, eightBit, partsLeft: PARTS_MAX }, 0);
  return { codes: [...codes], field };
}

interface Judging {
  readonly codes: Set<WarningCode>;
  readonly eightBit: boolean;
  partsLeft: number;
}

interface Header {
  field(name: string): string | undefined;
}

function judgeEntity(entity: Buffer, judging: Judging, depth: number): Header {
  const { codes } = judging;
  const end = entity.indexOf("\r\n\r\n");
  // A part may begin with the empty line: it has no header.
  const bare = entity[0] === 0x0d && entity[1] === 0x0a;
  const header = headerOf(bare ? "" : sliceText(entity, end < 0 ? entity.length : end));
  const body = bare
    ? entity.subarray(2)
    : end < 0
      ? entity.subarray(0, 0)
      : entity.subarray(end + 4);
  const contentType = header.field("content-type") ?? "text/plain";
  const type = (contentType.split(";")[0] ?? "").trim().toLowerCase();
  if (type.startsWith("multipart/")) {
    const boundary = parameterOf(contentType, "boundary");
    if (boundary?.includes(" ") === true) codes.add("boundary_with_space");
    if (boundary !== undefined && boundary !== "" && depth < DEPTH_MAX)
      for (const part of partsOf(body, boundary)) {
        if (judging.partsLeft-- <= 0) break;
        judgeEntity(part, judging, depth + 1);
      }
    return header;
  }
  if (!judging.eightBit) return header;
  const encoding = header.field("content-transfer-encoding")?.trim().toLowerCase();
  if (encoding === "base64" || encoding === "quoted-printable" || isAscii(body)) return header;
  // Content that says 7bit and is not says as little as one that says nothing.
  if (encoding === undefined || encoding === "" || encoding === "7bit")
    codes.add("no_transfer_encoding");
  if (type.startsWith("text/") && parameterOf(contentType, "charset") === undefined)
    codes.add("undeclared_8bit");
  return header;
}

function sliceText(entity: Buffer, end: number): string {
  return entity.toString("latin1", 0, Math.min(end, HEADER_MAX_BYTES));
}

function headerOf(block: string): Header {
  const unfolded = block.replace(/\r\n(?=[ \t])/g, "");
  return { field: (name) => patternOf(name).exec(unfolded)?.[1]?.trim() };
}

/** Few names are asked for, and only those are looked for. */
const patterns = new Map<string, RegExp>();

function patternOf(name: string): RegExp {
  let pattern = patterns.get(name);
  if (pattern === undefined) {
    pattern = new RegExp(`^[^\\S\\r\\n]*${name}[^\\S\\r\\n]*:(.*)$`, "im");
    patterns.set(name, pattern);
  }
  return pattern;
}

function parameterOf(contentType: string, name: string): string | undefined {
  for (const [, key, quoted, plain] of contentType.matchAll(
    /;\s*([^\s=;"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;"]*))/g,
  )) {
    if (key?.toLowerCase() !== name) continue;
    return quoted?.replace(/\\(.)/g, "$1") ?? plain?.trim();
  }
  return undefined;
}

function* partsOf(body: Buffer, boundary: string): Generator<Buffer> {
  const delimiter = Buffer.from(`--${boundary}`, "latin1");
  let start = -1;
  for (let at = body.indexOf(delimiter); at >= 0; at = body.indexOf(delimiter, at + 1)) {
    if (at > 0 && body[at - 1] !== 0x0a) continue;
    const lineEnd = body.indexOf("\r\n", at);
    const rest = body
      .toString("latin1", at + delimiter.length, lineEnd < 0 ? body.length : lineEnd)
      .trimEnd();
    // Another boundary may begin with this one.
    if (rest !== "" && rest !== "--") continue;
    if (start >= 0) yield body.subarray(start, Math.max(start, at - 2));
    if (rest === "--" || lineEnd < 0) return;
    start = lineEnd + 2;
  }
  if (start >= 0) yield body.subarray(start);
}
