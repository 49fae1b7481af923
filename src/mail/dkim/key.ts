// Private keys for signing, as files and settings bring them, and what of them is published in the DNS.
import { createPrivateKey, createPublicKey, hash, type KeyObject, sign } from "node:crypto";

export type DkimAlgorithm = "rsa-sha256" | "ed25519-sha256";

/** A key as it travels between threads. */
export interface DkimKey {
  readonly domain: string;
  readonly selector: string;
  /** PKCS#8 or PKCS#1. */
  readonly pem: string;
}

export interface SigningKey {
  readonly domain: string;
  readonly selector: string;
  readonly algorithm: DkimAlgorithm;
  readonly bits: number;
  readonly key: KeyObject;
}

export type ReadKey =
  | {
      readonly kind: "key";
      readonly algorithm: DkimAlgorithm;
      readonly bits: number;
      readonly key: KeyObject;
    }
  | { readonly kind: "unusable"; readonly why: string };

/** RFC 8301 3.2: verifiers must not take shorter ones; and what it recommends. */
const RSA_BITS_MIN = 1024;
export const RSA_BITS_GOOD = 2048;
/** RFC 6376 3.3.3 asks verifiers to take up to 2048; above 4096 a signature takes longer than the delivery. */
const RSA_BITS_MAX = 4096;

export function readKey(pem: string): ReadKey {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch {
    // What the library says of it differs between runtimes and may quote the text.
    return { kind: "unusable", why: "it is no private key in PEM form (PKCS#8 or PKCS#1)" };
  }
  switch (key.asymmetricKeyType) {
    case "ed25519":
      return { kind: "key", algorithm: "ed25519-sha256", bits: 256, key };
    case "rsa": {
      const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
      if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX) {
        const why = `it has ${bits} bits; verifiers take ${RSA_BITS_MIN} to ${RSA_BITS_MAX}`;
        return { kind: "unusable", why };
      }
      return { kind: "key", algorithm: "rsa-sha256", bits, key };
    }
    default:
      return {
        kind: "unusable",
        why: `it is of type ${key.asymmetricKeyType}, not RSA or Ed25519`,
      };
  }
}

/** RFC 6376 3.3.1; RFC 8463 3: Ed25519 signs the hash, not the text. */
export function signOctets(
  { algorithm, key }: Pick<SigningKey, "algorithm" | "key">,
  input: Buffer,
): string {
  const signature =
    algorithm === "rsa-sha256"
      ? sign("sha256", input, key)
      : sign(null, hash("sha256", input, "buffer"), key);
  return signature.toString("base64");
}

/** Characters of a signature in base64: of RSA as many octets as the modulus has. */
export function signatureLength({ algorithm, bits }: SigningKey): number {
  const octets = algorithm === "rsa-sha256" ? Math.ceil(bits / 8) : ED25519_SIGNATURE_OCTETS;
  return Math.ceil(octets / 3) * 4;
}

/** The TXT record of the public half (RFC 6376 3.6.1; RFC 8463 4: an Ed25519 key stands there bare). */
export function publicRecord({ algorithm, key }: Pick<SigningKey, "algorithm" | "key">): string {
  const spki = createPublicKey(key).export({ type: "spki", format: "der" });
  return algorithm === "rsa-sha256"
    ? `v=DKIM1; k=rsa; p=${spki.toString("base64")}`
    : `v=DKIM1; k=ed25519; p=${spki.subarray(-ED25519_OCTETS).toString("base64")}`;
}

const ED25519_OCTETS = 32;
const ED25519_SIGNATURE_OCTETS = 64;
