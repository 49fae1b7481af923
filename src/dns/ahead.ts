// The busiest domains are asked about before their answers end, so that no message waits for the DNS of a place where mail goes all
// the time. What is due is chosen by a pure function; a few questions are out at a time, and none while the resolver is silent.
import type { Clock, EpochMs, Timer } from "../base/clock.ts";
import type { RecordType } from "./answer.ts";
import type { Busy } from "./busy.ts";
import type { DnsCache, Peeked } from "./cache.ts";

export interface AheadLimits {
  readonly domainsMax: number;
  /** At each tick one part of the domains is looked through: all of them at once would hold up the mail. */
  readonly tickMs: number;
  readonly parts: number;
  /** Which domains are the busiest is settled so often. */
  readonly chooseMs: number;
  /** Questions in one tick; what is left is due in the next one. */
  readonly questionsMax: number;
  readonly atOnceMax: number;
  /** Counts are halved so often: an idle daemon asks about nothing after some hours. */
  readonly fadeMs: number;
}

const aheadLimits: AheadLimits = {
  domainsMax: 1_000,
  tickMs: 1_000,
  parts: 5,
  chooseMs: 60_000,
  questionsMax: 40,
  atOnceMax: 8,
  fadeMs: 600_000,
};

export interface AheadDeps {
  readonly clock: Clock;
  readonly cache: Pick<DnsCache, "peek" | "renew">;
  readonly busy: Busy;
  /** While true, asking would only add to the silence. */
  readonly isSilent: () => boolean;
  readonly limits?: AheadLimits;
}

export interface Key {
  readonly type: RecordType;
  readonly name: string;
}

export type Peek = (type: RecordType, name: string) => Peeked | undefined;

export function createAhead(deps: AheadDeps): { start(): void; stop(): void } {
  const { clock, cache, busy, isSilent, limits = aheadLimits } = deps;
  let timer: Timer | undefined;
  let fadedAtMono = clock.monotonicMs();
  let chosenAtMono = -Infinity;
  let chosen: readonly string[] = [];
  let part = 0;
  let stopped = false;

  const arm = (): void => {
    if (!stopped) timer = clock.after(limits.tickMs, () => void tick());
  };

  function choose(): void {
    const mono = clock.monotonicMs();
    if (mono - fadedAtMono >= limits.fadeMs) {
      fadedAtMono = mono;
      busy.fade();
    }
    if (mono - chosenAtMono < limits.chooseMs) return;
    chosenAtMono = mono;
    chosen = busy.top(limits.domainsMax);
  }

  function nextPart(): readonly string[] {
    const length = Math.ceil(chosen.length / limits.parts);
    part = (part + 1) % limits.parts;
    return chosen.slice(part * length, (part + 1) * length);
  }

  async function tick(): Promise<void> {
    choose();
    const domains = isSilent() ? [] : nextPart();
    const due = dueKeys(domains, cache.peek, clock.now(), limits.questionsMax);
    const next = due.values();
    const ask = async (): Promise<void> => {
      for (const { type, name } of next) {
        if (stopped) return;
        await cache.renew(type, name);
      }
    };
    await Promise.all(Array.from({ length: limits.atOnceMax }, ask));
    arm();
  }

  return {
    start: arm,
    stop() {
      stopped = true;
      timer?.cancel();
    },
  };
}

/** What of these domains' answers is in the last part of its life, in the order of the domains, each question once. */
export function dueKeys(domains: readonly string[], peek: Peek, now: EpochMs, max: number): Key[] {
  const due: Key[] = [];
  const seen = new Set<string>();
  for (const domain of domains)
    for (const key of keysOf(domain, peek)) {
      const id = `${key.type} ${key.name}`;
      if (seen.has(id)) continue;
      seen.add(id);
      const kept = peek(key.type, key.name);
      if (kept === undefined || kept.answer.kind === "unknown") continue;
      if (now < kept.renewAt) continue;
      due.push(key);
      if (due.length >= max) return due;
    }
  return due;
}

/** Everything that mail to a domain may ask for; what was never asked is not in the cache, and so not due. */
function keysOf(domain: string, peek: Peek): Key[] {
  const mx = peek("MX", domain)?.answer;
  const hosts = mx?.kind === "found" ? mx.records.flatMap(exchangeOf) : [domain];
  return [
    { type: "MX", name: domain },
    { type: "TXT", name: `_mta-sts.${domain}` },
    ...hosts.flatMap((name): Key[] => [
      { type: "A", name },
      { type: "AAAA", name },
      { type: "TLSA", name: `_25._tcp.${name}` },
    ]),
  ];
}

function exchangeOf(record: unknown): string[] {
  const isMx = typeof record === "object" && record !== null && "exchange" in record;
  return isMx && typeof record.exchange === "string" ? [record.exchange] : [];
}
