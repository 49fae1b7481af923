// The DNS records that a domain needs so that others believe its mail. What they are follows from its keys and from where its mail
// leaves; whether they are there is asked in check.ts.
import { ipFamily, parseIp } from "../base/cidr.ts";
import { publicRecord, type SigningKey } from "../mail/dkim/key.ts";
import type { DomainRecord } from "../mail/domain.ts";

/** Where the mail of a domain comes from, as receivers see it. */
export interface Origin {
  /** The usual EHLO name; null while it has no domain, and so no record either. */
  readonly hostname: string | null;
  /** Public addresses that mail leaves from, as far as they are known, each with its EHLO name. */
  readonly addresses: readonly { readonly address: string; readonly ehlo: string }[];
  /** Hosts that all mail goes through instead. */
  readonly relays: readonly string[];
}

const TTL_S = 3600;

export type Wanted = Pick<DomainRecord, "record" | "name" | "type" | "ttl" | "value" | "detail">;

export function wantedRecords(
  domain: string,
  keys: readonly SigningKey[],
  origin: Origin,
): readonly Wanted[] {
  const txt = (record: DomainRecord["record"], name: string, value: string): Wanted => ({
    record,
    name,
    type: "TXT",
    ttl: TTL_S,
    value,
    detail: "",
  });
  const sources = mechanisms(origin);
  return [
    ...keys.map((key) => txt("DKIM", dkimName(key), publicRecord(key))),
    // Without a name or an address it would let mail come from nowhere.
    ...(sources.length === 0 ? [] : [txt("SPF", domain, ["v=spf1", ...sources, "~all"].join(" "))]),
    txt("DMARC", `_dmarc.${domain}`, "v=DMARC1; p=none"),
    ...hostRecords(origin),
  ];
}

function dkimName({ domain, selector }: Pick<SigningKey, "domain" | "selector">): string {
  return `${selector}._domainkey.${domain}`;
}

/** What SPF must name so that mail from here passes. */
export function mechanisms({ hostname, addresses, relays }: Origin): readonly string[] {
  const hosts = relays.length > 0 ? relays : hostname === null ? [] : [hostname];
  const named = hosts.map((host) => (ipFamily(host) === 0 ? `a:${host}` : ipMechanism(host)));
  return relays.length > 0
    ? named
    : [...named, ...addresses.map((one) => ipMechanism(one.address))];
}

function ipMechanism(address: string): string {
  return ipFamily(address) === 4 ? `ip4:${address}` : `ip6:${address}`;
}

/** The name that EHLO says leads to an address of ours, and the address back to the name (RFC 1912 2.1). */
function hostRecords({ addresses, relays }: Origin): Wanted[] {
  if (relays.length > 0) return [];
  return addresses.flatMap(({ address, ehlo }): Wanted[] => {
    const type = ipFamily(address) === 4 ? "A" : "AAAA";
    const detail = "Whoever gave you the address sets this, not your DNS.";
    return [
      { record: "EHLO", name: ehlo, type, ttl: TTL_S, value: address, detail: "" },
      {
        record: "PTR",
        name: reverseName(address),
        type: "PTR",
        ttl: TTL_S,
        value: ehlo,
        detail,
      },
    ];
  });
}

/** RFC 1035 3.5, RFC 3596 2.5. */
export function reverseName(address: string): string {
  const bytes = [...(parseIp(address) ?? [])];
  if (bytes.length === 4) return `${bytes.reverse().join(".")}.in-addr.arpa`;
  const digits = Buffer.from(bytes).toString("hex");
  return `${[...digits].reverse().join(".")}.ip6.arpa`;
}
