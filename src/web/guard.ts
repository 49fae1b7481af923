// Where a request may go whose address somebody else chose: a webhook's endpoint, an attachment's source. Whoever may name an address
// must not thereby reach what only this host can reach, so everything but the public internet is closed unless a setting opens it.
import { type Cidr, inRanges, parseCidr, parseIp } from "../base/cidr.ts";

/** No public server is there (the special-purpose registries of RFC 6890); 169.254.169.254 is where clouds keep a host's secrets. */
const CLOSED_V4 = ranges([
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
]);

/** What is given out for unicast so far (RFC 4291 2.4); all else is mapped, local, or nothing yet. */
const GLOBAL_V6 = ranges(["2000::/3"]);
/** Within that: protocol assignments with Teredo (RFC 2928), documentation (RFC 3849, 9637), 6to4 (RFC 3056). */
const CLOSED_V6 = ranges(["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"]);
/** The way to IPv4 from a host that has none (RFC 6052): as good as the address within. */
const NAT64 = ranges(["64:ff9b::/96"]);

function ranges(texts: readonly string[]): readonly Cidr[] {
  return texts.map((text) => {
    const parsed = parseCidr(text);
    if (parsed === undefined) throw new Error(`${text} is no range`);
    return parsed;
  });
}

/** On the public internet, as far as its form tells. */
export function isPublic(address: string): boolean {
  const bytes = parseIp(address);
  if (bytes === undefined) return false;
  // Ranges of IPv4 hold the addresses inside those of IPv6 too.
  if (inRanges(CLOSED_V4, address)) return false;
  if (bytes.length === 4 || inRanges(NAT64, address)) return true;
  return inRanges(GLOBAL_V6, address) && !inRanges(CLOSED_V6, address);
}

export type Scheme = "http" | "https";

/** What is sent in clear can be read and forged on the way, so that it stays within the ranges that somebody has named. */
export function mayConnect(scheme: Scheme, address: string, opened: readonly Cidr[]): boolean {
  if (inRanges(opened, address)) return true;
  return scheme === "https" && isPublic(address);
}
