// `Idempotency-Key`: which requests are the same one. A request is known by its caller's key and compared by what it says, so that the
// same message in JSON, in CBOR and as a form is the same. What came before is answered again; the queue keeps it with the message.
import { type Hash, createHash, hash } from "node:crypto";
import type { RawHeader } from "../mail/raw/readHeader.ts";
import type { Once } from "../mail/submission.ts";
import type { Caller } from "./caller.ts";
import { contentOf, isStored, type StoredContent } from "./content.ts";
import { type Problem, type Result, ok, problem } from "./problem.ts";

const KEY_MAX = 256;
/** 132 bits are kept of a hash: two requests that share one will not be met. */
const HASH_CHARACTERS = 22;

/** What a request is known by before its answer is. */
export type Known = Pick<Once, "key" | "request">;

/** Bare, or a quoted string of structured fields (RFC 9651 3.3.3); what is kept names the caller, too. */
export function readIdempotencyKey(header: string, { key }: Caller): Result<string> {
  const text = header.startsWith('"') ? unquoted(header) : header;
  if (text === undefined || !/^[\x20-\x7e]+$/.test(text) || text.length > KEY_MAX) {
    const detail =
      `Idempotency-Key has 1 to ${KEY_MAX} printable ASCII characters, ` +
      'bare or as one quoted string such as "order-17".';
    return problem({ name: "invalid_idempotency_key", detail });
  }
  return ok(shortHash(`${key} ${text}`));
}

function unquoted(header: string): string | undefined {
  const inner = /^"((?:[^"\\]|\\["\\])*)"$/.exec(header)?.[1];
  return inner?.replaceAll(/\\(["\\])/g, "$1");
}

export function shortHash(text: string): string {
  return hash("sha256", text, "base64url").slice(0, HASH_CHARACTERS);
}

/** Of a decoded body. The order of its keys says nothing, and an attachment is its bytes, however they were written. */
export function requestHash(body: unknown): string | Promise<string> {
  const files = storedIn(body);
  if (files.length === 0) return shortHash(canonical(body, noFiles));
  return hashFiles(files).then((hashes) => shortHash(canonical(body, hashes)));
}

type FileHashes = ReadonlyMap<unknown, string>;
const noFiles: FileHashes = new Map();

/** Each text is led by its length, so that no two values are written alike. */
function canonical(value: unknown, files: FileHashes): string {
  switch (typeof value) {
    case "string":
      return `s${value.length}:${value}`;
    case "number":
    case "bigint":
      return `n${value};`;
    case "boolean":
      return value ? "t" : "f";
    case "object":
      return value === null ? "z" : canonicalObject(value, files);
    default:
      return "u";
  }
}

function canonicalObject(value: object, files: FileHashes): string {
  if (value instanceof Uint8Array) return `b${hash("sha256", value, "base64url")}`;
  const file = files.get(value);
  if (file !== undefined) return `b${file}`;
  if (Array.isArray(value)) {
    let list = "[";
    for (const item of value as unknown[]) list += canonical(item, files);
    return `${list}]`;
  }
  const fields = value as Readonly<Record<string, unknown>>;
  let text = "{";
  for (const name of Object.keys(fields).sort()) {
    const field = fields[name];
    // What CBOR can say and JSON cannot means the same there: nothing.
    if (field === undefined) continue;
    text += `${name.length}:${name}`;
    text +=
      name === "attachments" && Array.isArray(field)
        ? `[${field.map((one: unknown) => canonicalAttachment(one, files)).join("")}]`
        : canonical(field, files);
  }
  return `${text}}`;
}

function canonicalAttachment(given: unknown, files: FileHashes): string {
  if (typeof given !== "object" || given === null || !("content" in given))
    return canonical(given, files);
  const { content, ...rest } = given;
  return `${canonical(rest, files)}${canonicalContent(content, files)}`;
}

/** Long texts are decoded in pieces: a second copy of a large attachment is not made. */
const PIECE_CHARACTERS = 65_536;

function canonicalContent(content: unknown, files: FileHashes): string {
  if (typeof content === "string" && content.length > PIECE_CHARACTERS && !/\s/.test(content)) {
    const sum = createHash("sha256");
    for (let at = 0; at < content.length; at += PIECE_CHARACTERS)
      sum.update(content.slice(at, at + PIECE_CHARACTERS), "base64");
    return `b${sum.digest("base64url")}`;
  }
  if (isStored(content)) return canonical(content, files);
  const bytes = contentOf(content);
  return canonical(bytes.kind === "ok" ? bytes.value : content, files);
}

/** A form's large files lie on the disk. */
function storedIn(body: unknown): readonly StoredContent[] {
  if (Array.isArray(body)) return body.flatMap(storedIn);
  if (typeof body !== "object" || body === null || !("attachments" in body)) return [];
  const { attachments } = body;
  if (!Array.isArray(attachments)) return [];
  return attachments.flatMap((one: unknown) =>
    typeof one === "object" && one !== null && "content" in one && isStored(one.content)
      ? [one.content]
      : [],
  );
}

async function hashFiles(files: readonly StoredContent[]): Promise<FileHashes> {
  const hashes = new Map<unknown, string>();
  for (const file of files) {
    const sum = createHash("sha256");
    for await (const piece of file) sum.update(piece);
    hashes.set(file, sum.digest("base64url"));
  }
  return hashes;
}

/** Of a raw message's octets as they came; only of one that carries a key, which its own header may hold, too. */
export interface RawDigest {
  /** A piece that was just read, and the message's header once it is known. */
  add(piece: Uint8Array, header: RawHeader | null): void;
  /** Undefined when there is no key. */
  known(header: RawHeader, envelope: unknown, caller: Caller): Result<Known | undefined>;
}

/** `given`: the key that stands outside of the message, as it is known. */
export function createRawDigest(given: string | undefined): RawDigest {
  let sum: Hash | undefined;
  return {
    add(piece, header) {
      if (given === undefined && header !== null && header.idempotencyKey === null) return;
      sum ??= createHash("sha256");
      sum.update(piece);
    },
    known(header, envelope, caller) {
      const inside = header.idempotencyKey;
      if (given === undefined && inside === null) return ok(undefined);
      const key = given === undefined ? readIdempotencyKey(inside ?? "", caller) : ok(given);
      if (key.kind === "problem") return key;
      const octets = sum?.digest("base64url") ?? "";
      return ok({ key: key.value, request: shortHash(`${octets}${canonical(envelope, noFiles)}`) });
    },
  };
}

export const underWay: Problem = {
  name: "concurrent_idempotent_requests",
  detail: "A request with this Idempotency-Key is under way. Its answer comes to who asks again.",
  retryAfterS: 1,
};

export const usedBefore: Problem = {
  name: "invalid_idempotent_request",
  detail:
    "This Idempotency-Key was used for another request in the last 24 hours. " +
    "Nothing was stored. Take a new key for a new message.",
};
