// The page of metrics: sums over threads, both formats, and what a hostile label may not do.
import { describe, expect, test } from "bun:test";
import { createMeter } from "../../src/base/meter.ts";
import { boundsOf, metricTable } from "../../src/mail/metrics.ts";
import { SITES_MAX, createMetrics } from "../../src/report/metrics.ts";
import { readProcessFigures } from "../../src/report/processFigures.ts";

const figures = {
  cpuSeconds: 1.5,
  residentBytes: 5_000_000,
  startSeconds: 1_700_000_000,
  openFiles: 12,
  maxFiles: null,
};
const create = () => createMetrics(() => figures);
const OPEN = "application/openmetrics-text; version=1.0.0";

function lines(text: string, start: string): string[] {
  return text.split("\n").filter((line) => line.startsWith(start));
}

test("counters of all threads are added, and each report adds to the last", () => {
  const metrics = create();
  const [one, two] = [createMeter(boundsOf), createMeter(boundsOf)];
  one.counter("postrider_messages_accepted_total", { door: "http" }).add(3);
  two.counter("postrider_messages_accepted_total", { door: "http" }).add(4);
  metrics.add("door", one.drain());
  metrics.add("other", two.drain());
  one.counter("postrider_messages_accepted_total", { door: "http" }).add(1);
  metrics.add("door", one.drain());
  expect(lines(metrics.render("").text, "postrider_messages_accepted_total")).toEqual([
    'postrider_messages_accepted_total{door="http"} 8',
  ]);
});

test("a gauge is the sum of what each thread said last", () => {
  const metrics = create();
  const meter = createMeter(boundsOf);
  meter.gauge("smtp_sessions_active").set(5);
  metrics.add("sender-0", meter.drain());
  metrics.add("sender-1", [{ kind: "gauge", name: "smtp_sessions_active", labels: {}, value: 2 }]);
  meter.gauge("smtp_sessions_active").set(1);
  metrics.add("sender-0", meter.drain());
  expect(lines(metrics.render("").text, "smtp_sessions_active")).toEqual([
    "smtp_sessions_active 3",
  ]);
});

test("the gauges of a thread that is gone count no more", () => {
  const metrics = create();
  for (const source of ["sender-0", "sender-1"])
    metrics.add(source, [{ kind: "gauge", name: "smtp_sessions_active", labels: {}, value: 2 }]);
  metrics.forget("sender-1");
  expect(lines(metrics.render("").text, "smtp_sessions_active")).toEqual([
    "smtp_sessions_active 2",
  ]);
});

test("a histogram's buckets are cumulative and end in +Inf", () => {
  const metrics = create();
  const meter = createMeter(boundsOf);
  const histogram = meter.histogram("postrider_commit_batch_messages");
  for (const value of [1, 2, 3, 5000]) histogram.observe(value);
  metrics.add("queue", meter.drain());
  const { text } = metrics.render("");
  const name = "postrider_commit_batch_messages";
  expect(lines(text, `${name}_bucket{le="1.0"}`)).toEqual([`${name}_bucket{le="1.0"} 1`]);
  expect(lines(text, `${name}_bucket{le="4.0"}`)).toEqual([`${name}_bucket{le="4.0"} 3`]);
  expect(lines(text, `${name}_bucket{le="4096.0"}`)).toEqual([`${name}_bucket{le="4096.0"} 3`]);
  expect(lines(text, `${name}_bucket{le="+Inf"}`)).toEqual([`${name}_bucket{le="+Inf"} 4`]);
  expect(lines(text, `${name}_sum`)).toEqual([`${name}_sum 5006`]);
  expect(lines(text, `${name}_count`)).toEqual([`${name}_count 4`]);
});

describe("formats", () => {
  test("Prometheus text by default, OpenMetrics for whoever asks", () => {
    const metrics = create();
    const meter = createMeter(boundsOf);
    meter.counter("postrider_doubts_total").add();
    metrics.add("queue", meter.drain());
    const plain = metrics.render("*/*");
    expect(plain.type).toStartWith("text/plain; version=0.0.4");
    expect(plain.text).toContain("# TYPE postrider_doubts_total counter\n");
    const open = metrics.render(OPEN);
    expect(open.type).toStartWith("application/openmetrics-text; version=1.0.0");
    expect(open.text).toContain("# TYPE postrider_doubts counter\n");
    expect(open.text).toContain("\npostrider_doubts_total 1\n");
    expect(open.text).toEndWith("# EOF\n");
  });

  test("the process tells its own figures, and leaves out what the system does not say", () => {
    const { text } = create().render("");
    expect(text).toContain("process_cpu_seconds_total 1.5\n");
    expect(text).toContain("process_resident_memory_bytes 5000000\n");
    expect(text).not.toContain("process_max_fds");
    expect(readProcessFigures(0).residentBytes).toBeGreaterThan(1_000_000);
  });

  test("a series that exists is told before anything was counted", () => {
    const metrics = create();
    const meter = createMeter(boundsOf);
    for (const row of metricTable) {
      const labels = Object.fromEntries(row.labels.map((name) => [name, "x"]));
      if (row.kind === "counter") meter.counter(row.name, labels);
      else if (row.kind === "gauge") meter.gauge(row.name, labels);
      else meter.histogram(row.name, labels);
    }
    metrics.add("door", meter.drain());
    const { text } = metrics.render("");
    for (const row of metricTable) expect(text).toContain(`# TYPE ${row.name} ${row.kind}\n`);
  });
});

describe("labels", () => {
  const pause = (metrics: ReturnType<typeof create>, site: string) =>
    metrics.add("queue", [
      { kind: "gauge", name: "postrider_site_paused", labels: { site }, value: 1 },
    ]);

  test("sites beyond the bound are told together as other", () => {
    const metrics = create();
    for (let i = 0; i < SITES_MAX + 50; i++) pause(metrics, `site${i}.example`);
    const told = lines(metrics.render("").text, "postrider_site_paused{");
    expect(told).toHaveLength(SITES_MAX + 1);
    expect(told.at(-1)).toStartWith('postrider_site_paused{site="other"}');
  });

  test("a label cannot break out of its quotes or its line", () => {
    const metrics = create();
    pause(metrics, 'a"} 1\npostrider_doubts_total 99\\');
    const told = lines(metrics.render("").text, "postrider_site_paused{");
    expect(told).toEqual([
      'postrider_site_paused{site="a\\"} 1\\npostrider_doubts_total 99\\\\"} 1',
    ]);
  });

  test("a metric that the table does not know is a bug", () => {
    const sample = { kind: "gauge", name: "nonsense", labels: {}, value: 1 } as const;
    expect(() => create().add("door", [sample])).toThrow("nonsense");
  });
});
