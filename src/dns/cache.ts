// What the DNS said, kept as long as it said: in memory (L1), told to the store row by row (L2) and read back from there by name.
// While the resolver is down, what was found before is served for days (RFC 8767); what was absent is not, since a bounce may
// follow from it. One question in flight a name; an answer that is known comes back without a promise.
import type { Clock, EpochMs } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import type { Answer, AnswerOf, Lookup, RecordOf, RecordType } from "./answer.ts";
import { readKept, writeKept, type KeptAnswer } from "./kept.ts";
import { createRecent } from "./recent.ts";

export interface CacheLimits {
  readonly entriesMax: number;
  readonly bytesMax: number;
  readonly ttlMinMs: number;
  readonly ttlMaxMs: number;
  /** How long silence is remembered. The uplink may be down, and when it is back nobody wants to wait for a name. */
  readonly unknownMs: number;
  /** A failure that a server told is remembered twice as long each time, up to this: RFC 9520 3.2 wants 1 s to 5 min. */
  readonly unknownMaxMs: number;
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
  unknownMaxMs: 300_000,
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
      readonly owner?: string;
    }
  | {
      readonly kind: "none";
      readonly why: "nxdomain" | "nodata";
      readonly ttlMs: number;
      readonly secure: boolean;
    }
  /** `told`: a server answered, such as with SERVFAIL; else there was only silence. */
  | { readonly kind: "unknown"; readonly why: string; readonly told?: boolean };

export type Obtain = <K extends RecordType>(type: K, name: string) => Promise<Fetched<RecordOf[K]>>;

export type LookupLevel = "l1" | "l2";
export type LookupResult = "hit" | "stale" | "miss" | "joined";

export interface CacheDeps {
  readonly clock: Clock;
  readonly obtain: Obtain;
  readonly limits: CacheLimits;
  readonly random?: Pick<Random, "roll">;
  /** The second level: one row in, and one row out by its key. */
  readonly keep?: (row: KeptAnswer) => void;
  readonly recall?: (key: string) => KeptAnswer | undefined;
  /** No server answers at the moment: what is stale serves without waiting for another silence. */
  readonly isSilent?: () => boolean;
  readonly onLookup?: (level: LookupLevel, result: LookupResult) => void;
}

export interface DnsCache {
  readonly lookup: Lookup;
  /** What is kept of a name, without asking for it. */
  peek(type: RecordType, name: string): Peeked | undefined;
  /** Asks although the answer is still fresh; resolves when it is there. Failures change nothing that is kept. */
  renew(type: RecordType, name: string): Promise<void>;
  /** Forgets every type of one name, or everything; the keys that went. Rows of the second level are not its business. */
  flush(name?: string): string[];
  resize(limits: Pick<CacheLimits, "entriesMax" | "bytesMax">): void;
  size(): number;
}

export interface Peeked {
  readonly answer: Answer<RecordOf[RecordType]>;
  readonly level: LookupLevel;
  /** It serves past its end, since the resolver says nothing. */
  readonly stale: boolean;
  /** From then on it may be asked for again ahead of its end. */
  readonly renewAt: EpochMs;
}

type Known = Answer<RecordOf[RecordType]>;

interface Entry {
  answer: Known;
  readonly level: LookupLevel;
  /** When a found answer may no longer serve at all. */
  readonly staleUntil: EpochMs;
  readonly renewAt: EpochMs;
  stale: boolean;
  /** Failures in a row that a server told. */
  failures: number;
}

/** An answer is asked for again in the last fifth to tenth of its life, each at another moment of it. */
const RENEW_LAST = 0.1;
const RENEW_SPREAD = 0.1;
const FAILURES_MAX = 16;

export function createDnsCache(deps: CacheDeps): DnsCache {
  const { clock, obtain, limits, onLookup } = deps;
  const recent = createRecent<Entry>({
    entriesMax: limits.entriesMax,
    weightMax: limits.bytesMax,
  });
  const inFlight = new Map<string, Promise<Known>>();
  const roll = deps.random?.roll ?? (() => 0);

  function lookup(type: RecordType, name: string): Known | Promise<Known> {
    const key = `${type} ${name}`;
    const now = clock.now();
    const kept = recent.get(key);
    const entry = kept ?? recall(key, now);
    const level = kept === undefined ? "l2" : "l1";
    if (entry !== undefined && isFresh(entry.answer, now)) {
      onLookup?.(level, entry.stale ? "stale" : "hit");
      return entry.answer;
    }
    const stale = entry !== undefined && isServable(entry, now) ? entry : undefined;
    const flight = inFlight.get(key);
    if (flight !== undefined) onLookup?.("l1", "joined");
    else if (inFlight.size >= limits.inFlightMax)
      return stale?.answer ?? unknown("too many DNS questions at once", now);
    else onLookup?.("l1", "miss");
    const answer = flight ?? start(type, name, key);
    if (stale === undefined) return answer;
    return deps.isSilent?.() === true ? serveStale(stale, now) : atMost(stale, answer);
  }

  /** A clock that was set back must not make an answer live longer than it ever could. */
  function isFresh(answer: Known, now: EpochMs): boolean {
    return now < answer.freshUntil && answer.freshUntil - now <= limits.ttlMaxMs;
  }

  /** What the second level has of it, taken into the first. */
  function recall(key: string, now: EpochMs): Entry | undefined {
    const row = deps.recall?.(key);
    const answer = row === undefined ? undefined : readKept(row);
    if (answer === undefined) return undefined;
    const staleUntil = answer.freshUntil + limits.staleMs;
    const renewAt = answer.freshUntil;
    const entry: Entry = { answer, level: "l2", staleUntil, renewAt, stale: false, failures: 0 };
    if (staleUntil <= now) return undefined;
    put(key, entry);
    return entry;
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
    if (fetched.kind === "unknown") return learnFailure(key, fetched, now);
    const { ttlMs, ...facts } = fetched;
    const clampedMs = Math.min(limits.ttlMaxMs, Math.max(limits.ttlMinMs, ttlMs));
    const answer: Known = { ...facts, freshUntil: now + clampedMs };
    const staleUntil = answer.freshUntil + limits.staleMs;
    const renewAt = now + clampedMs * (1 - RENEW_LAST - RENEW_SPREAD * roll());
    put(key, { answer, level: "l1", staleUntil, renewAt, stale: false, failures: 0 });
    deps.keep?.(writeKept(key, answer));
    return answer;
  }

  function learnFailure(
    key: string,
    { why, told = false }: Extract<Fetched<unknown>, { kind: "unknown" }>,
    now: EpochMs,
  ): Known {
    const entry = recent.get(key);
    // It was asked for ahead of its end.
    if (entry !== undefined && entry.answer.kind !== "unknown" && isFresh(entry.answer, now))
      return entry.answer;
    if (entry !== undefined && isServable(entry, now)) return serveStale(entry, now);
    const failures = told ? Math.min(FAILURES_MAX, (entry?.failures ?? 0) + 1) : 0;
    const restMs = Math.min(limits.unknownMaxMs, limits.unknownMs * 2 ** Math.max(0, failures - 1));
    const answer: Known = { kind: "unknown", why, freshUntil: now + restMs };
    put(key, { answer, level: "l1", staleUntil: now, renewAt: Infinity, stale: false, failures });
    return answer;
  }

  /** From now on it is found at once, until the next question is due. */
  function serveStale(entry: Entry, now: EpochMs): Known {
    onLookup?.(entry.level, "stale");
    entry.answer = { ...entry.answer, freshUntil: now + limits.staleRetryMs };
    entry.stale = true;
    return entry.answer;
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
    peek: (type, name) => recent.peek(`${type} ${name}`),
    async renew(type, name) {
      const key = `${type} ${name}`;
      if (inFlight.size >= limits.inFlightMax) return;
      await (inFlight.get(key) ?? start(type, name, key));
    },
    flush(name) {
      const gone = [...recent.keys()].filter(
        (key) => name === undefined || key.slice(key.indexOf(" ") + 1) === name,
      );
      for (const key of gone) recent.delete(key);
      return gone;
    },
    resize: ({ entriesMax, bytesMax }) => recent.resize({ entriesMax, weightMax: bytesMax }),
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
