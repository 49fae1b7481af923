// The content of an attachment in each spelling that callers use: base64, a byte string (CBOR), what Node's Buffer becomes in JSON, which
// older versions of Resend's package send, and a list of numbers, as its packages for Python, Go and Ruby do. A file of a form is there
// already, in memory or on the disk.
import { type Parsed, refused } from "../mail/compose/headerText.ts";
import type { Scratch } from "./spool.ts";

/** No body can hold it, since no decoder makes symbols: what has it was made here. */
const stored = Symbol("stored content");

/** Octets on the disk. They may be read until the body that they came with is released. */
export interface StoredContent extends AsyncIterable<Uint8Array> {
  readonly [stored]: true;
  readonly sizeBytes: number;
}

export function storedContent(scratch: Scratch, start: number, end: number): StoredContent {
  return {
    [stored]: true,
    sizeBytes: end - start,
    [Symbol.asyncIterator]: () => scratch.read(start, end),
  };
}

export function isStored(content: unknown): content is StoredContent {
  return typeof content === "object" && content !== null && stored in content;
}

/** Octets of it; 0 when that is not known beforehand. */
export function contentLength(content: unknown): number {
  if (content instanceof Uint8Array) return content.length;
  return isStored(content) ? content.sizeBytes : 0;
}

export function contentOf(content: unknown): Parsed<Uint8Array | StoredContent> {
  if (typeof content === "string") return fromBase64(content);
  if (content instanceof Uint8Array || isStored(content)) return { kind: "ok", value: content };
  if (isBufferJson(content)) return fromNumbers(content.data);
  if (Array.isArray(content)) return fromNumbers(content);
  return refused(
    "The content must be base64 text or a list of bytes (in CBOR also a byte string).",
  );
}

/** The runtime's decoder skips what is not base64, so what it took is counted. */
function fromBase64(text: string): Parsed<Uint8Array> {
  const flat = /\s/.test(text) ? text.replace(/\s+/g, "") : text;
  const padding = flat.endsWith("==") ? 2 : flat.endsWith("=") ? 1 : 0;
  const bytes = Buffer.from(flat, "base64");
  if (bytes.length === Math.floor(((flat.length - padding) * 3) / 4) && flat.length % 4 !== 1)
    return { kind: "ok", value: bytes };
  return refused("The content is no valid base64.");
}

function isBufferJson(content: unknown): content is { readonly data: readonly unknown[] } {
  if (typeof content !== "object" || content === null) return false;
  return "type" in content && content.type === "Buffer" && "data" in content
    ? Array.isArray(content.data)
    : false;
}

function fromNumbers(data: readonly unknown[]): Parsed<Uint8Array> {
  const bytes = new Uint8Array(data.length);
  for (const [i, value] of data.entries()) {
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > 255)
      return refused("A list of bytes holds whole numbers from 0 to 255.");
    bytes[i] = value;
  }
  return { kind: "ok", value: bytes };
}
