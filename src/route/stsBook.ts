// The MTA-STS policies of the domains that mail goes to (RFC 8461 5.1). A policy once fetched holds until its max_age is over, over
// restarts too: whoever can suppress the record or the web server for an hour must not be able to switch the policy off. A new id, or
// age, brings a fresh one in the background; where that fails, the old one stays.
import type { Clock, EpochMs } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { whenKnown, type Answer, type Lookup } from "../dns/answer.ts";
import type { KeptAnswer } from "../dns/kept.ts";
import { createRecent } from "../dns/recent.ts";
import {
  MAX_AGE_MAX_S,
  readStsPolicy,
  readStsRecord,
  type StsMode,
  type StsRecord,
} from "./mtaSts.ts";

/** A policy as it was fetched. */
export interface KeptPolicy {
  readonly id: string;
  readonly mode: StsMode;
  readonly mx: readonly string[];
  readonly fetchedAt: EpochMs;
  readonly expiresAt: EpochMs;
}

export interface StsState {
  /** Null: the domain has none that we know of, and `why` says how we know. */
  readonly policy: KeptPolicy | null;
  readonly why: string;
  readonly freshUntil: EpochMs;
}

/** The text behind `https://mta-sts.DOMAIN/.well-known/mta-sts.txt`. Never rejects; settles within its own deadline. */
export type FetchPolicy = (domain: string) => Promise<FetchedPolicy>;

export type FetchedPolicy =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "failed"; readonly why: string };

export interface StsBookDeps {
  readonly clock: Clock;
  readonly lookup: Lookup;
  readonly fetch: FetchPolicy;
  readonly log: Log;
  /** Each policy as a row that survives a restart, and the way back to it. */
  keep(row: KeptAnswer): void;
  recall(key: string): KeptAnswer | undefined;
  /** What is known of the domain is no longer what was told before. */
  changed(domain: string): void;
  readonly entriesMax: number;
}

export interface StsBook {
  /** At once when what is known serves. Never rejects. */
  stateOf(domain: string): StsState | Promise<StsState>;
  /** Other settings may let succeed what failed before: it is tried again when it is needed next. */
  forgetFailures(): void;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** A policy that says less is kept so long all the same, or each mail would fetch it. */
const AGE_MIN_MS = 5 * MINUTE_MS;
/** RFC 8461 3.3 wants policies looked at again before they end, a day being enough. */
const REFRESH_MS = DAY_MS;
/** RFC 8461 3.3: after a failure no attempt for five minutes; it doubles up to the last. */
const FAILED_MIN_MS = 5 * MINUTE_MS;
const FAILED_MAX_MS = 60 * MINUTE_MS;
/** What the DNS does not tell now is asked again after this. */
const SILENT_MS = 5 * MINUTE_MS;
/** Policy servers that are asked at one time; the others wait for their turn. */
const FETCHES_MAX = 32;
/** So many wait; beyond them a domain goes without, since mail must not wait for hours behind servers that are dead. */
const LINE_MAX = 500;
const POLICY_BYTES = 1_024;
/** Of its row; the words of the DNS are in capitals. */
const KEY = "sts ";

interface Failure {
  readonly until: EpochMs;
  readonly waitMs: number;
  readonly why: string;
}

export function createStsBook(deps: StsBookDeps): StsBook {
  const { clock, lookup, log } = deps;
  const bounds = { entriesMax: deps.entriesMax, weightMax: deps.entriesMax * POLICY_BYTES };
  const policies = createRecent<KeptPolicy>(bounds);
  const failures = createRecent<Failure>(bounds);
  const flights = new Map<string, Promise<void>>();
  const gate = createGate(FETCHES_MAX, LINE_MAX);

  function stateOf(domain: string): StsState | Promise<StsState> {
    return whenKnown(lookup("TXT", `_mta-sts.${domain}`), (answer) => decide(domain, answer));
  }

  function decide(domain: string, answer: Answer<string>): StsState | Promise<StsState> {
    const record = recordOf(answer);
    const kept = validPolicy(domain);
    if (kept !== undefined) {
      if (record.kind === "id" && needsRefresh(domain, kept, record.id))
        void refresh(domain, record.id).then(() => deps.changed(domain));
      return stateWith(kept, answer);
    }
    if (record.kind === "none") return without(record.why, freshness(answer));
    const failure = failureOf(domain);
    if (failure !== undefined) return without(failure.why, failure.until);
    return refresh(domain, record.id).then(() => {
      const fetched = validPolicy(domain);
      if (fetched !== undefined) return stateWith(fetched, answer);
      const { why, until } = failureOf(domain) ?? { why: "no policy", until: clock.now() };
      return without(why, until);
    });
  }

  function freshness(answer: Answer<string>): EpochMs {
    return answer.kind === "unknown" ? clock.now() + SILENT_MS : answer.freshUntil;
  }

  function stateWith(policy: KeptPolicy, answer: Answer<string>): StsState {
    const freshUntil = Math.min(freshness(answer), policy.expiresAt);
    return { policy, why: `policy ${policy.id}`, freshUntil };
  }

  /** An expired one counts as none; so does one that a clock set back would keep longer than any policy may live. */
  function validPolicy(domain: string): KeptPolicy | undefined {
    const kept = policies.get(domain) ?? recalled(domain);
    const leftMs = (kept?.expiresAt ?? 0) - clock.now();
    return leftMs > 0 && leftMs <= MAX_AGE_MAX_S * 1000 ? kept : undefined;
  }

  function recalled(domain: string): KeptPolicy | undefined {
    const row = deps.recall(KEY + domain);
    const policy = row === undefined ? undefined : readRow(row);
    if (policy !== undefined) put(domain, policy);
    return policy;
  }

  function failureOf(domain: string): Failure | undefined {
    const failure = failures.get(domain);
    const leftMs = (failure?.until ?? 0) - clock.now();
    return leftMs > 0 && leftMs <= FAILED_MAX_MS ? failure : undefined;
  }

  function needsRefresh(domain: string, kept: KeptPolicy, id: string): boolean {
    if (flights.has(domain) || failureOf(domain) !== undefined) return false;
    const lifeMs = kept.expiresAt - kept.fetchedAt;
    return id !== kept.id || clock.now() - kept.fetchedAt > Math.min(REFRESH_MS, lifeMs / 2);
  }

  function refresh(domain: string, id: string): Promise<void> {
    const known = flights.get(domain);
    if (known !== undefined) return known;
    const flight = gate(() => deps.fetch(domain)).then((fetched) => {
      flights.delete(domain);
      learn(domain, id, fetched ?? { kind: "failed", why: "too many policies at once" });
    });
    flights.set(domain, flight);
    return flight;
  }

  function learn(domain: string, id: string, fetched: FetchedPolicy): void {
    const read = fetched.kind === "text" ? readStsPolicy(fetched.text) : fetched;
    const now = clock.now();
    if (read.kind !== "policy") {
      const waitMs = Math.min(
        FAILED_MAX_MS,
        2 * (failures.get(domain)?.waitMs ?? FAILED_MIN_MS / 2),
      );
      const why = `the MTA-STS policy could not be fetched: ${read.why}`;
      failures.set(domain, { until: now + waitMs, waitMs, why }, 200 + why.length);
      log("warn", "sts.fetch_failed", { domain, text: read.why });
      return;
    }
    const { mode, mx, maxAgeMs } = read.policy;
    const expiresAt = now + Math.max(AGE_MIN_MS, maxAgeMs);
    const policy: KeptPolicy = { id, mode, mx, fetchedAt: now, expiresAt };
    put(domain, policy);
    // It no longer stands in the way of the next refresh.
    failures.set(domain, { until: 0, waitMs: FAILED_MIN_MS / 2, why: "" });
    deps.keep({ key: KEY + domain, answer: JSON.stringify(policy), expiresAt });
    log("info", "sts.policy", { domain, id, mode });
  }

  function put(domain: string, policy: KeptPolicy): void {
    const bytes = policy.mx.reduce((sum, pattern) => sum + 40 + pattern.length, 200);
    policies.set(domain, policy, bytes + domain.length);
  }

  return { stateOf, forgetFailures: failures.clear };
}

function recordOf(answer: Answer<string>): StsRecord {
  if (answer.kind === "found") return readStsRecord(answer.records);
  const why = answer.kind === "none" ? "no MTA-STS record" : `the DNS is silent: ${answer.why}`;
  return { kind: "none", why };
}

function without(why: string, freshUntil: EpochMs): StsState {
  return { policy: null, why, freshUntil };
}

/** What lies on the disk is checked like anything from outside. */
function readRow({ answer }: KeptAnswer): KeptPolicy | undefined {
  let value: Partial<Record<keyof KeptPolicy, unknown>> | null;
  try {
    value = JSON.parse(answer) as typeof value;
  } catch {
    // A row that is no JSON is as good as none.
    return undefined;
  }
  if (value === null) return undefined;
  const { id, mode, mx, fetchedAt, expiresAt } = value;
  if (typeof id !== "string" || typeof fetchedAt !== "number" || typeof expiresAt !== "number")
    return undefined;
  if (mode !== "enforce" && mode !== "testing" && mode !== "none") return undefined;
  if (!Array.isArray(mx)) return undefined;
  const isText = (one: unknown): one is string => typeof one === "string";
  return mx.every(isText) ? { id, mode, mx, fetchedAt, expiresAt } : undefined;
}

/** At most `max` at a time, in the order of their coming; undefined when the line is too long to join. */
function createGate(
  max: number,
  lineMax: number,
): <T>(run: () => Promise<T>) => Promise<T | undefined> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (run) => {
    if (running < max) running++;
    else if (waiting.length >= lineMax) return undefined;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}
