// What a loaded daemon says of itself, read by those who scrape it: Prometheus' own checker, and the parser of its Python client, which is
// strict about OpenMetrics.
import { afterAll, beforeAll, expect } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { metricTable } from "../../src/mail/metrics.ts";
import { createEnds } from "../integration/faultsRig.ts";
import { OPEN_METRICS, pageOf, startLoadedDaemon } from "../integration/metricsRig.ts";
import { peer } from "../peers.ts";

const PYTHON = "/usr/bin/python3";
const promtool = peer("promtool");
const isThere = existsSync("/usr/lib/python3/dist-packages/prometheus_client");
const client = peer(isThere ? "python3" : "python3-prometheus-client");

const ends = createEnds();
let plain = "";
let open = "";

beforeAll(async () => {
  if (promtool.missing && client.missing) return;
  const { daemon } = await startLoadedDaemon(ends);
  plain = await pageOf(daemon);
  open = await pageOf(daemon, OPEN_METRICS);
}, 60_000);
afterAll(ends.run);

function check(text: string): { code: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync(promtool.path, ["check", "metrics"], {
    input: text,
    encoding: "utf8",
  });
  return { code: status, said: stdout + stderr };
}

interface Family {
  readonly type: string;
  readonly samples: number;
  readonly exemplars: readonly { readonly trace_id: string; readonly value: number }[];
}

function read(text: string): Readonly<Record<string, Family>> {
  const script = join(import.meta.dir, "..", "fixtures", "openMetrics.py");
  const { status, stdout, stderr } = spawnSync(PYTHON, [script], { input: text, encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Readonly<Record<string, Family>>;
}

const bare = (name: string): string => name.replace(/_total$/, "");
const typesIn = (text: string): string[][] =>
  [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", kind = ""]) => [
    bare(name),
    kind,
  ]);

promtool.test("promtool finds nothing to say of the metrics", () => {
  expect(check(plain)).toEqual({ code: 0, said: "" });
});

promtool.test("promtool would say what is wrong", () => {
  const bad = '# TYPE bad_metric counter\nbad_metric{a="1"} 1\n';
  expect(check(bad)).toMatchObject({ code: 3, said: expect.stringContaining("_total") });
});

promtool.test("the OpenMetrics page holds the same families and ends as it must", () => {
  expect(open.endsWith("# EOF\n")).toBe(true);
  expect(typesIn(open).sort()).toEqual(typesIn(plain).sort());
});

client.test("Prometheus' Python client reads every family of the OpenMetrics page", () => {
  const found = read(open);
  expect(
    Object.entries(found)
      .map(([name, { type }]) => [name, type])
      .sort(),
  ).toEqual(typesIn(open).sort());
  for (const { name, kind, exemplars } of metricTable) {
    const family = found[kind === "counter" ? bare(name) : name];
    if (family !== undefined && exemplars !== true)
      expect([name, family.exemplars]).toEqual([name, []]);
  }
});

client.test("it finds exemplars that are whole trace ids, where the table promises some", () => {
  const found = read(open);
  for (const { name, exemplars } of metricTable) {
    if (exemplars !== true) continue;
    const told = found[name]?.exemplars ?? [];
    expect([name, told.length > 0]).toEqual([name, true]);
    for (const { trace_id, value } of told) {
      expect(trace_id).toMatch(/^[0-9a-f]{32}$/);
      expect(value).toBeGreaterThanOrEqual(0);
    }
  }
});

client.test("it would say what is wrong", () => {
  expect(() => read("# TYPE a counter\na 1\n# EOF\n")).toThrow();
});
