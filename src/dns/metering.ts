// What the DNS client counts (mail/metrics.ts). Series are looked up once and kept, since every message may look something up.
import type { Counter, Histogram, Meter } from "../base/meter.ts";
import type { LookupLevel, LookupResult } from "./cache.ts";
import type { QueryResult } from "./upstream.ts";

export interface DnsMeter {
  queried(type: string, result: QueryResult, seconds: number): void;
  lookedUp(level: LookupLevel, result: LookupResult): void;
  entries(count: number): void;
}

type ByResult<R extends string> = Partial<Record<R, Counter>>;

export function createDnsMeter(meter: Meter): DnsMeter {
  const lookups: Record<LookupLevel, ByResult<LookupResult>> = { l1: {}, l2: {} };
  const types = new Map<string, { readonly took: Histogram; readonly by: ByResult<QueryResult> }>();
  const entries = meter.gauge("dns_cache_entries");
  return {
    queried(type, result, seconds) {
      let series = types.get(type);
      if (series === undefined) {
        series = { took: meter.histogram("dns_query_duration_seconds", { type }), by: {} };
        types.set(type, series);
      }
      series.took.observe(seconds);
      (series.by[result] ??= meter.counter("dns_queries_total", { type, result })).add();
    },
    lookedUp(level, result) {
      const counter = (lookups[level][result] ??= meter.counter("dns_cache_lookups_total", {
        ...{ level, result },
      }));
      counter.add();
    },
    entries: entries.set,
  };
}
