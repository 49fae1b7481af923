// Typed lookups for the rest of the house: names checked, this host's own table first, then the cache, then the servers.
import type { Clock } from "../base/clock.ts";
import type { Answer, Lookup, RecordOf, RecordType } from "./answer.ts";
import {
  cacheLimits,
  createDnsCache,
  ENTRY_BYTES,
  type CacheDeps,
  type CacheLimits,
  type DnsCache,
  type Fetched,
} from "./cache.ts";
import { follow, HOPS_MAX } from "./follow.ts";
import { cleanName } from "./name.ts";
import type { Hosts } from "./servers.ts";
import type { Ask } from "./upstream.ts";

export interface ResolverDeps extends Pick<CacheDeps, "keep" | "onLookup"> {
  readonly clock: Clock;
  readonly ask: Ask;
  readonly hosts: Hosts;
  /** The setting `dns_cache_entries`. */
  readonly entriesMax?: number;
  readonly limits?: Partial<CacheLimits>;
}

export interface Resolver extends Pick<DnsCache, "preload"> {
  readonly lookup: Lookup;
}

const DNS_CACHE_ENTRIES = 10_000;
/** How long a caller may keep what the hosts file says. */
const HOSTS_TTL_MS = 60_000;

export function createResolver(deps: ResolverDeps): Resolver {
  const { clock, ask, hosts, keep, onLookup } = deps;
  const entriesMax = deps.entriesMax ?? DNS_CACHE_ENTRIES;
  const limits = { ...cacheLimits, entriesMax, bytesMax: entriesMax * ENTRY_BYTES, ...deps.limits };
  const cache = createDnsCache({
    clock,
    limits,
    obtain: (type, name) => obtain(ask, type, name),
    ...(keep === undefined ? {} : { keep }),
    ...(onLookup === undefined ? {} : { onLookup }),
  });

  function lookup<K extends RecordType>(
    type: K,
    text: string,
  ): Answer<RecordOf[K]> | Promise<Answer<RecordOf[K]>> {
    const name = cleanName(text);
    if (name === undefined)
      return { kind: "unknown", why: "not a domain name", freshUntil: clock.now() };
    const own = ownRecords(type, name);
    if (own === undefined) return cache.lookup(type, name);
    const freshUntil = clock.now() + HOSTS_TTL_MS;
    if (own.length === 0) return { kind: "none", why: "nodata", freshUntil, secure: false };
    return { kind: "found", records: own, freshUntil, secure: false };
  }

  /** What the hosts file says of the name, if it holds it at all. */
  function ownRecords<K extends RecordType>(type: K, name: string): RecordOf[K][] | undefined {
    if (type !== "A" && type !== "AAAA") return undefined;
    const own = hosts.get(name);
    // Both address types are kept as text.
    return (type === "A" ? own?.A : own?.AAAA) as RecordOf[K][] | undefined;
  }

  return {
    lookup,
    preload: cache.preload,
  };
}

/** One lookup with its aliases, over as many questions as that takes. */
async function obtain<K extends RecordType>(
  ask: Ask,
  type: K,
  name: string,
): Promise<Fetched<RecordOf[K]>> {
  let target = name;
  let hopsLeft = HOPS_MAX;
  let ttlS = Number.POSITIVE_INFINITY;
  let secure = true;
  for (;;) {
    const outcome = await ask({ type, name: target });
    if (outcome.kind === "unknown") return outcome;
    const followed = follow({ type, name: target }, outcome.reply, hopsLeft);
    secure &&= outcome.reply.secure;
    if (followed.kind === "endless")
      return { kind: "unknown", why: `${name} has more than ${HOPS_MAX} aliases or a loop` };
    ttlS = Math.min(ttlS, followed.ttlS);
    const facts = { ttlMs: ttlS * 1000, secure };
    if (followed.kind === "found") {
      const { records, owner } = followed;
      return { kind: "found", records, ...facts, ...(owner === name ? {} : { owner }) };
    }
    if (followed.kind === "none") return { kind: "none", why: followed.why, ...facts };
    const next = cleanName(followed.target);
    if (next === undefined) return { kind: "unknown", why: `${name} is an alias of no name` };
    hopsLeft -= followed.hops;
    target = next;
  }
}
