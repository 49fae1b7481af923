// Who may ask. A key is known by the SHA-256 of its token only, and compared in constant time; who guesses is slowed down by address.
import { hash, timingSafeEqual } from "node:crypto";
import { parseIp } from "../base/cidr.ts";
import type { Clock, EpochMs } from "../base/clock.ts";
import type { Caller } from "./caller.ts";
import { type Problem, type Result, ok, problem } from "./problem.ts";

export interface ApiKey {
  readonly id: string;
  /** SHA-256 of the token. */
  readonly digest: Uint8Array;
  readonly caller: Caller;
  /** By the clock on the wall; absent: never. */
  readonly expiresAt?: EpochMs | null;
  /** Set whenever it opens the gate. */
  readonly use?: { recent: boolean };
}

export function digestOf(token: string): Buffer {
  return hash("sha256", token, "buffer");
}

const TOKEN_LENGTH_MAX = 512;

/** Wrong keys from one client address within the window before it is told to wait. */
const FAILURES_MAX = 20;
const WINDOW_MS = 60_000;
/** Addresses remembered; beyond that the oldest is forgotten. */
const ADDRESSES_MAX = 4096;

export interface Gate {
  /** `authorization` is the header as it came; `addressOf` is asked only when the key is wrong. */
  check(authorization: string | null, addressOf: () => string | null): Result<Caller>;
  /** The same for doors that get the token by itself, as a password. */
  checkToken(token: string, addressOf: () => string | null): Result<Caller>;
}

export function createGate(deps: {
  /** The same list as long as nothing has changed. */
  readonly keys: () => readonly ApiKey[];
  readonly clock: Pick<Clock, "monotonicMs" | "now">;
}): Gate {
  let known: readonly ApiKey[] = [];
  let index = indexOf(known);
  const failures = createFailures(deps.clock);

  const find = (token: string): ApiKey | undefined => {
    const keys = deps.keys();
    if (keys !== known) {
      known = keys;
      index = indexOf(keys);
    }
    const digest = digestOf(token);
    let found: ApiKey | undefined;
    for (const key of index.get(shelfOf(digest)) ?? nobody)
      if (timingSafeEqual(key.digest, digest)) found = key;
    return found === nobody[0] ? undefined : found;
  };

  const checkToken = (token: string, addressOf: () => string | null): Result<Caller> => {
    const key = find(token);
    if (key !== undefined) {
      if (key.expiresAt != null && deps.clock.now() >= key.expiresAt) return problem(expired);
      if (key.use !== undefined) key.use.recent = true;
      return ok(key.caller);
    }
    // A right key is let in whatever others try from its address: nobody can lock it out.
    const waitS = failures.count(networkOf(addressOf() ?? ""));
    return problem(waitS === 0 ? unknown : { ...tooMany, retryAfterS: waitS });
  };

  return {
    check(authorization, addressOf) {
      if (authorization === null || authorization === "") return problem(missing);
      const token = bearerOf(authorization);
      if (token === undefined) return problem(notBearer);
      return checkToken(token, addressOf);
    },
    checkToken: (token, addressOf) =>
      token.length > TOKEN_LENGTH_MAX ? problem(unknown) : checkToken(token, addressOf),
  };
}

/**
 * Keys by a few bytes of their digests. Tokens are hashed at each request and kept nowhere: 0.2 us, and what time a look-up takes tells
 * of digests only, from which nobody gets to a token. Who meets no key is compared with nobody's, so that a miss does the same work.
 */
function indexOf(keys: readonly ApiKey[]): ReadonlyMap<number, readonly ApiKey[]> {
  const index = new Map<number, ApiKey[]>();
  for (const key of keys) {
    const shelf = shelfOf(key.digest);
    index.set(shelf, [...(index.get(shelf) ?? []), key]);
  }
  return index;
}

function shelfOf(digest: Uint8Array): number {
  const [a = 0, b = 0, c = 0] = digest;
  return (a << 16) | (b << 8) | c;
}

const DIGEST_BYTES = 32;
const nobody: readonly [ApiKey] = [
  {
    id: "",
    digest: new Uint8Array(DIGEST_BYTES),
    caller: { key: -1, scopes: new Set(), domains: [], capture: true },
  },
];

function bearerOf(authorization: string): string | undefined {
  if (authorization.length < 8 || authorization.length > TOKEN_LENGTH_MAX) return undefined;
  const plain = authorization.startsWith("Bearer ");
  if (!plain && authorization.slice(0, 7).toLowerCase() !== "bearer ") return undefined;
  return authorization.slice(7).trim();
}

/** An IPv6 host has 2^64 addresses of its own, so they count as one; an IPv4 address that is written as IPv6 is that of IPv4. */
export function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  const bytes = parseIp(address.replace(/%.*$/, ""));
  if (bytes === undefined) return address;
  const isMapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff;
  if (isMapped && bytes[11] === 0xff) return bytes.subarray(12).join(".");
  return `${Buffer.from(bytes.subarray(0, 8)).toString("hex")}::/64`;
}

/** Counts wrong keys by address in fixed windows; 0, or the seconds to wait. */
function createFailures(clock: Pick<Clock, "monotonicMs">): { count(address: string): number } {
  const seen = new Map<string, { sinceMs: number; failures: number }>();
  return {
    count(address) {
      const nowMs = clock.monotonicMs();
      const entry = seen.get(address);
      if (entry === undefined || nowMs - entry.sinceMs >= WINDOW_MS) {
        seen.delete(address);
        if (seen.size >= ADDRESSES_MAX) seen.delete(seen.keys().next().value as string);
        seen.set(address, { sinceMs: nowMs, failures: 1 });
        return 0;
      }
      entry.failures++;
      if (entry.failures <= FAILURES_MAX) return 0;
      return Math.ceil((entry.sinceMs + WINDOW_MS - nowMs) / 1000);
    },
  };
}

const WHERE = "The first key lies in the file api-key of the data folder.";

const missing: Problem = {
  name: "missing_api_key",
  detail: `Send the header "Authorization: Bearer KEY". ${WHERE}`,
};
const notBearer: Problem = {
  name: "missing_api_key",
  detail: `The Authorization header is not of the form "Bearer KEY". ${WHERE}`,
};
const unknown: Problem = {
  name: "invalid_api_key",
  detail: `This API key is not known here. ${WHERE}`,
};
const expired: Problem = {
  name: "invalid_api_key",
  detail: "This API key has expired. Make another one, or give it more time.",
};
const tooMany: Problem = {
  name: "rate_limit_exceeded",
  limit: "failed_keys",
  detail: "Too many wrong API keys came from this address. Wait, then send a key that is known.",
};
