// What the DNS said, kept as long as it said: in memory (L1), told to the store row by row (L2) and taken from there at start. While
// the resolver is down, what was found before is served for days (RFC 8767); what was absent is not, since a bounce may follow
// from it. One question in flight a name; an answer that is known comes back without a promise.
import type { Clock, EpochMs } from "../base/clock.ts";
import type { Answer, AnswerOf, Lookup, RecordOf, RecordType } from "./answer.ts";
import { readKept, writeKept, type KeptAnswer } from "./kept.ts";
import { createRecent } from "./recent.ts";

export interface CacheLimits {
  readonly entriesMax: number;
  readonly bytesMax: number;
  readonly ttlMinMs: number;
  readonly ttlMaxMs: number;
  /** How long a failure is remembered: RFC 9520 wants one second to five minutes. */
  readonly unknownMs: number;
  /** How long after its end an answer may still serve. */
  readonly staleMs: number;
  /** After a failure the stale answer serves so long without asking again. */
  readonly staleRetryMs: number;
  /** A caller that could have a stale answer waits no longer for a new one (RFC 8767 section 5). */
  readonly staleWaitMs: number;
  readonly inFlightMax: number;
}

export const cacheLimits: Omit<CacheLimits, "entriesMax" | "bytesMax"> = {
  ttlMinMs: 5_000,
  ttlMaxMs: 86_400_000,
  unknownMs: 5_000,
  staleMs: 3 * 86_400_000,
  staleRetryMs: 30_000,
  staleWaitMs: 1_800,
  inFlightMax: 20_000,
};

/** What a name's answer takes on average, which bounds the whole cache in bytes as well as in entries. */
export const ENTRY_BYTES = 2_048;

/** What a question brought; a time to live has no clamp yet. */
export type Fetched<T> =
  | {
      readonly kind: "found";
      readonly records: readonly T[];
      readonly ttlMs: number;
      readonly secure: boolean;
    }
  | {
      readonly kind: "none";
      readonly why: "nxdomain" | "nodata";
      readonly ttlMs: number;
      readonly secure: boolean;
    }
  | { readonly kind: "unknown"; readonly why: string };

export type Obtain = <K extends RecordType>(type: K, name: string) => Promise<Fetched<RecordOf[K]>>;

export type LookupLevel = "l1" | "l2";
export type LookupResult = "hit" | "stale" | "miss" | "joined";

export interface CacheDeps {
  readonly clock: Clock;
  readonly obtain: Obtain;
  readonly limits: CacheLimits;
  readonly keep?: (row: KeptAnswer) => void;
  readonly onLookup?: (level: LookupLevel, result: LookupResult) => void;
}

export interface DnsCache {
  readonly lookup: Lookup;
  /** Takes rows of the second level; returns how many could be used. */
  preload(rows: Iterable<KeptAnswer>): number;
  size(): number;
}

type Known = Answer<RecordOf[RecordType]>;

interface Entry {
  answer: Known;
  readonly level: LookupLevel;
  /** When a found answer may no longer serve at all. */
  readonly staleUntil: EpochMs;
}

export function createDnsCache(deps: CacheDeps): DnsCache {
  const { clock, obtain, limits, onLookup } = deps;
  const recent = createRecent<Entry>({
    entriesMax: limits.entriesMax,
    weightMax: limits.bytesMax,
  });
  const inFlight = new Map<string, Promise<Known>>();

  function lookup(type: RecordType, name: string): Known | Promise<Known> {
    const key = `${type} ${name}`;
    const now = clock.now();
    const entry = recent.get(key);
    if (entry !== undefined && isFresh(entry.answer, now)) {
      onLookup?.(entry.level, "hit");
      return entry.answer;
    }
    const stale = entry !== undefined && isServable(entry, now) ? entry : undefined;
    const flight = inFlight.get(key);
    if (flight !== undefined) onLookup?.("l1", "joined");
    else if (inFlight.size >= limits.inFlightMax)
      return stale?.answer ?? unknown("too many DNS questions at once", now);
    else onLookup?.("l1", "miss");
    const answer = flight ?? start(type, name, key);
    return stale === undefined ? answer : atMost(stale, answer);
  }

  /** A clock that was set back must not make an answer live longer than it ever could. */
  function isFresh(answer: Known, now: EpochMs): boolean {
    return now < answer.freshUntil && answer.freshUntil - now <= limits.ttlMaxMs;
  }

  function isServable(entry: Entry, now: EpochMs): boolean {
    return entry.answer.kind === "found" && now < entry.staleUntil;
  }

  function start(type: RecordType, name: string, key: string): Promise<Known> {
    const flight = obtain(type, name).then((fetched) => {
      inFlight.delete(key);
      return learn(key, fetched);
    });
    inFlight.set(key, flight);
    return flight;
  }

  function learn(key: string, fetched: Fetched<RecordOf[RecordType]>): Known {
    const now = clock.now();
    if (fetched.kind === "unknown") return learnFailure(key, fetched.why, now);
    const { ttlMs, ...facts } = fetched;
    const clampedMs = Math.min(limits.ttlMaxMs, Math.max(limits.ttlMinMs, ttlMs));
    const answer: Known = { ...facts, freshUntil: now + clampedMs };
    put(key, { answer, level: "l1", staleUntil: answer.freshUntil + limits.staleMs });
    deps.keep?.(writeKept(key, answer));
    return answer;
  }

  function learnFailure(key: string, why: string, now: EpochMs): Known {
    const entry = recent.get(key);
    if (entry !== undefined && isServable(entry, now) && entry.answer.kind === "found") {
      onLookup?.(entry.level, "stale");
      entry.answer = { ...entry.answer, freshUntil: now + limits.staleRetryMs };
      return entry.answer;
    }
    const answer = unknown(why, now);
    put(key, { answer, level: "l1", staleUntil: now });
    return answer;
  }

  function unknown(why: string, now: EpochMs): Known {
    return { kind: "unknown", why, freshUntil: now + limits.unknownMs };
  }

  function put(key: string, entry: Entry): void {
    recent.set(key, entry, weigh(key, entry.answer));
  }

  /** The answer, or the stale one when it takes long; the question itself goes on for the others. */
  function atMost(stale: Entry, answer: Promise<Known>): Promise<Known> {
    return new Promise((resolve) => {
      const timer = clock.after(limits.staleWaitMs, () => {
        onLookup?.(stale.level, "stale");
        resolve({ ...stale.answer, freshUntil: clock.now() + limits.staleRetryMs });
      });
      void answer.then((known) => {
        timer.cancel();
        resolve(known);
      });
    });
  }

  return {
    // The key holds the type, so what is found under it is of that type.
    lookup: lookup as Lookup,
    preload(rows) {
      let used = 0;
      for (const row of rows) {
        const answer = readKept(row);
        const staleUntil = row.expiresAt + limits.staleMs;
        if (answer === undefined || staleUntil <= clock.now()) continue;
        put(row.key, { answer, level: "l2", staleUntil });
        used++;
      }
      return used;
    },
    size: () => recent.size(),
  };
}

/** Bytes that an entry holds, roughly: enough to bound the whole. */
function weigh(key: string, answer: AnswerOf<RecordType>): number {
  const ownBytes = 200 + key.length;
  if (answer.kind === "unknown") return ownBytes + answer.why.length;
  if (answer.kind === "none") return ownBytes;
  let bytes = ownBytes;
  for (const record of answer.records) {
    if (typeof record === "string") bytes += 40 + record.length;
    else bytes += 100 + ("exchange" in record ? record.exchange.length : record.data.length);
  }
  return bytes;
}
