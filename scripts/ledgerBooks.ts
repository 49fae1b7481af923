// Who was promised what, and what arrived. Knows no process and no socket, so that planted faults
// can test it.

export interface Violation {
  readonly key: string;
  readonly what: string;
}

export interface Entry {
  readonly key: string;
  readonly id: string;
}

export interface Books {
  /** A request with this key is on its way. */
  offered(key: string): void;
  /** It was answered with 2xx and this id. */
  promised(key: string, id: string): void;
  /** The remote server took a message with this key. */
  taken(key: string, atMs: number): void;
  killed(atMs: number): void;
  accepted(): readonly Entry[];
  missing(): readonly string[];
  duplicates(): readonly { readonly key: string; readonly id: string | undefined }[];
  /** What can be told without asking the daemon. */
  violations(): Violation[];
  summary(): string;
}

export function createBooks(): Books {
  const offered = new Set<string>();
  const promised = new Map<string, string>();
  const takings = new Map<string, number[]>();
  const killsAtMs: number[] = [];
  const duplicates: string[] = [];
  const missing = new Set<string>();

  const wasKilledBetween = (fromMs: number, toMs: number): boolean =>
    killsAtMs.some((atMs) => fromMs <= atMs && atMs <= toMs);

  return {
    offered: (key) => void offered.add(key),
    promised(key, id) {
      promised.set(key, id);
      if (!takings.has(key)) missing.add(key);
    },
    killed: (atMs) => void killsAtMs.push(atMs),
    taken(key, atMs) {
      missing.delete(key);
      const times = takings.get(key);
      if (times === undefined) return void takings.set(key, [atMs]);
      if (times.length === 1) duplicates.push(key);
      times.push(atMs);
    },
    accepted: () => [...promised].map(([key, id]) => ({ key, id })),
    missing: () => [...missing],
    duplicates: () => duplicates.map((key) => ({ key, id: promised.get(key) })),
    violations() {
      const found: Violation[] = [...missing].map((key) => ({
        key,
        what: `${promised.get(key)} was answered with 2xx and never arrived`,
      }));
      for (const key of takings.keys())
        if (!offered.has(key)) found.push({ key, what: "arrived and was never sent" });
      for (const key of duplicates) {
        const times = takings.get(key) ?? [];
        for (let i = 1; i < times.length; i++)
          if (!wasKilledBetween(times[i - 1] ?? 0, times[i] ?? 0))
            found.push({ key, what: "arrived twice with no kill in between" });
      }
      return found;
    },
    summary: () =>
      `${offered.size} offered, ${promised.size} answered with 2xx, ${takings.size} arrived, ` +
      `${missing.size} missing, ${duplicates.length} twice`,
  };
}
