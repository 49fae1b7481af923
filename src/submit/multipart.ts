// Takes multipart/form-data apart (RFC 7578, RFC 2046 5.1.1) as it comes, in constant memory. What is not understood is refused and
// never passed over: an attachment that a lenient reader drops is mail that was silently changed.
import { type Parsed, refused } from "../mail/compose/headerText.ts";
import { type PartHeader, readPartHeader } from "./partHeader.ts";

export type FormEvent =
  | { readonly kind: "part"; readonly header: PartHeader }
  /** A view that is good until the next event is asked for. */
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  /** Of a part. */
  | { readonly kind: "end" };

/** `why` is a sentence for the caller. */
export type FormFault = Extract<Parsed<never>, { readonly kind: "refused" }>;

export interface FormParser {
  /** Gives back the fault, if there is one: then the parser is of no use any more. */
  push(chunk: Uint8Array): Generator<FormEvent, FormFault | undefined, void>;
  /** Nothing more comes: undefined when the form is whole. */
  end(): FormFault | undefined;
}

/** Octets that are looked at in one piece. */
const STEP_BYTES = 65_536;
const PART_HEADER_MAX_BYTES = 8192;
/** RFC 2046 5.1.1. */
const BOUNDARY_MAX = 70;
const CRLF = Buffer.from("\r\n");
const BLANK_LINE = Buffer.from("\r\n\r\n");
const CLOSE = Buffer.from("--");
const BLANKS = new Set(Buffer.from("\r\n\t "));

type Place = "preamble" | "delimiter" | "header" | "body" | "epilogue";

/** `boundary` as `boundaryOf` gives it. */
export function createFormParser(boundary: string): FormParser {
  const delimiter = Buffer.from(`\r\n--${boundary}`, "latin1");
  // What is held back is never more than a header and a delimiter, so this never grows, and chunks leave no garbage behind.
  const work = Buffer.allocUnsafe(PART_HEADER_MAX_BYTES + 4 * BOUNDARY_MAX + STEP_BYTES);
  // The first delimiter may stand at the very beginning: as if a line had ended before it.
  let length = CRLF.copy(work);
  let place: Place = "preamble";
  let failed: FormFault | undefined;

  const startsAt = (what: Buffer, at: number): boolean =>
    length - at >= what.length && work.compare(what, 0, what.length, at, at + what.length) === 0;
  const find = (what: Buffer, from: number): number => {
    const at = work.indexOf(what, from);
    return at < 0 || at + what.length > length ? -1 : at;
  };
  /** Behind everything that can be no part of a delimiter. */
  const safeEnd = (from: number): number => Math.max(from, length - delimiter.length + 1);

  /** Nothing may stand there: a boundary that occurs within a part would make of half of the form what nobody reads. */
  const isBlank = (from: number, to: number): boolean => {
    for (let i = from; i < to; i++) if (!BLANKS.has(work[i] as number)) return false;
    return true;
  };

  function skipPreamble(from: number): number | FormFault {
    const at = find(delimiter, from);
    const end = at < 0 ? safeEnd(from) : at;
    if (!isBlank(from, end)) return refused("Something stands before its first boundary.");
    if (at < 0) return end;
    place = "delimiter";
    return at + delimiter.length;
  }

  function skipEpilogue(from: number): number | FormFault {
    if (isBlank(from, length)) return length;
    return refused("Something stands behind its closing boundary.");
  }

  function passDelimiter(from: number): number | FormFault {
    if (length - from < CRLF.length) return from;
    if (startsAt(CLOSE, from)) {
      place = "epilogue";
      return from + CLOSE.length;
    }
    if (startsAt(CRLF, from)) place = "header";
    else return refused("Behind a boundary stands neither a line end nor the closing dashes.");
    // The line end stays: a header that is empty is the blank line alone.
    return from;
  }

  function* passHeader(from: number): Generator<FormEvent, number | FormFault, void> {
    const end = find(BLANK_LINE, from);
    if ((end < 0 ? length : end) - from > PART_HEADER_MAX_BYTES)
      return refused(`The header of a part is larger than ${PART_HEADER_MAX_BYTES} bytes.`);
    // The blank line may end in the line end of a delimiter: then the part is empty.
    const start = end + CRLF.length;
    if (end < 0 || length - start < delimiter.length) return from;
    const header = readPartHeader(work.subarray(Math.min(from + CRLF.length, end), end));
    if (header.kind === "refused") return header;
    yield { kind: "part", header: header.value };
    place = "body";
    return startsAt(delimiter, start) ? start : start + CRLF.length;
  }

  function* passBody(from: number): Generator<FormEvent, number, void> {
    const at = find(delimiter, from);
    const end = at < 0 ? safeEnd(from) : at;
    if (end > from) yield { kind: "data", bytes: work.subarray(from, end) };
    if (at < 0) return end;
    yield { kind: "end" };
    place = "delimiter";
    return at + delimiter.length;
  }

  /** Gives back how far it came; what stands behind that waits for more. */
  function* read(): Generator<FormEvent, number | FormFault, void> {
    for (let from = 0; ;) {
      const before = place;
      let next: number | FormFault;
      if (place === "preamble") next = skipPreamble(from);
      else if (place === "delimiter") next = passDelimiter(from);
      else if (place === "header") next = yield* passHeader(from);
      else if (place === "body") next = yield* passBody(from);
      else next = skipEpilogue(from);
      if (typeof next !== "number" || place === before) return next;
      from = next;
    }
  }

  return {
    *push(chunk) {
      for (let at = 0; at < chunk.length && failed === undefined;) {
        const step = Math.min(STEP_BYTES, chunk.length - at, work.length - length);
        work.set(chunk.subarray(at, at + step), length);
        length += step;
        at += step;
        const next = yield* read();
        if (typeof next === "number") length = shift(work, next, length);
        else failed = next;
      }
      return failed;
    },
    end() {
      if (failed !== undefined || place === "epilogue") return failed;
      if (place === "preamble") return refused("It holds no part: its boundary never comes.");
      return refused("It ends before its closing boundary.");
    },
  };
}

/** Moves what is left to the front. */
function shift(work: Buffer, from: number, to: number): number {
  work.copyWithin(0, from, to);
  return to - from;
}

/** The boundary that a Content-Type names (RFC 2046 5.1.1). */
export function boundaryOf(contentType: string): Parsed<string> {
  const found = /;\s*boundary\s*=\s*(?:"([^"\\]*)"|([^\s;"]+))\s*(?:;|$)/i.exec(contentType);
  const boundary = found?.[1] ?? found?.[2] ?? "";
  if (/^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/.test(boundary))
    return { kind: "ok", value: boundary };
  return refused(`The content type names no boundary of 1 to ${BOUNDARY_MAX} characters.`);
}
