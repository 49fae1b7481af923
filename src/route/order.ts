// In which order one attempt tries the addresses of a route: preferences ascending, hosts of equal preference in an order drawn
// anew for each attempt (RFC 5321 5.1 demands it).
import { shuffled, type Random } from "../base/random.ts";
import type { Endpoint, Route, RouteHost } from "./route.ts";

export interface Target extends Endpoint {
  /** The host's name: what its certificate is checked against. */
  readonly host: string;
  readonly address: string;
}

export function attemptOrder(route: Route, random: Pick<Random, "roll">): Target[] {
  const hosts = inOrder(route.hosts, random);
  const targets = hosts.flatMap((host) => host.addresses.map((address) => ({ host, address })));
  return bothFamiliesEarly(targets).map(({ host, address }) => {
    const { port, tls, implicitTls, login, demand } = host.endpoint ?? route;
    const target = { host: host.name, address, port, tls, implicitTls, login };
    return demand === undefined ? target : { ...target, demand };
  });
}

function inOrder(hosts: readonly RouteHost[], random: Pick<Random, "roll">): readonly RouteHost[] {
  if (hosts.length === 1) return hosts;
  const preferences = [...new Set(hosts.map((host) => host.preference))].sort((a, b) => a - b);
  return preferences.flatMap((preference) =>
    shuffled(
      hosts.filter((host) => host.preference === preference),
      random,
    ),
  );
}

/**
 * IPv6 stands before IPv4 within a host. Where one family has no way out of this machine, its addresses fail one after the other:
 * so the second try is of the other family if the same preference has one.
 */
function bothFamiliesEarly<T extends { readonly address: string; readonly host: RouteHost }>(
  targets: readonly T[],
): readonly T[] {
  const [first, ...rest] = targets;
  if (first === undefined || rest.length === 0) return targets;
  const isV6 = (target: T): boolean => target.address.includes(":");
  const other = rest.findIndex(
    (target) => target.host.preference === first.host.preference && isV6(target) !== isV6(first),
  );
  if (other <= 0) return [...targets];
  const second = rest[other] as T;
  return [first, second, ...rest.filter((_, i) => i !== other)];
}
