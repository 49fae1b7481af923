// What an operator may ask of the DNS client: one lookup with how it was answered, to forget, and to learn a list in advance.
import type { Clock } from "../base/clock.ts";
import { cleanName } from "../dns/name.ts";
import type { Answer, RecordOf, RecordType } from "../dns/answer.ts";
import type { Resolver } from "../dns/resolver.ts";
import { warm, type WarmResult } from "../dns/warm.ts";
import type { DnsControl, DnsLookup } from "../mail/dns.ts";
import type { QueueStore } from "../queue/store.ts";
import type { Routing } from "../route/route.ts";
import type { Router } from "../route/router.ts";
import type { Keeper } from "./routing.ts";

export interface DnsControlDeps {
  readonly clock: Clock;
  readonly resolver: Resolver;
  readonly router: Router;
  readonly store: Pick<QueueStore, "recall">;
  readonly keeper: Keeper;
}

export function createDnsControl(deps: DnsControlDeps): DnsControl {
  const { clock, resolver, router, store, keeper } = deps;
  return {
    async lookup(type, name) {
      const startedMs = clock.monotonicMs();
      const { answer, level } = await resolver.inspect(type, name);
      const tookMs = clock.monotonicMs() - startedMs;
      const ttlMs = level === "stale" ? 0 : Math.max(0, answer.freshUntil - clock.now());
      const said = sayingOf(answer);
      return { type, name: cleanName(name) ?? name, ...said, level, ttlMs, tookMs };
    },
    flush(text) {
      const name = text === undefined ? undefined : (cleanName(text) ?? text);
      keeper.write();
      const gone = new Set(resolver.flush(name));
      for (const { key, expiresAt } of store.recall())
        if (expiresAt > 0 && isAnswerOf(key, name)) gone.add(key);
      // A row without an answer is as good as none, and the next upkeep takes it first.
      for (const key of gone) keeper.keep({ key, answer: "", expiresAt: 0 });
      keeper.write();
      router.forget();
      return gone.size;
    },
    warm: (domains, progress, signal) =>
      warm(
        domains.map((domain) => cleanName(domain) ?? domain),
        {
          clock,
          find: async (domain) => resultOf(await router.routeFor(domain)),
          ...(progress === undefined ? {} : { progress }),
          ...(signal === undefined ? {} : { signal }),
        },
      ),
  };
}

/** Whether a row of the second level is an answer of the DNS, about this name if there is one. */
function isAnswerOf(key: string, name: string | undefined): boolean {
  if (!/^[A-Z]/.test(key)) return false;
  return name === undefined || key.slice(key.indexOf(" ") + 1) === name;
}

function resultOf({ kind }: Routing): WarmResult {
  if (kind === "route") return "found";
  return kind === "refused" ? "none" : "unknown";
}

function sayingOf(
  answer: Answer<RecordOf[RecordType]>,
): Pick<DnsLookup, "result" | "why" | "records" | "secure"> {
  if (answer.kind === "unknown")
    return { result: "unknown", why: answer.why, records: [], secure: false };
  const { secure } = answer;
  if (answer.kind === "none") return { result: "none", why: answer.why, records: [], secure };
  return { result: "found", why: "", records: answer.records.map((one) => lineOf(one)), secure };
}

function lineOf(record: RecordOf[RecordType]): string {
  if (typeof record === "string") return record;
  if ("exchange" in record)
    return `${record.preference} ${record.exchange === "" ? "." : record.exchange}`;
  return `${record.usage} ${record.selector} ${record.matchingType} ${record.data}`;
}
