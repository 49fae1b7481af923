// The header block of a message that others composed: cut into fields, each kept to the octet, since a signature may cover it.
import { isNameCode } from "../compose/headerText.ts";

export const FIELDS_MAX = 1000;
/** RFC 5321 6.3: more than this many trace fields are a loop. */
const RECEIVED_MAX = 100;

export interface RawField {
  /** In lower case. */
  readonly name: string;
  /** The whole field with its folds and its last CRLF. */
  readonly bytes: Uint8Array;
  /** Where the value begins in `bytes`: behind the colon. */
  readonly valueAt: number;
}

/** Each is an error that the API names. */
type RawFaultCode =
  | "header_too_large"
  | "too_many_fields"
  | "bad_header_line"
  | "mail_loop"
  | "missing_from"
  | "duplicate_from"
  | "bad_from"
  | "line_too_long"
  | "nul_octet";

export interface RawFault {
  readonly kind: "fault";
  readonly code: RawFaultCode;
  /** A sentence for the sender. */
  readonly why: string;
}

export function fault(code: RawFault["code"], why: string): RawFault {
  return { kind: "fault", code, why };
}

const LF = 0x0a;
const COLON = 0x3a;

/** `block` has CRLF line ends only and no empty line. */
export function cutHeader(block: Uint8Array): readonly RawField[] | RawFault {
  const fields: RawField[] = [];
  let received = 0;
  for (let start = 0, line = 1; start < block.length; line++) {
    const end = fieldEnd(block, start);
    const bytes = block.subarray(start, end);
    const colon = bytes.indexOf(COLON);
    const name = fieldName(bytes, colon);
    if (name === null)
      return fault(
        "bad_header_line",
        `Field ${line} of the header is not of the form "Name: value".`,
      );
    if (name === "received" && ++received > RECEIVED_MAX)
      return fault(
        "mail_loop",
        `The message has passed more than ${RECEIVED_MAX} servers: a loop.`,
      );
    fields.push({ name, bytes, valueAt: colon + 1 });
    if (fields.length > FIELDS_MAX)
      return fault("too_many_fields", `The header holds more than ${FIELDS_MAX} fields.`);
    start = end;
  }
  return fields;
}

/** Behind the CRLF that no white space follows. */
function fieldEnd(block: Uint8Array, start: number): number {
  let end = start;
  do {
    const lf = block.indexOf(LF, end);
    end = lf < 0 ? block.length : lf + 1;
  } while (isBlank(block[end]));
  return end;
}

/** Null for anything but printable ASCII: `Bcc :` and `Bcc\t:` must not pass as names that we do not know. */
function fieldName(bytes: Uint8Array, colon: number): string | null {
  if (colon < 1) return null;
  for (let i = 0; i < colon; i++) if (!isNameCode(bytes[i] as number)) return null;
  return viewOf(bytes).toString("latin1", 0, colon).toLowerCase();
}

export function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09;
}

/** The value unfolded (RFC 5322 2.2.3) and trimmed; octets that are no UTF-8 become U+FFFD. */
export function valueOf(field: RawField): string {
  return viewOf(field.bytes).toString("utf8", field.valueAt).replaceAll("\r\n", "").trim();
}
