// SCRAM-SHA-256 (RFC 5802, RFC 7677) without channel binding: the password is never shown, and the server proves that it knows it too.
import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from "node:crypto";
import { keepNewest } from "../base/keepNewest.ts";
import type { Login } from "./auth.ts";

export interface Scram {
  readonly first: string;
  /** What follows on the server's first message; undefined when that is none that we may answer. */
  final(serverFirst: string): string | undefined;
  /** The server's last message proves that it knows the password. */
  proves(serverFinal: string): boolean;
}

/**
 * A server may ask for more rounds of hashing than it would be good for the thread that all connections share: a million take half a
 * second. RFC 7677 4 wants 4096 at least.
 */
const ITERATIONS = { min: 4096, max: 1_000_000 } as const;

/** No channel binding, and no other identity than the user's own (RFC 5802 7). */
const GS2_HEADER = "n,,";

export function createScram({ user, pass }: Login, nonce: string): Scram {
  const bare = `n=${saslName(user)},r=${nonce}`;
  let signature: Buffer | undefined;
  return {
    first: GS2_HEADER + bare,
    final(serverFirst) {
      const [, full = "", salt = "", rounds = ""] =
        /^r=([!-+\--~]+),s=([A-Za-z0-9+/]+={0,2}),i=(\d{1,9})(?:,|$)/.exec(serverFirst) ?? [];
      const iterations = Number(rounds);
      // A nonce that does not go on from ours is an answer to somebody else.
      if (!full.startsWith(nonce) || full.length === nonce.length) return undefined;
      if (iterations < ITERATIONS.min || iterations > ITERATIONS.max) return undefined;
      const salted = saltedPassword(pass, salt, iterations);
      const clientKey = hmac(salted, "Client Key");
      const storedKey = createHash("sha256").update(clientKey).digest();
      const withoutProof = `c=${Buffer.from(GS2_HEADER).toString("base64")},r=${full}`;
      const everything = `${bare},${serverFirst},${withoutProof}`;
      signature = hmac(hmac(salted, "Server Key"), everything);
      const proof = xor(clientKey, hmac(storedKey, everything));
      return `${withoutProof},p=${proof.toString("base64")}`;
    },
    proves(serverFinal) {
      const said = /^v=([A-Za-z0-9+/]+={0,2})(?:,|$)/.exec(serverFinal)?.[1];
      if (said === undefined || signature === undefined) return false;
      const given = Buffer.from(said, "base64");
      return given.length === signature.length && timingSafeEqual(given, signature);
    },
  };
}

/** The hashing is the dear part, and the same for each connection to the same server. */
const salted = new Map<string, Buffer>();
const SALTED_MAX = 16;

function saltedPassword(pass: string, salt: string, iterations: number): Buffer {
  // Known by its hash, so that no key of this map holds a password.
  const key = createHash("sha256").update(`${iterations} ${salt} ${pass}`).digest("base64");
  const known = salted.get(key);
  if (known !== undefined) return known;
  const made = pbkdf2Sync(prepared(pass), Buffer.from(salt, "base64"), iterations, 32, "sha256");
  salted.set(key, made);
  keepNewest(salted, SALTED_MAX);
  return made;
}

/** What SASLprep (RFC 4013) does to what people type: compatible forms become one, a strange space becomes a space. */
function prepared(text: string): string {
  return text.replace(/\p{Zs}/gu, " ").normalize("NFKC");
}

const saslName = (user: string): string =>
  prepared(user).replaceAll("=", "=3D").replaceAll(",", "=2C");

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((octet, i) => octet ^ (b[i] ?? 0)));
}
