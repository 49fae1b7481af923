// Whether a server's certificates are those that its TLSA records promise (RFC 6698 2.1, RFC 7671 5). Pure: the chain comes as it was
// shown, the server's own certificate first.
import { createHash, createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import type { EpochMs } from "../base/clock.ts";
import type { TlsDemand } from "../route/route.ts";

type DaneDemand = Extract<TlsDemand, { source: "dane" }>;
type Tlsa = DaneDemand["tlsa"][number];

/** Why no record matches; empty when one does. */
export function daneFault(
  chain: readonly X509Certificate[],
  { tlsa, names }: DaneDemand,
  now: EpochMs,
): string {
  const [leaf] = chain;
  if (leaf === undefined) return "the server showed no certificate";
  // DANE-EE: the key alone counts, neither its names nor its dates (RFC 7671 5.1).
  if (tlsa.some((record) => record.usage === 3 && matches(record, leaf))) return "";
  const anchors = tlsa.filter((record) => record.usage === 2);
  if (anchors.length === 0) return "no TLSA record matches the certificate";
  const depth = anchors.map((record) => anchoredDepth(record, chain, now)).find((one) => one >= 0);
  if (depth === undefined) return "no TLSA record matches a certificate of the chain";
  return names.some((name) => leaf.checkHost(name) !== undefined)
    ? ""
    : `the certificate names none of ${names.join(", ")}`;
}

/** How deep in the chain the trust anchor of the record vouches for the certificates before it; -1: nowhere. */
function anchoredDepth(record: Tlsa, chain: readonly X509Certificate[], now: EpochMs): number {
  const key = anchorKey(record);
  for (const [depth, certificate] of chain.entries()) {
    if (!isTimely(certificate, now)) return -1;
    const below = chain[depth - 1];
    if (below !== undefined && !isIssuer(certificate, below)) return -1;
    if (below !== undefined && matches(record, certificate)) return depth;
    // The records may hold the whole anchor, which then need not be shown (RFC 7671 5.2.2).
    if (key !== undefined && isSignedBy(certificate, key)) return depth + 1;
  }
  return -1;
}

export function matches(
  { selector, matchingType, data }: Tlsa,
  certificate: X509Certificate,
): boolean {
  const selected = selector === 0 ? certificate.raw : keyOf(certificate);
  if (matchingType === 0) return selected.toString("hex") === data;
  const digest = createHash(matchingType === 1 ? "sha256" : "sha512");
  return digest.update(selected).digest("hex") === data;
}

function keyOf({ publicKey }: X509Certificate): Buffer {
  return publicKey.export({ type: "spki", format: "der" });
}

function isTimely({ validFrom, validTo }: X509Certificate, now: EpochMs): boolean {
  return Date.parse(validFrom) <= now && now <= Date.parse(validTo);
}

function isIssuer(issuer: X509Certificate, issued: X509Certificate): boolean {
  return issuer.ca && issued.checkIssued(issuer) && isSignedBy(issued, issuer.publicKey);
}

function isSignedBy(certificate: X509Certificate, key: KeyObject): boolean {
  try {
    return certificate.verify(key);
  } catch {
    // A key of another kind than the signature's.
    return false;
  }
}

function anchorKey({ selector, matchingType, data }: Tlsa): KeyObject | undefined {
  if (matchingType !== 0) return undefined;
  const der = Buffer.from(data, "hex");
  try {
    if (selector === 0) return new X509Certificate(der).publicKey;
    return createPublicKey({ key: der, format: "der", type: "spki" });
  } catch {
    // Bytes that are neither: such a record matches nothing.
    return undefined;
  }
}
