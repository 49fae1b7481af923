// Which TLSA records hold for a mail host (RFC 7672). Only what DNSSEC secures counts: first the MX records, then the host's addresses,
// then its TLSA records; asking for those of an insecure host would fail at the many servers that cannot answer for them.
import { whenKnown, type Answer, type Lookup, type TlsaRecord } from "../dns/answer.ts";
import type { EpochMs } from "../base/clock.ts";
import type { TlsDemand } from "./route.ts";

export type DaneDemand = Extract<TlsDemand, { source: "dane" }>;

export type DaneFound =
  | { readonly kind: "none"; readonly why: string; readonly freshUntil: EpochMs }
  | { readonly kind: "demand"; readonly demand: DaneDemand; readonly freshUntil: EpochMs }
  /** There may be records, and they cannot be had: whoever sends nevertheless may send to an impostor (RFC 7672 2.1.1). */
  | { readonly kind: "unknown"; readonly why: string };

export interface DaneHost {
  readonly name: string;
  /** The recipient's domain: a certificate below a trust anchor may name it instead of the host (RFC 7672 3.2.2). */
  readonly domain: string;
  readonly port: number;
  readonly v6: Answer<string>;
  readonly v4: Answer<string>;
}

/** Characters of one host's records that travel with each route; digests of a handful of keys take a few hundred. */
const DATA_MAX = 16_384;

export function daneFor(lookup: Lookup, host: DaneHost): DaneFound | Promise<DaneFound> {
  const { name } = host;
  const found = [host.v6, host.v4].filter((answer) => answer.kind === "found");
  const freshUntil = Math.min(...found.map((answer) => answer.freshUntil));
  const owner = found.find((answer) => answer.owner !== undefined)?.owner;
  const isSecure = found.length > 0 && found.every((answer) => answer.secure);
  const none = (why: string, until = freshUntil): DaneFound => ({
    kind: "none",
    why,
    freshUntil: until,
  });
  if (!isSecure && owner === undefined) return none("its addresses are not secured by DNSSEC");
  const ask = (base: string): DaneFound | Promise<DaneFound> =>
    whenKnown(lookup("TLSA", `_${host.port}._tcp.${base}`), (answer) => {
      if (answer.kind === "unknown") return { kind: "unknown", why: answer.why };
      const until = Math.min(freshUntil, answer.freshUntil);
      if (answer.kind === "none") return none(`no TLSA records for ${base}`, until);
      if (!answer.secure) return none("its TLSA records are not secured by DNSSEC", until);
      return { kind: "demand", demand: demandOf(answer.records, base, host), freshUntil: until };
    });
  // Behind an alias that leads out of the secured part of the tree only the alias itself can have records, and only a secure answer
  // tells them; silence says nothing there (RFC 7672 2.2.2).
  if (!isSecure)
    return whenKnown(ask(name), (own) =>
      own.kind === "unknown" ? none("its addresses are not secured by DNSSEC") : own,
    );
  if (owner === undefined) return ask(name);
  return whenKnown(ask(owner), (there) => (there.kind === "none" ? ask(name) : there));
}

function demandOf(
  records: readonly TlsaRecord[],
  base: string,
  { name, domain }: DaneHost,
): DaneDemand {
  const tlsa = bounded(strongest(records.filter(isUsable)));
  // Only a trust anchor needs names, and without the domain among them all domains of a host can share its connections.
  const isAnchored = tlsa.some(({ usage }) => usage === 2);
  const names = isAnchored ? [...new Set([base, name, domain])] : [base];
  return { source: "dane", tlsa, names };
}

/** The shortest come first: whole certificates are rare, and the first to be left out. */
function bounded(records: readonly TlsaRecord[]): readonly TlsaRecord[] {
  const sum = (kept: readonly TlsaRecord[]): number =>
    kept.reduce((total, { data }) => total + data.length, 0);
  if (sum(records) <= DATA_MAX) return records;
  const kept = [...records].sort((a, b) => a.data.length - b.data.length);
  while (sum(kept) > DATA_MAX) kept.pop();
  return kept;
}

const DIGEST_HEX: Readonly<Record<number, number>> = { 1: 64, 2: 128 };

/** RFC 7672 3.1: usages 2 and 3 only, since a mail server's authority is chosen by its own side. */
export function isUsable({ usage, selector, matchingType, data }: TlsaRecord): boolean {
  if (usage !== 2 && usage !== 3) return false;
  if (selector !== 0 && selector !== 1) return false;
  // A certificate and a public key are both a DER sequence.
  if (matchingType === 0) return /^30[0-9a-f]{40,}$/.test(data);
  return data.length === DIGEST_HEX[matchingType];
}

/** RFC 7671 9: where a key is told by digests of two strengths, the weaker is not believed. */
function strongest(records: readonly TlsaRecord[]): TlsaRecord[] {
  const isTold = ({ usage, selector }: TlsaRecord): boolean =>
    records.some(
      (one) => one.usage === usage && one.selector === selector && one.matchingType === 2,
    );
  return records.filter((record) => record.matchingType !== 1 || !isTold(record));
}
