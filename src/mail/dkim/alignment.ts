// Whether a From domain is covered by a key that signs here: DMARC (RFC 9989, relaxed) wants the signature's domain to be that of From
// or one above it, which is also how the keyring chooses keys. Asked for every message, so the usual answer is one look into a set.

export interface Alignment {
  /** The keys of this moment, all of them. */
  learn(keys: readonly { readonly domain: string }[]): void;
  /** `domain` in wire form. */
  covers(domain: string): boolean;
}

/** Domains below a key's that were asked about. */
const BELOW_MAX = 10_000;

export function createAlignment(): Alignment {
  let own: ReadonlySet<string> = new Set();
  let covered = new Set<string>();
  return {
    learn(keys) {
      own = new Set(keys.map(({ domain }) => domain));
      covered = new Set(own);
    },
    covers(domain) {
      if (covered.has(domain)) return true;
      if (own.size === 0) return false;
      for (let dot = domain.indexOf("."); dot >= 0; dot = domain.indexOf(".", dot + 1)) {
        if (!own.has(domain.slice(dot + 1))) continue;
        if (covered.size >= BELOW_MAX + own.size) covered = new Set(own);
        covered.add(domain);
        return true;
      }
      return false;
    },
  };
}
