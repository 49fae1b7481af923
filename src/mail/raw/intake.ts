// Takes a message that somebody else composed, chunk by chunk in constant memory, and makes it fit to send: line ends, Bcc away,
// trace line on top, a missing Date, Message-ID or From added. All else stays as it came, to the octet, for signatures' sake.
import { createHash } from "node:crypto";
import type { EpochMs } from "../../base/clock.ts";
import { LINE_MUST, callerField, formatDate } from "../compose/headers.ts";
import type { HeaderText } from "../compose/headerText.ts";
import { cutHeader, fault, type RawFault, type RawField, viewOf } from "./header.ts";
import { createLineMeasure, createLineNormaliser } from "./lines.ts";
import { type HeaderDefaults, OWN_PREFIX, type RawHeader, readHeader } from "./readHeader.ts";

const HEADER_BYTES_MAX = 256 * 1024;

export interface RawOptions extends HeaderDefaults {
  /** The value of our trace field (RFC 5321 4.4); null for none. */
  readonly received: HeaderText | null;
  /** For a message without Date. */
  readonly date: EpochMs;
  /** The door has refused every line end but CRLF: none is looked for again. */
  readonly crlfOnly?: boolean;
}

/** Octets to keep, in order; they may be views of what was written. */
export interface RawBytes {
  readonly kind: "bytes";
  readonly bytes: readonly Uint8Array[];
  /** They are nobody else's: they may be kept without a copy. */
  readonly areNew: boolean;
}

export interface RawTaken {
  readonly kind: "taken";
  /** The last octets. */
  readonly bytes: readonly Uint8Array[];
  readonly header: RawHeader;
  /** Of all that was given out. */
  readonly sizeBytes: number;
  /** Base64url without padding, as `MessageHead` wants it. */
  readonly sha256: string;
  readonly eightBit: boolean;
}

/** After a fault every call answers the same fault. */
export interface RawIntake {
  write(chunk: Uint8Array): RawBytes | RawFault;
  end(): RawTaken | RawFault;
  /** Known as soon as the empty line has come. */
  readonly header: RawHeader | null;
}

export function createRawIntake(options: RawOptions): RawIntake {
  const lines = options.crlfOnly ? createLineMeasure(LINE_MUST) : createLineNormaliser();
  const hash = createHash("sha256");
  const block = createHeaderBlock();
  let header: RawHeader | null = null;
  let failed: RawFault | null = null;
  let sizeBytes = 0;

  const give = (pieces: readonly Uint8Array[]): readonly Uint8Array[] => {
    for (const piece of pieces) {
      hash.update(piece);
      sizeBytes += piece.length;
    }
    return pieces;
  };
  /** Body octets pass; header octets are held until the block is whole. */
  const pass = (bytes: Uint8Array): readonly Uint8Array[] | RawFault => {
    if (lines.longestLine > LINE_MUST)
      return fault("line_too_long", `A line is longer than ${LINE_MUST} octets (RFC 5322 2.1.1).`);
    if (bytes.length === 0) return [];
    if (header !== null) return give([bytes]);
    const whole = block.push(bytes);
    if (block.sizeBytes > HEADER_BYTES_MAX)
      return fault("header_too_large", `The header is larger than ${HEADER_BYTES_MAX} octets.`);
    return whole === null ? [] : open(whole.header, whole.body);
  };
  const open = (bytes: Uint8Array, body: Uint8Array): readonly Uint8Array[] | RawFault => {
    const fields = cutHeader(bytes);
    if ("kind" in fields) return fields;
    const read = readHeader(fields, options);
    if (read.kind === "fault") return read;
    header = read;
    // In one piece: hashing a second one costs more than copying it.
    return give([editHeader(bytes, fields, options, body)]);
  };

  return {
    get header() {
      return header;
    },
    write(chunk) {
      const hadHeader = header !== null;
      const pieces = failed ?? nulFault(chunk) ?? pass(lines.push(chunk));
      if (!("kind" in pieces)) return { kind: "bytes", bytes: pieces, areNew: !hadHeader };
      failed = pieces;
      return pieces;
    },
    end() {
      let last = failed ?? pass(lines.end());
      // A message may end within its header: then it has no body.
      if (!("kind" in last) && header === null) last = open(block.rest(), new Uint8Array(0));
      if ("kind" in last) {
        failed = last;
        return last;
      }
      if (header === null) throw new Error("an opened message has a header");
      const sha256 = hash.digest("base64url");
      return { kind: "taken", bytes: last, header, sizeBytes, sha256, eightBit: lines.eightBit };
    },
  };
}

/** RFC 5322 3.5 and RFC 2045 2.8 have none, programs end a text there, and servers refuse it or take it out. */
function nulFault(chunk: Uint8Array): RawFault | null {
  if (viewOf(chunk).indexOf(0) < 0) return null;
  return fault("nul_octet", "The message holds a NUL octet. Encode its content (RFC 2045 6).");
}

/** Never sent on: recipients that nobody may see, and what only the last server of all may write (RFC 5321 4.4). */
const REMOVED = new Set([
  ...["bcc", "resent-bcc", "return-path"],
  ...["idempotency-key", "resend-idempotency-key"],
]);

/** The message as far as it has come. */
function editHeader(
  block: Uint8Array,
  fields: readonly RawField[],
  options: RawOptions,
  body: Uint8Array,
): Uint8Array {
  let hasFrom = false;
  let hasDate = false;
  let hasId = false;
  let kept = fields.length;
  for (const { name } of fields) {
    if (name === "date") hasDate = true;
    else if (name === "message-id") hasId = true;
    else if (name === "from") hasFrom = true;
    else if (isRemoved(name)) kept--;
  }
  const top = options.received === null ? "" : callerField("Received", options.received);
  let added = hasDate ? "" : `Date: ${formatDate(options.date)}\r\n`;
  if (!hasFrom) added += `From: ${options.author}\r\n`;
  if (!hasId) added += `Message-ID: <${options.messageId}>\r\n`;
  const all =
    kept === fields.length
      ? [block]
      : fields.filter(({ name }) => !isRemoved(name)).map(({ bytes }) => bytes);
  return Buffer.concat([Buffer.from(top), ...all, Buffer.from(`${added}\r\n`), body]);
}

function isRemoved(name: string): boolean {
  return REMOVED.has(name) || name.startsWith(OWN_PREFIX);
}

interface HeaderBlock {
  /** The block without its empty line, and what follows that line, once it has come. */
  push(bytes: Uint8Array): { readonly header: Uint8Array; readonly body: Uint8Array } | null;
  rest(): Uint8Array;
  /** Octets of the header so far. */
  readonly sizeBytes: number;
}

const BLOCK_START_BYTES = 4096;
const CR = 0x0d;
const LF = 0x0a;

/** Grows by doubling, so that a header that comes octet by octet costs no more than one that comes whole. */
function createHeaderBlock(): HeaderBlock {
  let held = NOTHING;
  let length = 0;
  let sizeBytes = 0;
  const hold = (bytes: Uint8Array): void => {
    if (length + bytes.length > held.length) {
      const doubled = Math.max(BLOCK_START_BYTES, held.length * 2);
      const grown = Buffer.allocUnsafe(Math.max(doubled, length + bytes.length));
      held.copy(grown, 0, 0, length);
      held = grown;
    }
    held.set(bytes, length);
    length += bytes.length;
  };
  return {
    push(bytes) {
      const from = Math.max(0, length - 3);
      let filled: Buffer;
      if (length === 0) filled = viewOf(bytes);
      else {
        hold(bytes);
        filled = held.subarray(0, length);
      }
      // An empty line first of all: there is no header.
      const at = filled[0] === CR && filled[1] === LF ? -2 : filled.indexOf("\r\n\r\n", from);
      sizeBytes = at === -1 ? filled.length : at + 2;
      if (at !== -1) return { header: filled.subarray(0, at + 2), body: filled.subarray(at + 4) };
      // Most headers are whole in the first piece, and are read where they are.
      if (length === 0) hold(bytes);
      return null;
    },
    rest: () => held.subarray(0, length),
    get sizeBytes() {
      return sizeBytes;
    },
  };
}

const NOTHING = Buffer.alloc(0);
