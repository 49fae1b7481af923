// Who may ask. A key is known by the SHA-256 of its token only, and compared in constant time; who guesses is slowed down by address.
import { hash, timingSafeEqual } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import type { Caller } from "./caller.ts";
import { type Problem, type Result, ok, problem } from "./problem.ts";

export interface ApiKey {
  readonly id: string;
  /** SHA-256 of the token. */
  readonly digest: Uint8Array;
  readonly caller: Caller;
}

export function digestOf(token: string): Uint8Array {
  return hash("sha256", token, "buffer");
}

/** Digests of tokens that were right lately, so that the hot path hashes no token. */
const TOKENS_MAX = 256;
const TOKEN_LENGTH_MAX = 512;

/** Wrong keys from one client address within the window before it is told to wait. */
const FAILURES_MAX = 20;
const WINDOW_MS = 60_000;
/** Addresses remembered; beyond that the oldest is forgotten. */
const ADDRESSES_MAX = 4096;

export interface Gate {
  /** `authorization` is the header as it came; `addressOf` is asked only when the key is wrong. */
  check(authorization: string | null, addressOf: () => string | null): Result<Caller>;
}

export function createGate(deps: {
  readonly keys: () => readonly ApiKey[];
  readonly clock: Pick<Clock, "monotonicMs">;
}): Gate {
  const digests = new Map<string, Uint8Array>();
  const failures = createFailures(deps.clock);

  const find = (token: string): ApiKey | undefined => {
    const digest = digests.get(token) ?? digestOf(token);
    let found: ApiKey | undefined;
    // Every key is compared, so that the time taken does not tell which one was near.
    for (const key of deps.keys()) if (timingSafeEqual(key.digest, digest)) found = key;
    if (found === undefined) digests.delete(token);
    else if (!digests.has(token)) {
      if (digests.size >= TOKENS_MAX) digests.clear();
      digests.set(token, digest);
    }
    return found;
  };

  return {
    check(authorization, addressOf) {
      if (authorization === null || authorization === "") return problem(missing);
      const token = bearerOf(authorization);
      if (token === undefined) return problem(notBearer);
      const key = find(token);
      if (key !== undefined) return ok(key.caller);
      const waitS = failures.count(addressOf() ?? "");
      return problem(waitS === 0 ? unknown : { ...tooMany, retryAfterS: waitS });
    },
  };
}

function bearerOf(authorization: string): string | undefined {
  if (authorization.length < 8 || authorization.length > TOKEN_LENGTH_MAX) return undefined;
  const plain = authorization.startsWith("Bearer ");
  if (!plain && authorization.slice(0, 7).toLowerCase() !== "bearer ") return undefined;
  return authorization.slice(7).trim();
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
const tooMany: Problem = {
  name: "rate_limit_exceeded",
  detail: "Too many wrong API keys came from this address. Wait, then send a key that is known.",
};
