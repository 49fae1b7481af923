// Who is logged in to the dashboard. A session is a cookie of 256 random bits that stands for an API key: it can do what the key can do at
// this moment, and ends with it. Sessions live in memory and end with the daemon; only hashes of their cookies are kept.
import { createHmac, hash, timingSafeEqual } from "node:crypto";
import type { Clock, EpochMs } from "../../base/clock.ts";
import type { Random } from "../../base/random.ts";
import type { ApiKey } from "../auth.ts";

/** So long without a request ends a session. */
export const IDLE_MS = 12 * 3_600_000;
/** So long it lasts at most, whatever is done with it. */
export const LIFE_MS = 7 * 24 * 3_600_000;
/** Of one key; beyond it that of its sessions ends which was used least recently, so that no key ends another's. */
export const KEY_SESSIONS_MAX = 20;
/** Of all keys. */
const SESSIONS_MAX = 2000;

const TOKEN_OCTETS = 32;
/** Such a token in base64url. */
const TOKEN_LENGTH = 43;

/** Where a session was begun: it holds for that place alone. */
export interface Place {
  /** The header `Host` of the login. */
  readonly host: string;
  /** What the browser calls its own origin, as `https://mail.example.com`. */
  readonly origin: string;
}

export interface Session extends Place {
  /** As it is now: its scopes may have changed since the login. */
  readonly key: ApiKey;
  readonly csrf: string;
  readonly expiresAt: EpochMs;
}

export interface Sessions {
  /** A new session, and the value of its cookie, which is known to the browser alone from then on. */
  begin(key: ApiKey, place: Place): { readonly token: string; readonly session: Session };
  /** Undefined: there is none, or it has ended. */
  find(token: string): Session | undefined;
  /** The same, as a use of the session, which keeps it from ending. */
  use(token: string): Session | undefined;
  end(token: string): void;
  count(): number;
}

interface Kept extends Place {
  readonly keyId: string;
  /** The first key keeps its id when the settings give it another token. */
  readonly keyDigest: Uint8Array;
  readonly expiresAt: EpochMs;
  /** On the clock that does not jump: a wrong step of the wall makes no session last longer. */
  readonly endsAtMono: number;
  usedAtMono: number;
}

export function createSessions(deps: {
  readonly keys: () => readonly ApiKey[];
  readonly clock: Pick<Clock, "now" | "monotonicMs">;
  readonly random: Pick<Random, "bytes">;
}): Sessions {
  const { clock } = deps;
  /** By the hash of the token, the least recently used first. */
  const kept = new Map<string, Kept>();

  const keyOf = ({ keyId, keyDigest }: Kept): ApiKey | undefined => {
    const key = deps.keys().find(({ id }) => id === keyId);
    if (key === undefined || !timingSafeEqual(key.digest, keyDigest)) return undefined;
    return key.expiresAt != null && clock.now() >= key.expiresAt ? undefined : key;
  };
  const isOver = (one: Kept, mono: number): boolean =>
    mono >= one.endsAtMono || mono - one.usedAtMono >= IDLE_MS;
  const look = (token: string, isUse: boolean): Session | undefined => {
    if (token.length !== TOKEN_LENGTH) return undefined;
    const place = placeOf(token);
    const one = kept.get(place);
    if (one === undefined) return undefined;
    const mono = clock.monotonicMs();
    const key = isOver(one, mono) ? undefined : keyOf(one);
    if (key === undefined) {
      kept.delete(place);
      return undefined;
    }
    if (isUse) {
      one.usedAtMono = mono;
      kept.delete(place);
      kept.set(place, one);
    }
    const { host, origin, expiresAt } = one;
    return { host, origin, expiresAt, key, csrf: csrfOf(token) };
  };
  const makeRoom = (keyId: string): void => {
    const mono = clock.monotonicMs();
    const own: string[] = [];
    for (const [place, one] of kept)
      if (isOver(one, mono) || keyOf(one) === undefined) kept.delete(place);
      else if (one.keyId === keyId) own.push(place);
    for (const place of own.slice(0, Math.max(0, own.length + 1 - KEY_SESSIONS_MAX)))
      kept.delete(place);
    for (const place of kept.keys()) {
      if (kept.size < SESSIONS_MAX) break;
      kept.delete(place);
    }
  };

  return {
    begin(key, { host, origin }) {
      makeRoom(key.id);
      const token = Buffer.from(deps.random.bytes(TOKEN_OCTETS)).toString("base64url");
      const mono = clock.monotonicMs();
      const expiresAt = clock.now() + LIFE_MS;
      kept.set(placeOf(token), {
        ...{ host, origin, expiresAt },
        keyId: key.id,
        keyDigest: key.digest,
        endsAtMono: mono + LIFE_MS,
        usedAtMono: mono,
      });
      return { token, session: { host, origin, expiresAt, key, csrf: csrfOf(token) } };
    },
    find: (token) => look(token, false),
    use: (token) => look(token, true),
    end: (token) => void kept.delete(placeOf(token)),
    count: () => kept.size,
  };
}

/** Looked up by its hash, so that the time it takes tells nothing of tokens. */
function placeOf(token: string): string {
  return hash("sha256", token, "base64url");
}

/** Made of the cookie's token, which no other page can read, so that it need not be kept. */
function csrfOf(token: string): string {
  return createHmac("sha256", token).update("csrf").digest("base64url");
}

export function isSame(given: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.length === b.length && timingSafeEqual(a, b);
}
