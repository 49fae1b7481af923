// What a server's certificate proves, judged by hand after the handshake: the runtime looks at no name of a certificate that it does
// not trust, and knows nothing of DANE (DESIGN 11). No list of revoked certificates is fetched: it would be a question to a third
// party in the path of each connection, and its silence could not be told from an attack.
import { X509Certificate } from "node:crypto";
import { ipFamily } from "../base/cidr.ts";
import type { EpochMs } from "../base/clock.ts";
import type { TlsDemand } from "../route/route.ts";
import { daneFault } from "./tlsa.ts";

/** What the handshake left. */
export interface Shown {
  /** DER, the server's own first. */
  readonly chain: readonly Uint8Array[];
  /** An authority that we believe vouches for the chain. */
  readonly authorized: boolean;
  /** The runtime's word for why not. */
  readonly error: string;
}

export interface Proof {
  readonly verified: boolean;
  /** Why not; empty when verified. */
  readonly unproven: string;
  /** Expired, or not valid yet: where many hosts are that at once, our own clock is wrong. */
  readonly outOfTime: boolean;
  /** How long only another certificate could change it; null where more was looked at than the server's own. */
  readonly holds: { readonly fromMs: EpochMs; readonly untilMs: EpochMs } | null;
}

export interface Expected {
  /** The host as its MX record or the operator names it. */
  readonly host: string;
  readonly demand: TlsDemand | undefined;
  readonly now: EpochMs;
}

/** Certificates of one chain that are looked at: real ones have two to five. */
const CHAIN_MAX = 10;

export function prove(shown: Shown, expected: Expected): Proof {
  const chain = shown.chain.slice(0, CHAIN_MAX).map(read);
  const [leaf] = chain;
  if (leaf === undefined) return unproven("the server showed no certificate that can be read");
  const { host, demand, now } = expected;
  if (demand?.source === "dane" && demand.tlsa.length > 0) {
    const unread = chain.indexOf(undefined);
    const readable = (unread === -1 ? chain : chain.slice(0, unread)) as X509Certificate[];
    return unproven(daneFault(readable, demand, now));
  }
  // A resumed session says what was true when it began.
  const holds = { fromMs: Date.parse(leaf.validFrom), untilMs: Date.parse(leaf.validTo) };
  const isOld = !isWithin(holds, now);
  if (isOld || !shown.authorized) {
    const code = shown.authorized ? "CERT_HAS_EXPIRED" : shown.error;
    const outOfTime = isOld || code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID";
    const why = words[code] ?? `the certificate is not trusted: ${code}`;
    return { ...unproven(why), outOfTime, holds: isOld ? null : holds };
  }
  const why = names(leaf, expected) ? "" : `the certificate does not name ${host}`;
  return { ...unproven(why), holds };
}

/** Whether what the same certificates proved for the same host is still so. */
export function stillHolds({ holds }: Proof, { demand, now }: Expected): boolean {
  return demand?.source !== "dane" && holds !== null && isWithin(holds, now);
}

function isWithin({ fromMs, untilMs }: NonNullable<Proof["holds"]>, now: EpochMs): boolean {
  return fromMs <= now && now <= untilMs;
}

/** RFC 8461 4.2 wants the name among the alternative ones; for others the common name will do. */
function names(leaf: X509Certificate, { host, demand }: Expected): boolean {
  if (ipFamily(host) !== 0) return leaf.checkIP(host) !== undefined;
  const subject = demand?.source === "mta-sts" ? "never" : "default";
  return leaf.checkHost(host, { subject }) !== undefined;
}

/** What the handshake took need not be what this parser takes. */
function read(der: Uint8Array): X509Certificate | undefined {
  try {
    return new X509Certificate(der);
  } catch {
    return undefined;
  }
}

function unproven(why: string): Proof {
  return { verified: why === "", unproven: why, outOfTime: false, holds: null };
}

const words: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: "the certificate has expired",
  CERT_NOT_YET_VALID: "the certificate is not valid yet",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the certificate is signed by itself",
  SELF_SIGNED_CERT_IN_CHAIN: "the certificate's authority is not known here",
  UNABLE_TO_GET_ISSUER_CERT: "the certificate's authority is not known here",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "the certificate's authority is not known here",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "the server did not show the certificate of its authority",
};
