// What the queue counts, and that its labels are bounded whatever the mail.
import { expect, test } from "bun:test";
import { createMeter } from "../../src/base/meter.ts";
import { boundsOf } from "../../src/mail/metrics.ts";
import type { Verdict } from "../../src/mail/verdict.ts";
import { createMeasure } from "../../src/queue/measure.ts";
import { createMemoryDisk } from "../../src/queue/memory.ts";
import { createBench } from "./bench.ts";

const verdict: Verdict = {
  message: 1,
  n: 0,
  claim: 1,
  kind: "delivered",
  scope: "recipient",
  class: "none",
  doubt: false,
  step: "",
};

test("each site is counted by its name, however many there are", () => {
  const meter = createMeter(boundsOf);
  const measure = createMeasure(meter, createMemoryDisk("8000000000000000").open());
  for (let round = 0; round < 2; round++)
    for (let i = 0; i < 3000; i++) measure.verdict(`s${i}.example`, verdict);
  measure.paused("s1.example", true);
  const samples = meter.drain();
  const bySite = new Map<string, number>();
  for (const one of samples)
    if (one.name === "postrider_attempts_total" && one.kind === "counter") {
      const site = one.labels["site"] ?? "";
      bySite.set(site, (bySite.get(site) ?? 0) + one.delta);
    }
  expect(bySite.size).toBe(3000);
  expect(new Set(bySite.values())).toEqual(new Set([2]));
  const paused = samples.filter((one) => one.name === "postrider_site_paused");
  expect(paused).toMatchObject([{ labels: { site: "s1.example" }, value: 1 }]);
});

test("how much is owed, the limits and whether mail is taken are gauges", () => {
  const bench = createBench();
  bench.submit({ to: ["a@a.example"] });
  bench.queue.measure();
  const value = (name: string) => {
    const found = bench.meter.drain().filter((one) => one.name === name);
    return found.map((one) => (one.kind === "gauge" ? one.value : undefined));
  };
  expect(value("postrider_accepting")).toEqual([1]);
  bench.queue.pressure({ freeBytes: 0, walBytes: 0 });
  bench.queue.measure();
  expect(value("postrider_accepting")).toEqual([0]);
});

test("a refusal that is ours to mend is counted by its class, which was there before it", () => {
  const meter = createMeter(boundsOf);
  const measure = createMeasure(meter, createMemoryDisk("8000000000000000").open());
  const alerts = (): Readonly<Record<string, number>> =>
    Object.fromEntries(
      meter
        .drain()
        .flatMap((one) =>
          one.kind === "counter" && one.name === "postrider_alerts_total"
            ? [[one.labels["class"] ?? "", one.delta]]
            : [],
        ),
    );
  expect(alerts()).toMatchObject({ authentication: 0, policy: 0 });
  const refused = { ...verdict, kind: "deferred", class: "authentication" } as const;
  measure.verdict("s.example", { ...refused, alert: "google.authentication" });
  measure.verdict("s.example", refused);
  expect(alerts()).toEqual({ authentication: 1 });
});

test("each lease that ended without a verdict is counted as a doubt, and no other", () => {
  const bench = createBench();
  const doubts = (): number =>
    bench.meter
      .drain()
      .reduce(
        (sum, one) =>
          sum + (one.kind === "counter" && one.name === "postrider_doubts_total" ? one.delta : 0),
        0,
      );
  for (const one of ["a", "b", "c"]) bench.submit({ to: [`x@${one}.example`] });
  bench.run();
  bench.settle(bench.sent[0]!, { kind: "delivered" });
  bench.queue.workerLost(0);
  bench.run();
  expect(doubts()).toBe(2);
  bench.restart();
  bench.run();
  expect(doubts()).toBe(2);
});
