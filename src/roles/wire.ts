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

/** The calls' idempotency keys as one string of JSON; undefined when there is none. */
export function packOnces(
  calls: readonly { readonly once: Once | undefined }[],
): string | undefined {
  let flat: (string | number)[] | undefined;
  for (let i = 0; i < calls.length; i++) {
    const once = calls[i]?.once;
    if (once === undefined) continue;
    flat ??= [];
    flat.push(i, once.key, once.request, once.answer);
  }
  return flat === undefined ? undefined : JSON.stringify(flat);
}

/** By the place of the call. */
export function unpackOnces(onces: string | undefined): readonly (Once | undefined)[] {
  if (onces === undefined) return noOnces;
  const flat = JSON.parse(onces) as (string | number)[];
  const unpacked: Once[] = [];
  for (let i = 0; i < flat.length; i += 4) {
    const [place, key, request, answer] = flat.slice(i, i + 4) as [number, string, string, string];
    unpacked[place] = { key, request, answer };
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
