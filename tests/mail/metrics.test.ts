// The table of metrics: every name in it is counted somewhere, and nothing is counted that is not in it.
import { expect, test } from "bun:test";
import { metricTable } from "../../src/mail/metrics.ts";
import { processRows } from "../../src/mail/metricsSelf.ts";
import { queueAges } from "../../src/mail/age.ts";
import { readSources } from "../house/source.ts";

const sources = readSources(["src"]).filter(({ path }) => !/^src\/mail\/metrics/.test(path));
const code = sources.map(({ text }) => text).join("\n");
const names = metricTable.map((row) => row.name);

test("each name stands once, and in the form that Prometheus wants", () => {
  expect(new Set(names).size).toBe(names.length);
  for (const { name, kind, bounds, help } of metricTable) {
    expect(name).toMatch(/^[a-z][a-z0-9_]*$/);
    expect([name, name.endsWith("_total")]).toEqual([name, kind === "counter"]);
    if (bounds !== undefined) expect(bounds.toSorted((a, b) => a - b)).toEqual([...bounds]);
    expect([name, /^[A-Z0-9].*\.$/.test(help)]).toEqual([name, true]);
  }
});

test("every name of the table is counted somewhere", () => {
  for (const name of names) expect([name, code.includes(name)]).toEqual([name, true]);
});

test("nothing is counted under a name that the table does not have, or as another kind", () => {
  const calls = /\.(counter|gauge|histogram)\(\s*"([a-z0-9_]+)"/g;
  const found = [...code.matchAll(calls)].map(([, kind, name]) => `${name} ${kind}`);
  expect(found.length).toBeGreaterThan(30);
  const known = new Set(metricTable.map(({ name, kind }) => `${name} ${kind}`));
  for (const one of found) expect(known).toContain(one);
});

test("a series that is there from the start has the labels of its metric, each once", () => {
  for (const { name, kind, labels, zeros = [] } of metricTable) {
    // How the sites of a gauge move between `other` and names knows of no second label.
    if (kind === "gauge" && labels.includes("site")) expect(labels).toEqual(["site"]);
    for (const zero of zeros) expect(Object.keys(zero).sort()).toEqual([...labels].sort());
    const series = zeros.map((zero) => labels.map((label) => zero[label]).join("\0"));
    expect([name, new Set(series).size]).toEqual([name, series.length]);
  }
  for (const { labels } of processRows) expect(labels).toEqual([]);
});

test("ages are named by their upper bounds", () => {
  expect(queueAges.map(({ name }) => name)).toEqual([
    "1m",
    "5m",
    "15m",
    "1h",
    "6h",
    "1d",
    "3d",
    "older",
  ]);
});
