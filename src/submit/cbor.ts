// CBOR (RFC 8949) in and out. Hostile bytes meet our own scanner first: it bounds depth and lengths and takes no tag but one, so the
// decoder is never asked for a huge list, a cyclic value or a class of its own. The import is the build of cbor-x that has
// neither generated code nor the native addon, which corrupts memory when several threads use it (DESIGN 10).
import { Decoder, Encoder } from "cbor-x/index-no-eval";
import { type Parsed, refused } from "../mail/compose/headerText.ts";
import { DEPTH_MAX } from "./shape.ts";
import { HOLDER_COST, MEMBER_COST, VALUES_MAX } from "./values.ts";

const decoder = new Decoder({ useRecords: false, mapsAsObjects: true });
const encoder = new Encoder({ useRecords: false, mapsAsObjects: true, tagUint8Array: false });

export function encodeCbor(value: unknown): Uint8Array {
  // The encoder reuses its buffer.
  return new Uint8Array(encoder.encode(value));
}

/** `too_many`: it holds more values than a body may. */
export type Decoded = Parsed<unknown> | { readonly kind: "too_many" };

export function decodeCbor(bytes: Uint8Array): Decoded {
  const state: Scan = { bytes, at: 0, stringAt: 0, cost: 0 };
  const fault = scan(state);
  if (state.cost > VALUES_MAX) return { kind: "too_many" };
  if (fault !== undefined) return refused(fault);
  try {
    return { kind: "ok", value: decoder.decode(bytes) as unknown };
  } catch (error) {
    return refused(`It cannot be decoded: ${error instanceof Error ? error.message : "?"}.`);
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });
const INDEFINITE = -1;
/** A typed array of bytes (RFC 8746 2.1): what encoders such as cbor-x write for a plain Uint8Array. */
const UINT8_ARRAY_TAG = 64;
const BYTE_STRING = 2;

interface Scan {
  readonly bytes: Uint8Array;
  at: number;
  /** Where the last string begins. */
  stringAt: number;
  /** Of what was found so far, in values. */
  cost: number;
}

/** What is wrong with the bytes as one well-formed item (RFC 8949 5.3.1) of the kinds that JSON has, and byte strings. */
function scan(state: Scan): string | undefined {
  const fault = scanItem(state, 0);
  if (fault !== undefined) return `${fault} (at byte ${state.at}).`;
  return state.at === state.bytes.length ? undefined : "Bytes stand behind the end of the item.";
}

function scanItem(state: Scan, depth: number): string | undefined {
  if (depth > DEPTH_MAX) return `It is nested deeper than ${DEPTH_MAX} levels`;
  const first = state.bytes[state.at++];
  if (first === undefined) return "It ends too early";
  const major = first >> 5;
  const length = readLength(state, first & 31);
  if (typeof length === "string") return length;
  switch (major) {
    case 0:
    case 1:
      return length === INDEFINITE ? "An integer has no such form" : undefined;
    case 2:
    case 3:
      return scanString(state, length, major === 3);
    case 4:
    case 5:
      return scanItems(state, length, major === 5, depth + 1);
    case 6:
      return scanTag(state, length, depth);
    default:
      return (first & 31) === 24 || length === INDEFINITE ? "A simple value is unknown" : undefined;
  }
}

function scanTag(state: Scan, tag: number, depth: number): string | undefined {
  const isBytes = (state.bytes[state.at] ?? 0) >> 5 === BYTE_STRING;
  if (tag === UINT8_ARRAY_TAG && isBytes) return scanItem(state, depth);
  return "Of tags only 64, on a byte string, is taken";
}

/** The argument behind the first byte; floats use the same lengths. */
function readLength(state: Scan, info: number): number | string {
  if (info < 24) return info;
  if (info === 31) return INDEFINITE;
  if (info > 27) return "A length is reserved";
  const size = 1 << (info - 24);
  let value = 0;
  for (let i = 0; i < size; i++) {
    const byte = state.bytes[state.at++];
    if (byte === undefined) return "It ends too early";
    value = value * 256 + byte;
  }
  return value;
}

function scanString(state: Scan, length: number, isText: boolean): string | undefined {
  if (length === INDEFINITE) return "Strings must have a length";
  const end = state.at + length;
  if (end > state.bytes.length) return "A string ends too early";
  if (isText && !isUtf8(state.bytes.subarray(state.at, end))) return "A text is not UTF-8";
  state.stringAt = state.at;
  state.at = end;
  return undefined;
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    UTF8.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function scanItems(state: Scan, length: number, isMap: boolean, depth: number): string | undefined {
  if (length === INDEFINITE) return "Lists and maps must have a length";
  // Every item takes a byte at least, so the decoder is never asked for a longer list than the body could hold.
  const count = isMap ? length * 2 : length;
  if (count > state.bytes.length - state.at) return "A list or map ends too early";
  state.cost += HOLDER_COST + length * (isMap ? 1 + MEMBER_COST : 1);
  if (state.cost > VALUES_MAX) return "It holds too many values";
  const keys = new Set<string>();
  for (let i = 0; i < count; i++) {
    const isKey = isMap && i % 2 === 0;
    const first = state.bytes[state.at] ?? 0;
    if (isKey && first >> 5 !== 3) return "The keys of a map must be text";
    const fault = scanItem(state, depth);
    if (fault !== undefined) return fault;
    if (!isKey) continue;
    // RFC 8949 5.6: the decoder would keep the last without a word.
    const key = UTF8.decode(state.bytes.subarray(state.stringAt, state.at));
    if (keys.has(key)) return "A map has the same key twice";
    keys.add(key);
  }
  return undefined;
}
