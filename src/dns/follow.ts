// What a reply says about the name that was asked, with the aliases in it followed. Pure.
import type { RecordOf, RecordType } from "./answer.ts";
import { rcodes, type Question, type Reply } from "./wire.ts";

export type Followed<T> =
  | {
      readonly kind: "found";
      readonly records: readonly T[];
      readonly ttlS: number;
      readonly owner: string;
    }
  | { readonly kind: "none"; readonly why: "nxdomain" | "nodata"; readonly ttlS: number }
  /** The chain leaves this reply: ask for `target` next. */
  | {
      readonly kind: "alias";
      readonly target: string;
      readonly hops: number;
      readonly ttlS: number;
    }
  | { readonly kind: "endless" };

/** Aliases followed for one lookup: RFC 1034 3.6.2 wants chains followed and loops noticed; real chains have one to four. */
export const HOPS_MAX = 12;
/** For an absence without SOA, as some forwarders give it. */
const NEGATIVE_TTL_S = 60;

export function follow<K extends RecordType>(
  question: Question & { readonly type: K },
  reply: Reply,
  hopsLeft: number,
): Followed<RecordOf[K]> {
  const aliases = new Map<string, { readonly ttlS: number; readonly value: string }>();
  for (const record of reply.records)
    if (record.type === "CNAME") aliases.set(record.owner, record);
  let name = question.name;
  let ttlS = Number.POSITIVE_INFINITY;
  let hops = 0;
  for (let alias = aliases.get(name); alias !== undefined; alias = aliases.get(name)) {
    if (++hops > hopsLeft) return { kind: "endless" };
    ttlS = Math.min(ttlS, alias.ttlS);
    name = alias.value;
  }
  const records: RecordOf[K][] = [];
  for (const record of reply.records) {
    if (record.type !== question.type || record.owner !== name) continue;
    ttlS = Math.min(ttlS, record.ttlS);
    // The tag was compared just above, which the type system cannot carry over to a generic parameter.
    records.push(record.value as RecordOf[K]);
  }
  if (records.length > 0) return { kind: "found", records, ttlS, owner: name };
  const noneTtlS = Math.min(ttlS, reply.negativeTtlS ?? NEGATIVE_TTL_S);
  if (reply.rcode === rcodes.nxDomain) return { kind: "none", why: "nxdomain", ttlS: noneTtlS };
  // An alias without its target and without a word about it: the server left the rest to us.
  if (hops > 0 && reply.negativeTtlS === undefined)
    return { kind: "alias", target: name, hops, ttlS };
  return { kind: "none", why: "nodata", ttlS: noneTtlS };
}
