// What this host says about names: which servers to ask (/etc/resolv.conf), and what it knows by itself (/etc/hosts). Pure: the files
// are read in system.ts.
import { inRanges, ipFamily, loopbackRanges } from "../base/cidr.ts";
import { cleanName } from "./name.ts";

export interface Server {
  /** Without brackets. */
  readonly address: string;
  readonly port: number;
  /**
   * Its word that an answer is validated (AD bit) counts, since nobody on the way can write it: it is on this host, or resolv.conf
   * says `trust-ad` (RFC 6698 A.3, RFC 7672 2.2).
   */
  readonly trusted?: boolean;
}

export const isOnThisHost = (address: string): boolean => inRanges(loopbackRanges, address);

export const DNS_PORT = 53;
/** More would never be reached within the bounded total of a lookup. */
const SERVERS_MAX = 8;

/** The servers of resolv.conf(5): without a nameserver line, the one on this host. */
export function parseResolvConf(text: string): readonly Server[] {
  const servers: Server[] = [];
  let trustAd = false;
  for (const line of text.split("\n")) {
    const [key, address = "", ...rest] = line
      .replace(/[#;].*$/, "")
      .trim()
      .split(/\s+/);
    if (key === "options") trustAd ||= [address, ...rest].includes("trust-ad");
    // A zone index stays: a link-local resolver cannot be reached without it.
    if (key === "nameserver" && ipFamily(address.replace(/%.*$/, "")) !== 0)
      servers.push({ address, port: DNS_PORT });
  }
  if (servers.length === 0) servers.push({ address: "127.0.0.1", port: DNS_PORT });
  return servers.slice(0, SERVERS_MAX).map((server) => ({
    ...server,
    trusted: trustAd || isOnThisHost(server.address),
  }));
}

export interface HostAddresses {
  readonly A: readonly string[];
  readonly AAAA: readonly string[];
}

export type Hosts = ReadonlyMap<string, HostAddresses>;

/** Lines of /etc/hosts that are read: ad blockers put millions of names there. */
const HOSTS_LINES_MAX = 100_000;

/** hosts(5). `localhost` is known in any case (RFC 6761 6.3). */
export function parseHosts(text: string): Hosts {
  const hosts = new Map<string, { A: string[]; AAAA: string[] }>();
  for (const line of text.split("\n", HOSTS_LINES_MAX)) {
    const [address = "", ...names] = line.replace(/#.*$/, "").trim().split(/\s+/);
    const family = ipFamily(address);
    if (family === 0) continue;
    for (const text of names) {
      const name = cleanName(text);
      if (name === undefined) continue;
      const known = hosts.get(name) ?? { A: [], AAAA: [] };
      const list = family === 4 ? known.A : known.AAAA;
      if (!list.includes(address)) list.push(address);
      hosts.set(name, known);
    }
  }
  if (!hosts.has("localhost")) hosts.set("localhost", { A: ["127.0.0.1"], AAAA: ["::1"] });
  return hosts;
}
