// What the DNS can say of a name. That a name is known not to exist and that nothing was learnt are different answers: a bounce
// may follow from the first, never from the second.
import type { EpochMs } from "../base/clock.ts";

export interface MxRecord {
  readonly preference: number;
  /** Lower-case, without the final dot; the root (null MX, RFC 7505) is the empty text. */
  readonly exchange: string;
}

export interface TlsaRecord {
  readonly usage: number;
  readonly selector: number;
  readonly matchingType: number;
  /** Lower-case hexadecimal. */
  readonly data: string;
}

/** The record types that are asked for, each with what one record of it is here. */
export interface RecordOf {
  readonly MX: MxRecord;
  readonly A: string;
  readonly AAAA: string;
  /** The strings of one record, joined (RFC 7208 3.3). */
  readonly TXT: string;
  readonly TLSA: TlsaRecord;
  /** The name of an address, as `MxRecord` has names. */
  readonly PTR: string;
}

export type RecordType = keyof RecordOf;

export type Answer<T> =
  | {
      readonly kind: "found";
      readonly records: readonly T[];
      readonly freshUntil: EpochMs;
      /** A trusted resolver says that it validated the answer (AD bit), and every alias on the way to it. */
      readonly secure: boolean;
      /** The name that holds the records, where aliases led to another than was asked for (RFC 7672 2.2.2 needs it). */
      readonly owner?: string;
    }
  /** A fact about the name. */
  | {
      readonly kind: "none";
      readonly why: "nxdomain" | "nodata";
      readonly freshUntil: EpochMs;
      readonly secure: boolean;
    }
  /** SERVFAIL, timeout, nonsense: says nothing about the name. */
  | { readonly kind: "unknown"; readonly why: string; readonly freshUntil: EpochMs };

export type AnswerOf<K extends RecordType> = Answer<RecordOf[K]>;

/** At once when the cache knows, so that the hot path makes no promise. Never rejects; settles within its own deadline. */
export type Lookup = <K extends RecordType>(
  type: K,
  name: string,
) => AnswerOf<K> | Promise<AnswerOf<K>>;

/** Runs `then` at once if the value is there, else when it is. */
export function whenKnown<T, R>(
  value: T | Promise<T>,
  then: (value: T) => R | Promise<R>,
): R | Promise<R> {
  return value instanceof Promise ? value.then(then) : then(value);
}
