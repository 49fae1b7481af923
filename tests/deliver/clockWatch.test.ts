// Whether it is our own clock: most certificates of the world are not out of time at once.
import { expect, test } from "bun:test";
import { createMeter } from "../../src/base/meter.ts";
import { createClockWatch } from "../../src/deliver/clockWatch.ts";
import { boundsOf } from "../../src/mail/metrics.ts";
import { handClock } from "../dns/lab.ts";

const HOUR_MS = 3_600_000;

function watching() {
  const clock = handClock();
  const told: string[] = [];
  const meter = createMeter(boundsOf);
  const log = (level: string, event: string): void => void told.push(`${level} ${event}`);
  return { ...createClockWatch({ clock, log, meter }), clock, told, meter };
}

const hosts = (count: number): string[] => Array.from({ length: count }, (_, i) => `mx${i}.test`);

test("many hosts that are out of time at once are an alarm, told once, and taken back", () => {
  const { judged, told, meter } = watching();
  for (const host of hosts(4)) judged(host, true);
  // The same host says nothing new.
  for (let i = 0; i < 20; i++) judged("mx0.test", true);
  expect(told).toEqual([]);
  judged("mx4.test", true);
  for (const host of hosts(50)) judged(host, true);
  expect(told).toEqual(["error clock.doubted"]);
  expect(meter.drain()).toMatchObject([{ name: "postrider_clock_doubted", value: 1 }]);
  for (const host of hosts(50)) judged(host, false);
  expect(told).toEqual(["error clock.doubted", "info clock.trusted"]);
  expect(meter.drain()).toMatchObject([{ value: 0 }]);
});

test("a few expired certificates among good ones are their owners' matter", () => {
  const { judged, told } = watching();
  for (const host of hosts(100)) judged(host, false);
  for (const host of hosts(20)) judged(`old-${host}`, true);
  expect(told).toEqual([]);
});

test("what was seen an hour ago does not count", async () => {
  const { judged, told, clock } = watching();
  for (const host of hosts(4)) judged(host, true);
  await clock.advance(HOUR_MS);
  judged("mx9.test", true);
  expect(told).toEqual([]);
});

test("the memory is bounded", () => {
  const { judged, told } = watching();
  for (const host of hosts(5_000)) judged(host, false);
  for (const host of hosts(900)) judged(`old-${host}`, true);
  expect(told).toEqual(["error clock.doubted"]);
});
