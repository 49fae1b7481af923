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
  type LookupLevel,
} from "./cache.ts";
import { follow, HOPS_MAX } from "./follow.ts";
import { cleanName } from "./name.ts";
import type { Hosts } from "./servers.ts";
import type { Ask } from "./upstream.ts";

export interface ResolverDeps extends Pick<
  CacheDeps,
  "keep" | "recall" | "onLookup" | "random" | "isSilent"
> {
  readonly clock: Clock;
  readonly ask: Ask;
  readonly hosts: Hosts;
  /** The setting `dns_cache_entries`. */
  readonly entriesMax?: number;
  readonly limits?: Partial<CacheLimits>;
}

export interface Resolver extends Pick<DnsCache, "peek" | "renew" | "flush" | "size"> {
  readonly lookup: Lookup;
  /** As `lookup`, and how it was answered. */
  inspect<K extends RecordType>(type: K, text: string): Promise<Inspected<RecordOf[K]>>;
  /** What is cached stays, as far as there is room for it. */
  configure(settings: ResolverSettings): void;
}

/** What a reload may change. */
export interface ResolverSettings {
  readonly entriesMax: number;
  readonly hosts: Hosts;
}

export interface Inspected<T> {
  readonly answer: Answer<T>;
  readonly level: LookupLevel | "hosts" | "resolver" | "stale";
}

const DNS_CACHE_ENTRIES = 10_000;
/** How long a caller may keep what the hosts file says. */
const HOSTS_TTL_MS = 60_000;

export function createResolver(deps: ResolverDeps): Resolver {
  const { clock, ask } = deps;
  let { hosts } = deps;
  const entriesMax = deps.entriesMax ?? DNS_CACHE_ENTRIES;
  const limits = { ...cacheLimits, entriesMax, bytesMax: entriesMax * ENTRY_BYTES, ...deps.limits };
  const cache = createDnsCache({
    ...deps,
    limits,
    obtain: (type, name) => obtain(ask, type, name),
  });

  function lookup<K extends RecordType>(
    type: K,
    text: string,
  ): Answer<RecordOf[K]> | Promise<Answer<RecordOf[K]>> {
    const name = cleanName(text);
    if (name === undefined)
      return { kind: "unknown", why: "not a domain name", freshUntil: clock.now() };
    return ownAnswer(type, name) ?? cache.lookup(type, name);
  }

  /** What the hosts file says of the name, if it holds it at all. */
  function ownAnswer<K extends RecordType>(type: K, name: string): Answer<RecordOf[K]> | undefined {
    if (type !== "A" && type !== "AAAA") return undefined;
    const own = hosts.get(name);
    if (own === undefined) return undefined;
    // Both address types are kept as text.
    const records = (type === "A" ? own.A : own.AAAA) as RecordOf[K][];
    const facts = { freshUntil: clock.now() + HOSTS_TTL_MS, secure: false };
    if (records.length === 0) return { kind: "none", why: "nodata", ...facts };
    return { kind: "found", records, ...facts };
  }

  async function inspect<K extends RecordType>(
    type: K,
    text: string,
  ): Promise<Inspected<RecordOf[K]>> {
    const name = cleanName(text) ?? "";
    const isOwn = name === "" || ownAnswer(type, name) !== undefined;
    const answer = lookup(type, text);
    const asked = answer instanceof Promise;
    const known = await answer;
    if (isOwn) return { answer: known, level: "hosts" };
    const kept = cache.peek(type, name);
    if (kept?.stale === true) return { answer: known, level: "stale" };
    return { answer: known, level: asked ? "resolver" : (kept?.level ?? "resolver") };
  }

  const { peek, renew, flush, size } = cache;
  return {
    ...{ lookup, inspect, peek, renew, flush, size },
    configure(next) {
      hosts = next.hosts;
      cache.resize({ entriesMax: next.entriesMax, bytesMax: next.entriesMax * ENTRY_BYTES });
    },
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
