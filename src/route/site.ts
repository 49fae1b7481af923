// The name of a site: what pacing, pauses and metrics are kept for. Rule, in this order:
//  1. All MX hosts below the suffixes of one big provider (providers.ts): that provider's name, such as `google.com`. Such providers judge
//     a sender as a whole, and give each customer MX names of its own.
//  2. Else the set of the MX host names, sorted, with what they end in written once: `{mx1,mx2}.example.net`. Equal sets have equal
//     names and different sets different ones: two small destinations never share a fate by accident.
//  3. A name over 100 characters becomes its beginning, the number of hosts, and a hash of the whole.
// Preferences and addresses play no part: they change more often than who runs the servers.
import { createHash } from "node:crypto";
import { providerOf } from "./providers.ts";

export const SITE_NAME_MAX = 100;

export function siteOf(hosts: readonly string[]): string {
  const set = [...new Set(hosts)].sort();
  return providerOf(set) ?? bounded(nameOfSet(set), set.length);
}

/**
 * Pacing towards a smarthost is kept for the host and port: two services of one machine differ. `end` sets a sender's own relay
 * apart, since one login that is refused must not pause the others.
 */
export function relaySite(host: string, port: number, end = ""): string {
  return bounded(`relay:${host.includes(":") ? `[${host}]` : host}:${port}${end}`, 1);
}

function nameOfSet(hosts: readonly string[]): string {
  const [first = "", ...others] = hosts;
  if (others.length === 0) return first;
  const suffix = commonSuffix(hosts);
  const heads = hosts.map((host) => host.slice(0, host.length - suffix.length));
  return `{${heads.join(",")}}${suffix}`;
}

/** Whole labels that all end in, with the dot before them; never a whole name. */
function commonSuffix(hosts: readonly string[]): string {
  const [first = ""] = hosts;
  for (let dot = first.indexOf("."); dot >= 0; dot = first.indexOf(".", dot + 1)) {
    const suffix = first.slice(dot);
    if (hosts.every((host) => host.endsWith(suffix) && host.length > suffix.length)) return suffix;
  }
  return "";
}

const HASH_CHARACTERS = 16;
const HEAD_CHARACTERS = 70;

function bounded(name: string, hosts: number): string {
  if (name.length <= SITE_NAME_MAX) return name;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, HASH_CHARACTERS);
  return `${name.slice(0, HEAD_CHARACTERS)}~${hosts}~${hash}`;
}
