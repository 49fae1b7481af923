// From which of this host's addresses a message leaves. Pure: weighted rendezvous, so that one message keeps its address over all
// its attempts (greylisting demands it), and a change of the list moves only what must move.
import type { EpochMs } from "../base/clock.ts";
import { ipFamily } from "../base/cidr.ts";
import type { Route, RouteSource } from "./route.ts";

/** A table `[[source]]`. */
export interface Source extends RouteSource {
  /** Shares of the mail, relative to the others. */
  readonly weight: number;
  /** Its daily mail to each provider is capped, and grows (warmup.ts). */
  readonly warmup: boolean;
}

/** Best first: each source wins by its share of the weights, and a source that is gone leaves the order of the others. */
export function ranked<T extends Pick<Source, "address" | "weight">>(
  sources: readonly T[],
  key: string,
): T[] {
  return sources
    .map((source) => ({ source, score: scoreOf(source, key) }))
    .sort((a, b) => b.score - a.score)
    .map(({ source }) => source);
}

/** Schindelhauer and Schomaker's logarithmic method: -weight / ln(u), u even in (0, 1). */
function scoreOf({ address, weight }: Pick<Source, "address" | "weight">, key: string): number {
  return -weight / Math.log((hash(`${address} ${key}`) + 0.5) / 2 ** 32);
}

/** FNV-1a, then MurmurHash3's finaliser. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

export interface Ask {
  /** The same for all attempts of one message. */
  readonly key: string;
  /** Only this address may carry it (`[senders]`). */
  readonly only?: string | undefined;
  /** It carried the message before. */
  readonly before?: string | undefined;
}

export interface SourceState {
  /** False: this host does not have it at the moment. */
  isHere(address: string): boolean;
  /** Until then the other family is tried first: the hosts of its own failed at this site. */
  deadEndUntil(address: string): EpochMs;
  /** Not before: its connections failed while others' did not. */
  restsUntil(address: string): EpochMs;
  /** Recipients that it may still have today at the route's site. */
  roomOf(source: Source): number;
}

export type Chosen =
  | { readonly kind: "source"; readonly source: Source }
  /** Each address has had what it may have today. */
  | { readonly kind: "capped" }
  /** This host has none of those that may carry it. */
  | { readonly kind: "away"; readonly addresses: readonly string[] }
  /** No address is of a family that the hosts have, or the one that is demanded is not there. */
  | { readonly kind: "none" };

/** Rested addresses go last and not never: where all fail, resting helps nobody. Of two families that fail the one that failed first is next. */
export function chooseSource(
  sources: readonly Source[],
  route: Pick<Route, "hosts">,
  { key, only, before }: Ask,
  state: SourceState,
  now: EpochMs,
): Chosen {
  const families = familiesOf(route);
  const usable = sources.filter(
    (source) =>
      families.has(ipFamily(source.address)) && (only === undefined || source.address === only),
  );
  if (usable.length === 0) return { kind: "none" };
  const here = usable.filter(({ address }) => state.isHere(address));
  if (here.length === 0) return { kind: "away", addresses: usable.map(({ address }) => address) };
  const order = here.length === 1 ? here : ranked(here, key);
  const rests = (source: Source): boolean => state.restsUntil(source.address) > now;
  const failedUntil = ({ address }: Source): EpochMs => {
    const until = state.deadEndUntil(address);
    return until > now ? until : 0;
  };
  const sticky = order.filter((source) => source.address === before);
  const others = order.filter((source) => source.address !== before);
  const near = bestFamilies(route, here);
  const isNear = ({ address }: Source): boolean => near.has(ipFamily(address));
  const inTurn = [...sticky, ...others.filter(isNear), ...others.filter((one) => !isNear(one))];
  const byFamily = inTurn.toSorted((one, two) => failedUntil(one) - failedUntil(two));
  const source = [...byFamily.filter((one) => !rests(one)), ...byFamily.filter(rests)].find(
    (one) => state.roomOf(one) > 0,
  );
  return source === undefined ? { kind: "capped" } : { kind: "source", source };
}

function familiesOf({ hosts }: Pick<Route, "hosts">): ReadonlySet<4 | 6 | 0> {
  const families = new Set<4 | 6 | 0>();
  for (const { addresses } of hosts)
    for (const address of addresses) families.add(address.includes(":") ? 6 : 4);
  return families;
}

/** Of the best hosts: an address of another family would pass them over, and go to a worse one at once (RFC 5321 5.1). */
function bestFamilies(route: Pick<Route, "hosts">, sources: readonly Source[]) {
  const [first] = sources;
  const isMixed = sources.some(
    ({ address }) => ipFamily(address) !== ipFamily(first?.address ?? ""),
  );
  // Every host has an address of one of both families.
  if (!isMixed) return familiesOf(route);
  const best = Math.min(...route.hosts.map(({ preference }) => preference));
  return familiesOf({ hosts: route.hosts.filter(({ preference }) => preference === best) });
}

/** The route as it is from one address: only the hosts' addresses of its family can be reached. */
export function routeFrom(route: Route, { address, ehlo }: Source): Route {
  const isV6 = address.includes(":");
  const hosts = route.hosts
    .map((host) => ({
      ...host,
      addresses: host.addresses.filter((one) => one.includes(":") === isV6),
    }))
    .filter((host) => host.addresses.length > 0);
  return { ...route, hosts, source: { address, ehlo } };
}
