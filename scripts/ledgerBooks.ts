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
  /** It came again after its answer, and the second answer did not say so. */
  unmarked(key: string): void;
  /** The remote server took a message with this key; `message` tells two of them apart. */
  taken(key: string, atMs: number, message?: string): void;
  killed(atMs: number): void;
  accepted(): readonly Entry[];
  missing(): readonly string[];
  duplicates(): readonly { readonly key: string; readonly id: string | undefined }[];
  /** What can be told without asking the daemon. */
  violations(): Violation[];
  /** The same where each request was repeated until it was answered: what was offered is promised, and is one message. */
  violationsOfOnce(): Violation[];
  summary(): string;
}

export function createBooks(): Books {
  const offered = new Set<string>();
  const promised = new Map<string, string>();
  const takings = new Map<string, number[]>();
  const messages = new Map<string, string>();
  const faults: Violation[] = [];
  const killsAtMs: number[] = [];
  const duplicates: string[] = [];
  const missing = new Set<string>();

  const wasKilledBetween = (fromMs: number, toMs: number): boolean =>
    killsAtMs.some((atMs) => fromMs <= atMs && atMs <= toMs);

  const violations = (): Violation[] => {
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
  };

  return {
    offered: (key) => void offered.add(key),
    promised(key, id) {
      const before = promised.get(key);
      if (before !== undefined && before !== id)
        faults.push({ key, what: `was answered with ${before} and then with ${id}` });
      promised.set(key, id);
      if (!takings.has(key)) missing.add(key);
    },
    unmarked: (key) => void faults.push({ key, what: "was answered twice and not marked" }),
    killed: (atMs) => void killsAtMs.push(atMs),
    taken(key, atMs, message = "") {
      missing.delete(key);
      const first = messages.get(key);
      if (first === undefined) messages.set(key, message);
      else if (first !== message)
        faults.push({ key, what: `arrived as two messages: ${first} and ${message}` });
      const times = takings.get(key);
      if (times === undefined) return void takings.set(key, [atMs]);
      if (times.length === 1) duplicates.push(key);
      times.push(atMs);
    },
    accepted: () => [...promised].map(([key, id]) => ({ key, id })),
    missing: () => [...missing],
    duplicates: () => duplicates.map((key) => ({ key, id: promised.get(key) })),
    violations,
    violationsOfOnce() {
      const unanswered = [...offered].filter((key) => !promised.has(key));
      const others = [...messages].filter(([key, message]) => message !== promised.get(key));
      return [
        ...violations(),
        ...faults,
        ...unanswered.map((key) => ({ key, what: "was never answered with 2xx" })),
        ...others.map(([key, message]) => ({
          key,
          what: `was answered with ${promised.get(key)} and arrived as ${message}`,
        })),
      ];
    },
    summary: () =>
      `${offered.size} offered, ${promised.size} answered with 2xx, ${takings.size} arrived, ` +
      `${missing.size} missing, ${duplicates.length} twice`,
  };
}
