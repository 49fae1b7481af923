// Which servers to ask, and what this host knows by itself: the setting `dns_servers`, /etc/resolv.conf and /etc/hosts. Pure: the
// files are read in system.ts.
import { ipFamily } from "../base/cidr.ts";
import { cleanName } from "./name.ts";

export interface Server {
  /** Without brackets. */
  readonly address: string;
  readonly port: number;
}

export type ServerList =
  | { readonly kind: "parsed"; readonly value: readonly Server[] }
  | { readonly kind: "refused"; readonly problems: readonly string[] };

export const DNS_PORT = 53;
/** More would never be reached within the bounded total of a lookup. */
export const SERVERS_MAX = 8;

/** The setting `dns_servers`: `127.0.0.1:5353, [::1]:53, 9.9.9.9, ::1`. */
export function parseServers(text: string): ServerList {
  const parts = text.split(/[\s,]+/).filter((part) => part !== "");
  const value: Server[] = [];
  const problems: string[] = [];
  for (const part of parts) {
    const server = parseServer(part);
    if (server === undefined) problems.push(`${part} is not of the form 127.0.0.1:53 or [::1]:53`);
    else value.push(server);
  }
  if (parts.length === 0) problems.push("no server is named");
  if (parts.length > SERVERS_MAX) problems.push(`more than ${SERVERS_MAX} servers`);
  return problems.length > 0 ? { kind: "refused", problems } : { kind: "parsed", value };
}

function parseServer(text: string): Server | undefined {
  const bracketed = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(text);
  const plain = /^([^:[\]]+)(?::(\d{1,5}))?$/.exec(text);
  const [, address = text, portText] = bracketed ?? plain ?? [];
  const family = ipFamily(address);
  if (family === 0 || (bracketed !== null && family === 4)) return undefined;
  const port = portText === undefined ? DNS_PORT : Number(portText);
  return port >= 1 && port <= 65_535 ? { address, port } : undefined;
}

export interface ResolvConf {
  readonly servers: readonly Server[];
  /** Options `timeout:` and `attempts:`, when they are there. */
  readonly timeoutMs: number | undefined;
  readonly attempts: number | undefined;
}

/** resolv.conf(5): without a nameserver line, the one on this host. */
export function parseResolvConf(text: string): ResolvConf {
  const servers: Server[] = [];
  let timeoutMs: number | undefined;
  let attempts: number | undefined;
  for (const line of text.split("\n")) {
    const [key, ...values] = line
      .replace(/[#;].*$/, "")
      .trim()
      .split(/\s+/);
    if (key === "nameserver") {
      // A zone index stays: a link-local resolver cannot be reached without it.
      const address = values[0] ?? "";
      if (ipFamily(address.replace(/%.*$/, "")) !== 0) servers.push({ address, port: DNS_PORT });
    } else if (key === "options") {
      timeoutMs = optionOf(values, "timeout", 30, timeoutMs, 1000);
      attempts = optionOf(values, "attempts", 5, attempts, 1);
    }
  }
  const known = servers.slice(0, SERVERS_MAX);
  const local = { address: "127.0.0.1", port: DNS_PORT };
  return { servers: known.length > 0 ? known : [local], timeoutMs, attempts };
}

function optionOf(
  values: readonly string[],
  name: string,
  max: number,
  before: number | undefined,
  unit: number,
): number | undefined {
  const text = values.find((value) => value.startsWith(`${name}:`))?.slice(name.length + 1);
  if (text === undefined || !/^\d{1,4}$/.test(text)) return before;
  return Math.min(max, Math.max(1, Number(text))) * unit;
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
