// What the reader tells of the queue: what only its index knows, or what is too slow to count for anybody who has mail to send.
import type { EpochMs } from "../base/clock.ts";
import type { Gauge, Meter } from "../base/meter.ts";
import { queueAges } from "../mail/age.ts";
import type { QueueView } from "../mail/query.ts";
import { createAges, createSeldom } from "./ages.ts";
import type { Connection } from "./index-file.ts";

const measureSql = { suppressed: "SELECT count(*) FROM suppression" } as const;

export interface SearchMeasure {
  /** Brings the gauges up to date. */
  tell(meter: Meter, now: EpochMs): void;
}

export function createSearchMeasure(deps: {
  readonly store: Connection;
  readonly index: Connection;
  readonly lag: () => number;
  readonly oldestAges: (now: EpochMs) => QueueView["oldest_age_seconds"];
}): SearchMeasure {
  const ages = createAges(deps.index.prepare);
  const counting = deps.store.prepare(measureSql.suppressed);
  const suppressed = createSeldom(
    () => (counting.values()[0] as [number])[0],
    (count) => count,
  );
  let told: { readonly meter: Meter; readonly byAge: readonly (readonly Gauge[])[] } | undefined;
  return {
    tell(meter, now) {
      meter.gauge("postrider_search_lag_events").set(deps.lag());
      for (const [priority, age] of Object.entries(deps.oldestAges(now)))
        meter.gauge("postrider_queue_oldest_age_seconds", { priority }).set(age ?? 0);
      if (told?.meter !== meter) told = { meter, byAge: gaugesOf(meter) };
      for (const [i, counts] of ages(now).entries())
        for (const [j, count] of counts.entries()) told.byAge[i]?.[j]?.set(count);
      meter.gauge("postrider_suppressed_addresses").set(suppressed(now));
    },
  };
}

function gaugesOf(meter: Meter): Gauge[][] {
  return ["p0", "p1", "p2"].map((priority) =>
    queueAges.map(({ name: age }) =>
      meter.gauge("postrider_queue_age_messages", { priority, age }),
    ),
  );
}
