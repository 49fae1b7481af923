// How many sender threads are at work, by what they say of themselves.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createCrew, type SenderLoad } from "../../src/queue/crew.ts";

const at = (cpuShare: number, isFull = false): SenderLoad => ({ cpuShare, isFull });

/** Every thread says the same of each second; the sizes that were found on the way. */
function sizesOf(
  threads: number,
  seconds: number,
  load: (worker: number, size: number) => SenderLoad,
): number[] {
  const crew = createCrew(threads);
  const sizes = [crew.size()];
  for (let second = 0; second < seconds; second++)
    for (let worker = 0; worker < threads; worker++)
      if (crew.heard(worker, load(worker, crew.size()), second * 1000)) sizes.push(crew.size());
  return sizes;
}

/** All that is to do, shared evenly by those at work. */
const evenly =
  (share: number) =>
  (worker: number, size: number): SenderLoad =>
    at(worker < size ? Math.min(1, share / size) : 0);

describe("sender threads at work", () => {
  test("one is enough while it keeps up", () => {
    expect(sizesOf(8, 600, evenly(0.5))).toEqual([1]);
  });

  test("more begin when those at work have no time left, as many as the load fills", () => {
    expect(sizesOf(2, 600, evenly(5))).toEqual([1, 2]);
    expect(sizesOf(64, 600, evenly(64))).toEqual([1, 2, 3, 5, 8, 12, 18, 27, 41, 62, 64]);
    expect(sizesOf(64, 600, evenly(1.3))).toEqual([1, 2, 3]);
  });

  test("a busy moment moves nothing", () => {
    const crew = createCrew(4);
    for (let second = 0; second < 60; second++)
      expect(crew.heard(0, at(second % 3 === 0 ? 0.2 : 0.9), second * 1000)).toBe(false);
  });

  test("one that has all connections it may have calls for another, however little it has to do", () => {
    expect(sizesOf(3, 20, (worker, size) => at(0.01, worker < size && size < 3))).toEqual([
      1, 2, 3,
    ]);
  });

  test("they go on one by one when the load is over, after a while", () => {
    const crew = createCrew(4);
    const run = (from: number, to: number, share: number): number => {
      for (let second = from; second < to; second++)
        for (let worker = 0; worker < 4; worker++)
          crew.heard(worker, evenly(share)(worker, crew.size()), second * 1000);
      return crew.size();
    };
    expect(run(0, 20, 4)).toBe(4);
    expect(run(20, 45, 0.1)).toBe(4);
    expect(run(45, 60, 0.1)).toBe(3);
    expect(run(60, 200, 0.1)).toBe(1);
  });

  test("a site that fills one thread alone does not make the number swing", () => {
    const alone = (worker: number): SenderLoad => at(worker === 0 ? 1 : 0);
    expect(sizesOf(16, 3600, alone)).toEqual([1, 2]);
  });

  test("a steady load comes to rest at one number", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 16 }),
        fc.double({ min: 0, max: 16, noNaN: true }),
        (threads, share) => {
          const early = sizesOf(threads, 200, evenly(share));
          expect(sizesOf(threads, 400, evenly(share))).toEqual(early);
          expect(early.toSorted((a, b) => a - b)).toEqual(early);
        },
      ),
      { numRuns: 30 },
    );
  });

  test("fewer threads than are at work are all at work, and what ended ones said is forgotten", () => {
    const crew = createCrew(4);
    for (let second = 0; second < 20; second++)
      for (let worker = 0; worker < 4; worker++) crew.heard(worker, at(1), second * 1000);
    crew.limit(2);
    expect(crew.size()).toBe(2);
    for (let second = 20; second < 49; second++) crew.heard(0, at(0.1), second * 1000);
    crew.heard(1, at(0), 49_000);
    expect(crew.heard(0, at(0.1), 80_000)).toBe(true);
    expect(crew.size()).toBe(1);
  });

  test("the last words of a thread that leaves count for nothing", () => {
    const crew = createCrew(3);
    for (let second = 0; second < 9; second++)
      for (const worker of [0, 1, 2]) crew.heard(worker, at(1), second * 1000);
    crew.limit(2);
    crew.heard(2, at(1, true), 9000);
    for (let second = 10; second < 50; second++)
      for (const worker of [0, 1]) crew.heard(worker, at(0), second * 1000);
    expect(crew.size()).toBe(1);
  });
});
