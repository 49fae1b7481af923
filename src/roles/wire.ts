// How threads hand over batches: one JSON string for all heads and one buffer, transferred, for all bodies. Measured by
// `scripts/bench wire`, there and back: 6 us of CPU a message in batches of 32, where structured clone takes 10; alone, 75 and 68.
import type { AcceptAnswer, Once } from "../mail/submission.ts";

/** A batch as it is posted. `lengths` has one entry a head; -1 says that the head has no body here. */
export interface Packed<Head> {
  /** JSON of `Head[]`. */
  readonly heads: string & { readonly of?: Head };
  readonly lengths: readonly number[];
  readonly bodies: Uint8Array<ArrayBuffer>;
}

export interface Piece<Head> {
  readonly head: Head;
  readonly body: Uint8Array | null;
}

export function pack<Head>(pieces: readonly Piece<Head>[]): Packed<Head> {
  let sizeBytes = 0;
  for (const { body } of pieces) sizeBytes += body?.length ?? 0;
  // Written to the last octet, so nothing need be erased beforehand.
  const bodies = Buffer.allocUnsafeSlow(sizeBytes);
  const lengths: number[] = [];
  let offset = 0;
  for (const { body } of pieces) {
    lengths.push(body === null ? -1 : body.length);
    if (body === null) continue;
    bodies.set(body, offset);
    offset += body.length;
  }
  return { heads: JSON.stringify(pieces.map((piece) => piece.head)), lengths, bodies };
}

/** The bodies are views of the batch's buffer: nothing is copied. */
export function unpack<Head>({ heads, lengths, bodies }: Packed<Head>): Piece<Head>[] {
  let offset = 0;
  return (JSON.parse(heads) as Head[]).map((head, i) => {
    const length = lengths[i] ?? -1;
    if (length < 0) return { head, body: null };
    const body = bodies.subarray(offset, offset + length);
    offset += length;
    return { head, body };
  });
}

/** What `postMessage` must transfer so that the bodies are moved, not cloned. */
export function transferOf(packed: Packed<unknown>): ArrayBuffer[] {
  return packed.bodies.length === 0 ? [] : [packed.bodies.buffer];
}

const ONCE_LINES = 4;

/**
 * The calls' idempotency keys as lines; undefined when there is none. Keys and requests are hashes, and an answer is JSON already, so
 * that none holds a line end; quoted once more and read again, they would cost the two threads 1 us a message.
 */
export function packOnces(
  calls: readonly { readonly once: Once | undefined }[],
): string | undefined {
  let lines: string[] | undefined;
  for (let i = 0; i < calls.length; i++) {
    const once = calls[i]?.once;
    if (once === undefined) continue;
    lines ??= [];
    lines.push(String(i), once.key, once.request, once.answer);
  }
  return lines?.join("\n");
}

/** By the place of the call. */
export function unpackOnces(onces: string | undefined): readonly (Once | undefined)[] {
  if (onces === undefined) return noOnces;
  const lines = onces.split("\n");
  const unpacked: Once[] = [];
  for (let i = 0; i < lines.length; i += ONCE_LINES) {
    const [place, key = "", request = "", answer = ""] = lines.slice(i, i + ONCE_LINES);
    unpacked[Number(place)] = { key, request, answer };
  }
  return unpacked;
}

const noOnces: readonly undefined[] = [];

/** The answers to a batch; null: all of it was accepted and nobody passed over, since an object for each costs both threads 0.2 us. */
export type PackedAnswers = readonly AcceptAnswer[] | null;

export function packAnswers(answers: readonly AcceptAnswer[]): PackedAnswers {
  for (const answer of answers)
    if (answer.kind !== "accepted" || answer.suppressed !== undefined) return answers;
  return null;
}
