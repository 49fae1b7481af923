// Lanes and windows: who may leave, in which shares, and who waits in the store.
import { describe, expect, test } from "bun:test";
import { healthy } from "../../src/queue/pace.ts";
import { roomOf, sharesOf, type Window } from "../../src/queue/window.ts";
import { workerOf } from "../../src/queue/worker.ts";
import { createBench, MINUTE } from "./bench.ts";
import type { Bench } from "./bench.ts";

function windowWith(leasedBy: [number, number, number]): Window {
  const leased = leasedBy[0] + leasedBy[1] + leasedBy[2];
  const dueAt: [number, number, number] = [Infinity, Infinity, Infinity];
  return { ...healthy(), leased, leasedBy, leasedBytes: 0, dueAt };
}

describe("shares", () => {
  test("lanes share the room by weight, and none that waits gets nothing", () => {
    expect(sharesOf([true, true, true], 210)).toEqual([160, 40, 10]);
    expect(sharesOf([true, true, true], 3)).toEqual([2, 1, 1]);
    expect(sharesOf([false, true, true], 100)).toEqual([0, 80, 20]);
    expect(sharesOf([false, false, false], 100)).toEqual([0, 0, 0]);
  });

  test("bulk leaves a part of the window to those who cannot wait", () => {
    const rooms = (leasedBy: [number, number, number]): number[] =>
      ([0, 1, 2] as const).map((lane) => roomOf(windowWith(leasedBy), lane, 1000));
    expect(rooms([0, 0, 750])).toEqual([250, 187, 0]);
    expect(rooms([0, 500, 437])).toEqual([63, 0, 63]);
    expect(rooms([900, 0, 0])).toEqual([100, 100, 100]);
  });
});

describe("a window", () => {
  const finish = (bench: Bench, count: number): void => {
    const open = bench.sent.filter(
      ({ job }) => bench.recipient(job.message).state.at === "sending",
    );
    for (const one of open.slice(0, count)) bench.settle(one, { kind: "delivered" });
    bench.run();
  };

  test("holds no more than its size, and is filled again when half of it is free", () => {
    const bench = createBench({ windowMax: 16 });
    for (let i = 0; i < 40; i++) bench.submit({ priority: 0 });
    bench.run();
    expect(bench.sent).toHaveLength(16);
    finish(bench, 7);
    expect(bench.sent).toHaveLength(16);
    finish(bench, 1);
    expect(bench.sent).toHaveLength(24);
  });

  test("a lane with a backlog is first come, first served, also for those that come now", () => {
    const bench = createBench({ windowMax: 4 });
    const ids = Array.from({ length: 9 }, () => bench.submit({ priority: 0 }));
    bench.run();
    finish(bench, 3);
    ids.push(bench.submit({ priority: 0 }));
    bench.run();
    for (let i = 0; i < 6; i++) finish(bench, 4);
    expect(bench.sent.map(({ job }) => job.message)).toEqual(ids);
  });

  test("a code passes the bulk that fills the window", () => {
    const bench = createBench({ windowMax: 16 });
    for (let i = 0; i < 100; i++) bench.submit({ priority: 2 });
    bench.run();
    expect(bench.sent).toHaveLength(12);
    const code = bench.submit({ priority: 0 });
    bench.run();
    expect(bench.sent.at(-1)?.job.message).toBe(code);
  });

  test("bulk is not starved by a full lane of codes", () => {
    const bench = createBench({ windowMax: 42 });
    for (let i = 0; i < 400; i++) bench.submit({ priority: 0 });
    for (let i = 0; i < 40; i++) bench.submit({ priority: 2 });
    bench.run();
    for (let i = 0; i < 6; i++) finish(bench, 42);
    const bulk = bench.sent.filter(({ job }) => job.priority === 2).length;
    expect(bulk).toBeGreaterThan(5);
    expect(bulk).toBeLessThan(20);
  });

  test("one full site does not hold up another", () => {
    const bench = createBench({ windowMax: 4 });
    for (let i = 0; i < 50; i++) bench.submit({ to: ["a@stuck.example"] });
    const other = bench.submit({ to: ["a@free.example"] });
    bench.run();
    expect(bench.sent.at(-1)?.job.message).toBe(other);
  });

  test("memory for bodies is bounded over all sites, and each site may still have one", () => {
    const bench = createBench({ flightBytesMax: 100 });
    for (let i = 0; i < 5; i++) bench.submit({ to: ["a@one.example"] });
    for (let i = 0; i < 5; i++) bench.submit({ to: ["a@two.example"] });
    bench.run();
    expect(bench.sent.map(({ job }) => job.site)).toEqual(["one.example", "two.example"]);
    for (let i = 0; i < 10; i++) finish(bench, 2);
    expect(bench.sent).toHaveLength(10);
  });
});

describe("a paused site", () => {
  test("three failing hosts in a row pause it; one probe decides for all", () => {
    const bench = createBench();
    const ids = Array.from({ length: 5 }, () => bench.submit());
    bench.run();
    for (const one of [...bench.sent]) bench.settle(one, { kind: "deferred", scope: "host" });
    bench.run();
    for (const id of ids) expect(bench.recipient(id).state).toMatchObject({ attempts: 0 });
    const late = bench.submit();
    bench.run(14_000);
    expect(bench.sent).toHaveLength(5);
    bench.run(10_000);
    expect(bench.sent).toHaveLength(6);
    bench.settle(bench.sent.at(-1)!, { kind: "deferred", scope: "host" });
    bench.run(29_000);
    expect(bench.sent).toHaveLength(6);
    bench.run(10_000);
    expect(bench.sent).toHaveLength(7);
    bench.settle(bench.sent.at(-1)!, { kind: "delivered" });
    bench.run(MINUTE);
    expect(bench.sent).toHaveLength(12);
    expect(bench.sent.map(({ job }) => job.message)).toContain(late);
  });

  test("a refused recipient says nothing against its site", () => {
    const bench = createBench();
    bench.submit();
    bench.run();
    bench.settle(bench.sent[0]!, { kind: "deferred", scope: "recipient" });
    bench.submit();
    bench.run();
    expect(bench.sent).toHaveLength(2);
  });
});

test("a site belongs to one sender, and few move when a sender is added", () => {
  const sites = Array.from({ length: 1000 }, (_, i) => `site-${i}.example`);
  const counts = [0, 0, 0, 0];
  let moved = 0;
  for (const site of sites) {
    const worker = workerOf(site, 4);
    counts[worker] = (counts[worker] ?? 0) + 1;
    const of5 = workerOf(site, 5);
    if (of5 !== worker) {
      moved++;
      expect(of5).toBe(4);
    }
  }
  for (const count of counts) expect(count).toBeGreaterThan(180);
  expect(moved).toBeLessThan(260);
});
