// Which sites the metrics name, and what becomes of their series when that changes.
import { expect, test } from "bun:test";
import { createMetricSites, SITES_MAX } from "../../src/report/metricSites.ts";

const MINUTE_MS = 60_000;

test("the first sites are named while there is room, and then no more", () => {
  const sites = createMetricSites(2);
  expect(["a", "b", "c", "a"].map(sites.isNamed)).toEqual([true, true, false, true]);
});

test("a site that becomes clearly larger than a named one takes its place", () => {
  const sites = createMetricSites(2);
  sites.add("large", 1000);
  sites.add("small", 20);
  sites.add("new", 500);
  expect(sites.elect(0)).toEqual(["small"]);
  expect(["large", "new", "small"].map(sites.isNamed)).toEqual([true, true, false]);
});

test("one that is a little larger does not: names are kept, or series would come and go", () => {
  const sites = createMetricSites(1);
  sites.add("named", 100);
  sites.add("other", 150);
  expect(sites.elect(0)).toEqual([]);
  expect(sites.isNamed("named")).toBe(true);
});

test("it is decided once a minute", () => {
  const sites = createMetricSites(1);
  sites.add("named", 1);
  sites.add("other", 1);
  expect(sites.elect(0)).toEqual([]);
  sites.add("other", 1000);
  expect(sites.elect(MINUTE_MS - 1)).toEqual([]);
  expect(sites.elect(MINUTE_MS)).toEqual(["named"]);
});

test("old traffic counts less and less: who was large yesterday makes room", () => {
  const sites = createMetricSites(1);
  sites.add("yesterday", 1000);
  let nowMs = 0;
  let minutes = 0;
  while (sites.isNamed("yesterday") && minutes++ < 200) {
    sites.add("today", 10);
    sites.elect((nowMs += MINUTE_MS));
  }
  expect(minutes).toBeLessThan(60);
});

test("a flood of small sites keeps no large one from being seen", () => {
  const sites = createMetricSites();
  for (let i = 0; i < SITES_MAX; i++) sites.add(`named${i}`, 50);
  for (let minute = 0; minute < 5; minute++) {
    for (let i = 0; i < 10_000; i++) sites.add(`tiny${minute}-${i}`, 1);
    sites.elect(minute * MINUTE_MS);
    sites.add("large", 1000);
  }
  sites.elect(5 * MINUTE_MS);
  expect(sites.isNamed("large")).toBe(true);
});
