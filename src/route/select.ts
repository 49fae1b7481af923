// From what the DNS said to where the mail goes: RFC 5321 5.1, RFC 7505, RFC 5321 2.3.5 and 4.1.3. Pure; the questions are asked in
// router.ts. Only facts refuse: as long as one server might still turn out to be usable, the answer is `unknown`.
import { inRanges, ipFamily, type Cidr } from "../base/cidr.ts";
import type { EpochMs } from "../base/clock.ts";
import type { Answer, MxRecord } from "../dns/answer.ts";
import { isHostLabel, NAME_MAX } from "../dns/name.ts";
import type { RouteHost, Routing } from "./route.ts";

/** A host that mail may go to, before its addresses are known. */
export interface Candidate {
  readonly name: string;
  readonly preference: number;
}

export type Candidates =
  | {
      readonly kind: "candidates";
      readonly hosts: readonly Candidate[];
      /** There are more than are looked at, so that nothing can be said of all. */
      readonly cut: boolean;
      /** The domain names no MX, and is its own. */
      readonly implicit: boolean;
      readonly freshUntil: EpochMs;
    }
  | Exclude<Routing, { kind: "route" }>;

/** Hosts of one domain that are looked at, best first: an attempt tries a handful of addresses (`attemptAddresses`). */
export const HOSTS_MAX = 16;
/** Addresses of one host that are kept, of each family. */
const HOST_ADDRESSES_MAX = 8;

export const enhanced = {
  badSystem: "5.1.2",
  nullMx: "5.1.10",
  noRoute: "5.4.4",
} as const;

/** What the MX records say. */
export function candidatesOf(domain: string, mx: Answer<MxRecord>): Candidates {
  if (mx.kind === "unknown") return { kind: "unknown", text: mx.why };
  const { freshUntil } = mx;
  if (mx.kind === "none") {
    if (mx.why === "nxdomain")
      return refused(enhanced.badSystem, `The domain ${domain} does not exist`, freshUntil);
    const hosts = [{ name: domain, preference: 0 }];
    return { kind: "candidates", hosts, cut: false, implicit: true, freshUntil };
  }
  const real = mx.records.filter((record) => record.exchange !== "");
  if (real.length === 0)
    return refused(enhanced.nullMx, `The domain ${domain} takes no mail (null MX)`, freshUntil);
  const usable = unique(real.filter((record) => isMailHost(record.exchange)));
  if (usable.length === 0)
    return refused(enhanced.noRoute, `No MX of ${domain} names a valid host`, freshUntil);
  return {
    kind: "candidates",
    hosts: usable.slice(0, HOSTS_MAX),
    cut: usable.length > HOSTS_MAX,
    implicit: false,
    freshUntil,
  };
}

/** Each host once, at its best preference, best first. */
function unique(records: readonly MxRecord[]): Candidate[] {
  const sorted = [...records].sort((a, b) => a.preference - b.preference);
  const byName = new Map<string, Candidate>();
  for (const { exchange: name, preference } of sorted)
    if (!byName.has(name)) byName.set(name, { name, preference });
  return [...byName.values()];
}

export interface HostAnswers {
  readonly host: Candidate;
  readonly v6: Answer<string>;
  readonly v4: Answer<string>;
}

export type Located =
  | { readonly kind: "hosts"; readonly hosts: readonly RouteHost[]; readonly freshUntil: EpochMs }
  | { readonly kind: "nowhere"; readonly denied: string | undefined; readonly freshUntil: EpochMs }
  | { readonly kind: "unknown"; readonly text: string };

/** Hosts with the addresses that may be connected to. One family that fails does not spoil the other. */
export function locate(answers: readonly HostAnswers[], deny: readonly Cidr[]): Located {
  const hosts: RouteHost[] = [];
  let freshUntil = Number.MAX_SAFE_INTEGER;
  let doubt: string | undefined;
  let denied: string | undefined;
  for (const { host, v6, v4 } of answers) {
    const found: string[] = [];
    for (const answer of [v6, v4]) {
      freshUntil = Math.min(freshUntil, answer.freshUntil);
      if (answer.kind === "unknown") doubt ??= answer.why;
      if (answer.kind !== "found") continue;
      const allowed = answer.records.filter((address) => !inRanges(deny, address));
      denied ??= answer.records.find((address) => inRanges(deny, address));
      found.push(...allowed.slice(0, HOST_ADDRESSES_MAX));
    }
    if (found.length > 0) hosts.push({ ...host, addresses: found });
  }
  if (hosts.length > 0) return { kind: "hosts", hosts, freshUntil };
  if (doubt !== undefined) return { kind: "unknown", text: doubt };
  return { kind: "nowhere", denied, freshUntil };
}

/** Why a domain whose hosts are all known to be unusable is refused. */
export function refuseNowhere(domain: string, denied: string | undefined, freshUntil: EpochMs) {
  const text =
    denied === undefined
      ? `No mail server of ${domain} has an address`
      : `Mail for ${domain} would go to ${denied}, which deny_destinations forbids`;
  return refused(enhanced.noRoute, text, freshUntil);
}

export function refused(
  code: string,
  text: string,
  freshUntil: EpochMs,
): Extract<Routing, { kind: "refused" }> {
  return { kind: "refused", enhanced: code, text, freshUntil };
}

/** `[192.0.2.1]` and `[IPv6:2001:db8::1]` (RFC 5321 4.1.3); undefined when the domain is no literal, empty when it is a bad one. */
export function literalOf(domain: string): string | undefined {
  if (!domain.startsWith("[") || !domain.endsWith("]")) return undefined;
  const inner = domain.slice(1, -1);
  const tagged = /^ipv6:(.*)$/i.exec(inner)?.[1];
  if (tagged !== undefined) return ipFamily(tagged) === 6 ? tagged.toLowerCase() : "";
  return ipFamily(inner) === 4 ? inner : "";
}

/** A name that an MX record may point to: RFC 5321 2.3.5 wants it fully qualified, and no address stands there. */
export function isMailHost(name: string): boolean {
  if (name.length > NAME_MAX || name === "localhost" || name.endsWith(".localhost")) return false;
  const labels = name.split(".");
  if (labels.length < 2 || /^\d+$/.test(labels.at(-1) ?? "")) return false;
  return labels.every(isHostLabel);
}
