// What the operator is shown of the DNS: one question and how it was answered, and how far a warm-up has come.

export const dnsTypes = ["MX", "A", "AAAA", "TXT", "TLSA"] as const;
export type DnsType = (typeof dnsTypes)[number];

/**
 * - `hosts`: this host's own table, or a name that no server is asked about.
 * - `l1`, `l2`: the cache in memory, the one in the database.
 * - `resolver`: a server was asked just now.
 * - `stale`: the resolver said nothing, so what it said before serves on (RFC 8767).
 */
export type DnsLevel = "hosts" | "l1" | "l2" | "resolver" | "stale";

export interface DnsLookup {
  readonly type: DnsType;
  readonly name: string;
  readonly result: "found" | "none" | "unknown";
  /** `nxdomain` or `nodata`, or why nothing was learnt; empty when records were found. */
  readonly why: string;
  /** One line each, as a zone file would have it. */
  readonly records: readonly string[];
  /** Validated by a resolver that is trusted to do so. */
  readonly secure: boolean;
  readonly level: DnsLevel;
  /** How long the answer still holds; 0 for one that serves past its end. */
  readonly ttlMs: number;
  readonly tookMs: number;
}

/** Domains of a warm list; `done` counts the other three together. */
export interface DnsWarmth {
  readonly total: number;
  readonly done: number;
  /** Their mail has somewhere to go. */
  readonly found: number;
  /** The DNS says that they take no mail. */
  readonly none: number;
  readonly unknown: number;
  readonly tookMs: number;
}

/** What the commands `dns lookup`, `dns flush` and `dns warm` ask of the queue thread. */
export interface DnsControl {
  lookup(type: DnsType, name: string): Promise<DnsLookup>;
  /** Forgets one name, or all of them, in every level; returns how many answers went. */
  flush(name?: string): number;
  /** Looks up where the mail of each domain goes, a few at a time; `progress` hears of each step, about twice a second. */
  warm(
    domains: readonly string[],
    progress?: (warmth: DnsWarmth) => void,
    signal?: AbortSignal,
  ): Promise<DnsWarmth>;
}
