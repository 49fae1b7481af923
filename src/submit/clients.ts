// Who a client is, and whether it is heard. The socket names the last hop; what proxies that are trusted say of the hops before is read
// from the right, since everything to the left of the first untrusted hop was written by whoever wanted to.
import { type Cidr, inRanges, loopbackRanges, parseIp } from "../base/cidr.ts";
import type { Refuse } from "./answer.ts";
import type { Door, Peer } from "./door.ts";
import type { Problem } from "./problem.ts";

export interface ClientRules {
  readonly trusted: readonly Cidr[];
  /** Null: all. */
  readonly allow: readonly Cidr[] | null;
  readonly deny: readonly Cidr[];
}

/** Hops that are followed; further ones are nobody's honest chain. */
const HOPS_MAX = 32;

/** Null: nobody can tell, and it is in no list of those that are heard. */
export function clientOf(
  rules: Pick<ClientRules, "trusted">,
  socketAddress: string | null,
  headers: Pick<Headers, "get">,
): string | null {
  if (socketAddress === null || !isAmong(rules.trusted, socketAddress)) return socketAddress;
  const plain = headers.get("x-forwarded-for");
  const standard = headers.get("forwarded");
  const ways = [
    ...(plain === null ? [] : [plain.split(",").map((hop) => addressIn(hop.trim()))]),
    ...(standard === null ? [] : [forwardedHops(standard)]),
  ];
  const [first, second] = ways.map((hops) => lastUntrusted(rules.trusted, socketAddress, hops));
  if (first === undefined) return socketAddress;
  // A proxy writes one of the two, and passes on the other as the client sent it.
  return second === undefined || second === first ? first : null;
}

function lastUntrusted(
  trusted: readonly Cidr[],
  socketAddress: string,
  hops: readonly (string | null)[],
): string | null {
  let client = socketAddress;
  for (const hop of hops.slice(-HOPS_MAX).reverse()) {
    if (hop === null) return null;
    client = hop;
    if (!isAmong(trusted, hop)) break;
  }
  return client;
}

/** The `for` of each hop (RFC 7239 4); a hop without one cannot be told. */
function forwardedHops(header: string): (string | null)[] {
  return header.split(",").map((hop) => {
    for (const pair of hop.split(";")) {
      const at = pair.indexOf("=");
      if (at < 0 || pair.slice(0, at).trim().toLowerCase() !== "for") continue;
      return addressIn(
        pair
          .slice(at + 1)
          .trim()
          .replace(/^"(.*)"$/, "$1"),
      );
    }
    return null;
  });
}

/** Without the port that some proxies add; null for `unknown`, names and whatever else is no address. */
function addressIn(text: string): string | null {
  const bracketed = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(text)?.[1];
  const plain =
    bracketed ?? (/^[\d.]+:\d{1,5}$/.test(text) ? text.slice(0, text.indexOf(":")) : text);
  const address = plain.replace(/%.*$/, "");
  return parseIp(address) === undefined ? null : address;
}

export function isHeard({ allow, deny }: ClientRules, address: string | null): boolean {
  if (address === null) return allow === null && deny.length === 0;
  // What is forbidden is so in every form of its address, what is allowed only as itself.
  return !inRanges(deny, address) && (allow === null || isAmong(allow, address));
}

/**
 * Not by an IPv4 address inside of it, which an IPv6 address may claim (NAT64, 6to4, Teredo): only `::ffff:` is the same host, in the
 * words of a socket that hears both.
 */
function isAmong(ranges: readonly Cidr[], address: string): boolean {
  const plain = address.replace(/^::ffff:(?=[\d.]+$)/i, "");
  const ofFamily = (bytes: number): readonly Cidr[] =>
    ranges.filter((range) => range.bytes.length === bytes);
  return inRanges(ofFamily(plain.includes(":") ? 16 : 4), plain);
}

/** Verdicts on addresses that were asked for lately. */
const VERDICTS_MAX = 4096;

/** The same door for those that are heard. Without rules it is the door itself, so that they cost nothing where there are none. */
export function guardDoor(door: Door, rules: ClientRules, refuse: Refuse): Door {
  const { trusted, allow, deny } = rules;
  if (trusted.length === 0 && allow === null && deny.length === 0) return door;
  const peers = new WeakMap<Peer, Peer>();
  const verdicts = new Map<string | null, boolean>();
  const behind = (peer: Peer): Peer => {
    const known = peers.get(peer);
    if (known !== undefined) return known;
    const addressOf = (request: Request): string | null =>
      clientOf(rules, peer.addressOf(request), request.headers);
    const made = { ...peer, addressOf };
    peers.set(peer, made);
    return made;
  };
  const heard = (address: string | null): boolean => {
    const known = verdicts.get(address);
    if (known !== undefined) return known;
    if (verdicts.size >= VERDICTS_MAX) verdicts.clear();
    const verdict = isHeard(rules, address);
    verdicts.set(address, verdict);
    return verdict;
  };
  const pass = <T>(
    request: Request,
    peer: Peer,
    on: (peer: Peer) => T | Promise<T>,
  ): T | Response | Promise<T> => {
    // The sockets of this host have the permissions of their files.
    if (peer.caller !== null) return on(peer);
    const client = behind(peer);
    if (allow === null && deny.length === 0) return on(client);
    return heard(client.addressOf(request)) ? on(client) : refuse(request, notHeard);
  };
  return {
    fetch: (request, peer) => pass(request, peer, (client) => door.fetch(request, client)),
    send: async (request, peer) => pass(request, peer, (client) => door.send(request, client)),
  };
}

const notHeard: Problem = {
  name: "client_not_allowed",
  limit: "allow_clients",
  detail: "This address may not ask here (allow_clients, deny_clients).",
  close: true,
};

/** Names without a dot lead nowhere outside. */
function isOwnName(host: string | null, hostname: string): boolean {
  if (host === null || host.startsWith("[")) return true;
  const name = host.replace(/:\d*$/, "").replace(/\.$/, "").toLowerCase();
  if (!name.includes(".") || name.endsWith(".localhost")) return true;
  return name === hostname.toLowerCase() || parseIp(name) !== undefined;
}

/** Only proxies write these. */
const FORWARDING =
  "forwarded x-forwarded-for x-forwarded-proto x-forwarded-host x-real-ip via".split(" ");

/**
 * A request that a proxy on this host passes on is not local, wherever it came from. Nor is one for a name that is not this host's: a page
 * from elsewhere makes a browser on this host ask so, once its own name leads here (DNS rebinding).
 */
export function isLocal(peer: Peer, request: Request, hostname: string): boolean {
  if (FORWARDING.some((name) => request.headers.get(name) !== null)) return false;
  if (!isOwnName(request.headers.get("host"), hostname)) return false;
  const address = peer.addressOf(request);
  return address !== null && isAmong(loopbackRanges, address);
}
