// What the DNS client counts.
import { expect, test } from "bun:test";
import { createMeter } from "../../src/base/meter.ts";
import { createDnsMeter } from "../../src/dns/metering.ts";
import { boundsOf } from "../../src/mail/metrics.ts";

test("questions by type and result, lookups by level, each under one series", () => {
  const meter = createMeter(boundsOf);
  const dns = createDnsMeter(meter);
  for (const seconds of [0.01, 0.2]) dns.queried("MX", "ok", seconds);
  dns.queried("MX", "silent", 2);
  dns.lookedUp("l1", "miss");
  dns.lookedUp("l1", "hit");
  dns.lookedUp("l1", "hit");
  dns.entries(7);
  const told = meter.drain().map((one) => {
    const value = one.kind === "counter" ? one.delta : one.kind === "gauge" ? one.value : one.sum;
    return [one.name, ...Object.values(one.labels), value];
  });
  expect(told).toEqual([
    ["dns_cache_entries", 7],
    ["dns_query_duration_seconds", "MX", 2.21],
    ["dns_queries_total", "MX", "ok", 2],
    ["dns_queries_total", "MX", "silent", 1],
    ["dns_cache_lookups_total", "l1", "miss", 1],
    ["dns_cache_lookups_total", "l1", "hit", 2],
  ]);
});
