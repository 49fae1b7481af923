// Which keys sign the mail of a domain. DMARC wants the signature's domain to be that of From or one above it (RFC 9989: relaxed
// alignment), so a domain without keys of its own uses those of the nearest one above it.
import { type DkimKey, readKey, type SigningKey } from "./key.ts";

export interface Keyring {
  readonly size: number;
  /** All keys of the domain, or of the nearest one above it that has some; the same list each time. */
  keysFor(domain: string): readonly SigningKey[];
}

const none: readonly SigningKey[] = [];

/** Keys as they came from another thread; one that cannot be read is left out and told. */
export function openKeyring(
  keys: readonly DkimKey[],
  unusable: (key: DkimKey, why: string) => void,
): Keyring {
  return createKeyring(
    keys.flatMap((key) => {
      const read = readKey(key.pem);
      if (read.kind === "key") return { ...read, domain: key.domain, selector: key.selector };
      unusable(key, read.why);
      return [];
    }),
  );
}

function createKeyring(keys: readonly SigningKey[]): Keyring {
  const byDomain = new Map<string, SigningKey[]>();
  for (const key of keys) {
    const list = byDomain.get(key.domain);
    if (list === undefined) byDomain.set(key.domain, [key]);
    else list.push(key);
  }
  // RSA stands first, where verifiers look that stop early: not all of them know Ed25519.
  for (const list of byDomain.values()) list.sort((a, b) => rank(a) - rank(b));
  return {
    size: keys.length,
    keysFor(domain) {
      for (let name = domain; name !== "";) {
        const list = byDomain.get(name);
        if (list !== undefined) return list;
        const dot = name.indexOf(".");
        name = dot < 0 ? "" : name.slice(dot + 1);
      }
      return none;
    },
  };
}

function rank({ algorithm }: SigningKey): number {
  return algorithm === "rsa-sha256" ? 0 : 1;
}
