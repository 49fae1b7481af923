// The page of metrics: sums over threads, both formats, exemplars, and what a hostile label may not do.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createMeter, type Meter, type Sample } from "../../src/base/meter.ts";
import { boundsOf, hasExemplars, metricTable } from "../../src/mail/metrics.ts";
import { troubleClasses } from "../../src/mail/verdict.ts";
import { createMetrics, type MetricsSnapshot } from "../../src/report/metrics.ts";
import { SITES_MAX } from "../../src/report/metricSites.ts";
import { readProcessFigures } from "../../src/report/processFigures.ts";

const figures = {
  process_cpu_seconds_total: 1.5,
  process_resident_memory_bytes: 5_000_000,
  process_max_fds: null,
};
const START = 1_700_000_000_000;
const OPEN = "application/openmetrics-text; version=1.0.0";

/** Time is the caller's. */
function create(time = { ms: 0 }, paused = (): void => {}) {
  return createMetrics({
    clock: {
      now: () => START + time.ms,
      monotonicMs: () => time.ms,
      soon(run) {
        paused();
        queueMicrotask(run);
      },
    },
    startedAt: START,
    figures: () => figures,
    traceId: (message, trace) => trace ?? message.toString(16).padStart(32, "0"),
  });
}
const createMeasure = (): Meter => createMeter(boundsOf, { hasExemplars });

function lines(text: string, start: string): string[] {
  return text.split("\n").filter((line) => line.startsWith(start));
}
const attempts = (site: string, delta: number, more = {}): Sample => {
  const labels = { site, result: "delivered", class: "none", ...more };
  return { kind: "counter", name: "postrider_attempts_total", labels, delta };
};

test("counters of all threads are added, and each report adds to the last", async () => {
  const metrics = create();
  const [one, two] = [createMeasure(), createMeasure()];
  one.counter("postrider_messages_accepted_total", { door: "http" }).add(3);
  two.counter("postrider_messages_accepted_total", { door: "http" }).add(4);
  metrics.add("door", one.drain());
  metrics.add("other", two.drain());
  one.counter("postrider_messages_accepted_total", { door: "http" }).add(1);
  metrics.add("door", one.drain());
  expect(lines((await metrics.page("")).text, "postrider_messages_accepted_total{door=")).toEqual([
    'postrider_messages_accepted_total{door="http"} 8',
    'postrider_messages_accepted_total{door="smtp"} 0',
  ]);
});

test("a gauge is the sum of what each thread said last", async () => {
  const metrics = create();
  const meter = createMeasure();
  meter.gauge("smtp_sessions_active").set(5);
  metrics.add("sender-0", meter.drain());
  metrics.add("sender-1", [{ kind: "gauge", name: "smtp_sessions_active", labels: {}, value: 2 }]);
  meter.gauge("smtp_sessions_active").set(1);
  metrics.add("sender-0", meter.drain());
  expect(lines((await metrics.page("")).text, "smtp_sessions_active")).toEqual([
    "smtp_sessions_active 3",
  ]);
});

test("of a thread that is gone the gauges count no more, and its counters stay", async () => {
  const metrics = create();
  for (const source of ["sender-0", "sender-1"])
    metrics.add(source, [
      { kind: "gauge", name: "smtp_sessions_active", labels: {}, value: 2 },
      { kind: "gauge", name: "postrider_site_connections", labels: { site: "a" }, value: 3 },
      { kind: "counter", name: "postrider_doubts_total", labels: {}, delta: 4 },
      { kind: "gauge", name: "postrider_thread_lag_seconds", labels: { thread: source }, value: 1 },
    ]);
  metrics.forget("sender-1");
  const { text } = await metrics.page("");
  // It is not 0 either: there is no such thread.
  expect(text).not.toContain('thread="sender-1"');
  expect(lines(text, "smtp_sessions_active")).toEqual(["smtp_sessions_active 2"]);
  expect(lines(text, "postrider_doubts_total")).toEqual(["postrider_doubts_total 8"]);
  expect(lines(text, 'postrider_site_connections{site="a"}')).toEqual([
    'postrider_site_connections{site="a"} 3',
  ]);
});

test("a histogram's buckets are cumulative and end in +Inf", async () => {
  const metrics = create();
  const meter = createMeasure();
  const histogram = meter.histogram("postrider_commit_batch_messages");
  for (const value of [1, 2, 3, 5000]) histogram.observe(value);
  metrics.add("queue", meter.drain());
  const { text } = await metrics.page("");
  const name = "postrider_commit_batch_messages";
  expect(lines(text, `${name}_bucket{le="1.0"}`)).toEqual([`${name}_bucket{le="1.0"} 1`]);
  expect(lines(text, `${name}_bucket{le="4.0"}`)).toEqual([`${name}_bucket{le="4.0"} 3`]);
  expect(lines(text, `${name}_bucket{le="4096.0"}`)).toEqual([`${name}_bucket{le="4096.0"} 3`]);
  expect(lines(text, `${name}_bucket{le="+Inf"}`)).toEqual([`${name}_bucket{le="+Inf"} 4`]);
  expect(lines(text, `${name}_sum`)).toEqual([`${name}_sum 5006`]);
  expect(lines(text, `${name}_count`)).toEqual([`${name}_count 4`]);
});

test("whatever threads report, in any order and split, adds up", async () => {
  const observations = fc.array(fc.double({ min: 0, max: 1000, noNaN: true }), { maxLength: 30 });
  const thread = fc.record({
    observations,
    counted: fc.array(fc.nat(1000), { maxLength: 30 }),
    drains: fc.array(fc.nat(30), { maxLength: 5 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(thread, { maxLength: 4 }),
      fc.infiniteStream(fc.nat()),
      async (threads, rolls) => {
        const reports = threads.map(({ observations, counted, drains }, i) => {
          const meter = createMeasure();
          const histogram = meter.histogram("postrider_commit_duration_seconds");
          const counter = meter.counter("postrider_doubts_total");
          const told: { source: string; samples: Sample[] }[] = [];
          for (let step = 0; step < 30; step++) {
            if (step < observations.length)
              histogram.observe(observations[step] as number, step + 1);
            counter.add(counted[step] ?? 0);
            if (drains.includes(step)) told.push({ source: `s${i}`, samples: meter.drain() });
          }
          return [...told, { source: `s${i}`, samples: meter.drain() }];
        });
        const metrics = create();
        const waiting = reports.flat();
        while (waiting.length > 0) {
          const [next] = waiting.splice((rolls.next().value as number) % waiting.length, 1);
          if (next !== undefined) metrics.add(next.source, next.samples);
        }
        const all = threads.flatMap((one) => one.observations);
        const counted = threads.flatMap((one) => one.counted);
        const { text } = await metrics.page("");
        const sum = counted.reduce((a, b) => a + b, 0);
        expect(lines(text, "postrider_doubts_total")).toEqual([`postrider_doubts_total ${sum}`]);
        const name = "postrider_commit_duration_seconds";
        for (const bound of [...boundsOf(name), Infinity]) {
          const le = bound === Infinity ? "+Inf" : Number.isInteger(bound) ? `${bound}.0` : bound;
          const below = all.filter((value) => value <= bound).length;
          expect(lines(text, `${name}_bucket{le="${le}"}`)).toEqual([
            `${name}_bucket{le="${le}"} ${below}`,
          ]);
        }
        expect(lines(text, `${name}_count`)).toEqual([`${name}_count ${all.length}`]);
      },
    ),
    { numRuns: 60 },
  );
});

test("a counter never falls, whatever is forgotten or renamed", async () => {
  const time = { ms: 0 };
  const metrics = create(time);
  const told = new Map<string, number>();
  for (let round = 0; round < 300; round++) {
    time.ms += 20_000;
    const site = `s${(round * 7) % (SITES_MAX + 40)}`;
    metrics.add(`sender-${round % 3}`, [attempts(site, (round % 50) * 10)]);
    if (round % 10 === 0) metrics.forget(`sender-${round % 3}`);
    const seen = new Set<string>();
    for (const line of lines((await metrics.page("")).text, "postrider_attempts_total")) {
      const [series = "", value] = line.split(" ");
      seen.add(series);
      expect(Number(value)).toBeGreaterThanOrEqual(told.get(series) ?? 0);
      told.set(series, Number(value));
    }
    // A series that ended may begin anew.
    for (const series of told.keys()) if (!seen.has(series)) told.delete(series);
  }
});

describe("formats", () => {
  test("Prometheus text by default, OpenMetrics for whoever asks", async () => {
    const metrics = create();
    const meter = createMeasure();
    meter.counter("postrider_doubts_total").add();
    metrics.add("queue", meter.drain());
    const plain = await metrics.page("*/*");
    expect(plain.type).toStartWith("text/plain; version=0.0.4");
    expect(plain.text).toContain("# TYPE postrider_doubts_total counter\n");
    const open = await metrics.page(OPEN);
    expect(open.type).toStartWith("application/openmetrics-text; version=1.0.0");
    expect(open.text).toContain("# TYPE postrider_doubts counter\n");
    expect(open.text).toContain("\npostrider_doubts_total 1\n");
    expect(open.text).toEndWith("# EOF\n");
  });

  test("the process tells its own figures, and leaves out what the system does not say", async () => {
    const { text } = await create().page("");
    expect(text).toContain("process_cpu_seconds_total 1.5\n");
    expect(text).toContain("process_resident_memory_bytes 5000000\n");
    expect(text).not.toContain("process_max_fds");
    const read = readProcessFigures(0);
    expect(read["process_resident_memory_bytes"]).toBeGreaterThan(1_000_000);
    const names = metricTable.map((row) => row.name).filter((name) => name.startsWith("process_"));
    expect(Object.keys(read).sort()).toEqual(names.sort());
  });

  test("the page is written in pieces, with room for others between them", async () => {
    let pauses = 0;
    const metrics = create({ ms: 0 }, () => void pauses++);
    for (let i = 0; i < SITES_MAX; i++)
      for (const result of ["delivered", "deferred", "failed"])
        for (const name of troubleClasses)
          metrics.add("queue", [attempts(`s${i}`, i, { result, class: name })]);
    for (const accept of ["", OPEN]) {
      pauses = 0;
      const { text } = await metrics.page(accept);
      for (let i = 0; i < SITES_MAX; i++) expect(text).toContain(`site="s${i}"`);
      expect(pauses).toBeGreaterThan(text.split("\n").length / 600);
    }
    expect(lines((await metrics.page("")).text, "postrider_metrics_render_seconds_count")).toEqual([
      "postrider_metrics_render_seconds_count 2",
    ]);
  });

  test("what is known beforehand is there with 0 from the start", async () => {
    const { text } = await create().page("");
    for (const row of metricTable) {
      if (row.kind === "gauge" || (row.zeros === undefined && row.labels.length > 0)) continue;
      if (row.name.startsWith("process_")) continue;
      expect(text).toContain(`# TYPE ${row.name} ${row.kind}\n`);
    }
    expect(text).toContain('postrider_recipients_total{result="bounced"} 0\n');
    expect(text).toContain('smtp_command_duration_seconds_count{command="rcpt",code="5xx"} 0\n');
    expect(text).toContain(
      'smtp_session_errors_total{site="other",phase="rcpt",reason="timeout"} 0',
    );
    expect(text).not.toContain("postrider_uplink_up 0");
  });

  test("a series that exists is told before anything was counted", async () => {
    const metrics = create();
    const meter = createMeasure();
    for (const row of metricTable) {
      if (row.name.startsWith("process_")) continue;
      const labels = Object.fromEntries(row.labels.map((name) => [name, "x"]));
      if (row.kind === "counter") meter.counter(row.name, labels);
      else if (row.kind === "gauge") meter.gauge(row.name, labels);
      else meter.histogram(row.name, labels);
    }
    metrics.add("door", meter.drain());
    const { text } = await metrics.page("");
    for (const row of metricTable)
      if (!row.name.startsWith("process_"))
        expect(text).toContain(`# TYPE ${row.name} ${row.kind}\n`);
  });
});

describe("exemplars", () => {
  const name = "postrider_accept_duration_seconds";

  test("a bucket leads to the last message that fell into it, in OpenMetrics alone", async () => {
    const time = { ms: 0 };
    const metrics = create(time);
    const meter = createMeasure();
    const histogram = meter.histogram(name);
    histogram.observe(0.0009, 1);
    histogram.observe(0.0008, 0xabc);
    histogram.observe(700, 7, "f".repeat(32));
    time.ms = 250;
    metrics.add("door", meter.drain());
    const told = lines((await metrics.page(OPEN)).text, `${name}_bucket`).filter((one) =>
      one.includes(" # "),
    );
    expect(told).toEqual([
      `${name}_bucket{le="0.001"} 2 # {trace_id="${"abc".padStart(32, "0")}"} 0.0008 1700000000.25`,
      `${name}_bucket{le="+Inf"} 3 # {trace_id="${"f".repeat(32)}"} 700 1700000000.25`,
    ]);
    expect((await metrics.page("")).text).not.toContain(" # {");
  });

  test("one stays until another takes its place, and an hour at most", async () => {
    const time = { ms: 0 };
    const metrics = create(time);
    const meter = createMeasure();
    meter.histogram(name).observe(3, 5);
    metrics.add("door", meter.drain());
    meter.histogram(name).observe(0.001, 6);
    metrics.add("door", meter.drain());
    const count = async () => (await metrics.page(OPEN)).text.split(" # {").length - 1;
    expect(await count()).toBe(2);
    time.ms = 3_600_001;
    expect(await count()).toBe(0);
  });

  test("a metric that promises none keeps none", () => {
    const meter = createMeasure();
    meter.histogram("postrider_commit_duration_seconds").observe(1, 5);
    const [sample] = meter.drain();
    expect(sample).not.toHaveProperty("exemplars");
  });
});

describe("labels", () => {
  const pause = (metrics: ReturnType<typeof create>, site: string, value = 1) =>
    metrics.add("queue", [
      { kind: "gauge", name: "postrider_site_paused", labels: { site }, value },
    ]);

  test("sites beyond the bound are told together as other", async () => {
    const metrics = create();
    for (let i = 0; i < SITES_MAX + 50; i++) pause(metrics, `site${i}.example`);
    pause(metrics, `site${SITES_MAX}.example`, 0);
    const told = lines((await metrics.page("")).text, "postrider_site_paused{");
    expect(told).toHaveLength(SITES_MAX + 1);
    expect(told.at(-1)).toBe('postrider_site_paused{site="other"} 49');
  });

  test("a site that comes to have a name begins at 0, and what was counted before stays with other", async () => {
    const time = { ms: 0 };
    const metrics = create(time);
    for (let i = 0; i < SITES_MAX; i++) metrics.add("queue", [attempts(`s${i}`, 5 + i)]);
    metrics.add("queue", [attempts("large", 1000)]);
    time.ms += 60_000;
    metrics.add("queue", [attempts("large", 1)]);
    metrics.add("queue", [attempts("large", 2), attempts("s0", 4)]);
    const told = async (site: string): Promise<string | undefined> =>
      lines(
        (await metrics.page("")).text,
        `postrider_attempts_total{site="${site}",result="delivered",class="none"}`,
      )[0]?.split(" ")[1];
    expect(await told("large")).toBe("2");
    expect(await told("other")).toBe("1005");
    expect(await told("s0")).toBeUndefined();
    expect(await told("s1")).toBe("6");
  });

  test("a label cannot break out of its quotes or its line", async () => {
    const metrics = create();
    pause(metrics, 'a"} 1\npostrider_doubts_total 99\\');
    const told = lines((await metrics.page("")).text, "postrider_site_paused{");
    expect(told[0]).toBe('postrider_site_paused{site="a\\"} 1\\npostrider_doubts_total 99\\\\"} 1');
  });

  test("a metric that the table does not know is a bug", () => {
    const sample = { kind: "gauge", name: "nonsense", labels: {}, value: 1 } as const;
    expect(() => create().add("door", [sample])).toThrow("nonsense");
  });
});

describe("a snapshot", () => {
  const pointsOf = (snapshot: MetricsSnapshot, name: string) =>
    snapshot.families.find(({ row }) => row.name === name)?.points;

  test("holds what the page holds, and does not change afterwards", () => {
    const metrics = create({ ms: 5 });
    const meter = createMeasure();
    meter.histogram("postrider_commit_batch_messages").observe(3);
    meter.counter("postrider_doubts_total").add(2);
    metrics.add("queue", meter.drain());
    const snapshot = metrics.snapshot();
    meter.histogram("postrider_commit_batch_messages").observe(3);
    metrics.add("queue", meter.drain());
    expect(snapshot).toMatchObject({ at: START + 5, startedAt: START });
    expect(pointsOf(snapshot, "postrider_doubts_total")).toMatchObject([{ labels: {}, value: 2 }]);
    const [batch] = pointsOf(snapshot, "postrider_commit_batch_messages") ?? [];
    expect(batch?.counts.slice(0, 4)).toEqual([0, 0, 1, 0]);
    expect(batch?.value).toBe(3);
    expect(pointsOf(snapshot, "process_cpu_seconds_total")).toMatchObject([{ value: 1.5 }]);
  });
});
