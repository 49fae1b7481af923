// Sites that get another sender thread, over the engine, with senders that do only what the test says.
import { describe, expect, test } from "bun:test";
import { type Bench, createBench } from "./bench.ts";

/** All senders have no time left, for long enough that more of them begin to work. */
function tire(bench: Bench, workers: number): void {
  for (let second = 0; second < 4; second++) {
    for (let worker = 0; worker < workers; worker++)
      bench.queue.loaded(worker, { cpuShare: 1, isFull: false });
    bench.run(1000);
  }
}

/** As little to do as lets one of three go home. */
function calm(bench: Bench, seconds: number): void {
  for (let second = 0; second < seconds; second++) {
    for (const worker of [0, 1, 2]) bench.queue.loaded(worker, { cpuShare: 0, isFull: false });
    bench.run(1000);
  }
}

describe("sites that move to another sender", () => {
  const domains = Array.from({ length: 20 }, (_, i) => `site${i}.example`);
  const submitAll = (bench: Bench, user: string): void => {
    for (const name of domains) bench.submit({ to: [`${user}@${name}`] });
    bench.run();
  };
  const away = (bench: Bench, from: number): string[] =>
    bench.sent.slice(from).flatMap(({ job, worker }) => (worker === 0 ? [] : [job.site]));

  /** A sender says that it lives, and so much time goes by. */
  const wait = (bench: Bench, forMs: number): void => {
    bench.queue.loaded(0, { cpuShare: 0.5, isFull: false });
    bench.run(forMs);
  };

  test("one sender has all of them while it keeps up", () => {
    const bench = createBench({}, 3);
    submitAll(bench, "a");
    expect([bench.sent.length, away(bench, 0)]).toEqual([20, []]);
  });

  test("as many as have sites are asked for", () => {
    const asked: number[] = [];
    const bench = createBench({}, 3, undefined, {
      onAtWork: (workers) => void asked.push(workers),
    });
    tire(bench, 3);
    expect(asked[0]).toBe(2);
    tire(bench, 3);
    expect(asked.at(-1)).toBe(3);
  });

  test("another limit of the threads is told to nobody while the same ones work", () => {
    const asked: number[] = [];
    const bench = createBench({}, 3, undefined, {
      onAtWork: (workers) => void asked.push(workers),
    });
    const limit = (workers: number): void => bench.queue.configure({ ...bench, workers });
    limit(2);
    expect([asked, bench.logs]).toEqual([[], []]);
    tire(bench, 2);
    limit(4);
    expect(asked).toEqual([2]);
    limit(1);
    expect(asked).toEqual([2, 1]);
    expect(bench.logs).toEqual(["sender.at_work", "sender.at_work"]);
  });

  test("they move once nothing of them is under way, and what idles in the old one ends", () => {
    const bench = createBench({}, 2);
    submitAll(bench, "a");
    tire(bench, 2);
    const moving = new Set(bench.recalls.map(({ recall }) => "name" in recall && recall.name));
    expect(moving.size).toBeGreaterThan(5);
    expect(bench.parted).toEqual([]);
    for (const sent of bench.sent.slice(0, 20)) bench.settle(sent, { kind: "delivered" });
    bench.run(10);
    expect(bench.parted.flatMap(({ worker, sites }) => (worker === 0 ? sites : []))).toHaveLength(
      moving.size,
    );
    submitAll(bench, "b");
    expect(away(bench, 20)).toHaveLength(moving.size);
    // What was learned of each goes with it.
    expect(bench.adopted.map(({ site }) => site).sort()).toEqual(away(bench, 20).sort());
    expect(new Set(bench.adopted.map(({ worker }) => worker))).toEqual(new Set([1]));
  });

  test("mail waits two seconds for it and no longer: some servers take minutes for what they have", () => {
    const bench = createBench({}, 2);
    submitAll(bench, "a");
    tire(bench, 2);
    submitAll(bench, "b");
    wait(bench, 5000);
    expect([bench.sent.length, away(bench, 0)]).toEqual([40, []]);
    for (const sent of [...bench.sent]) bench.settle(sent, { kind: "delivered" });
    bench.run(10);
    submitAll(bench, "c");
    expect(away(bench, 40).length).toBeGreaterThan(5);
  });

  test("one that goes on where it is also does so when an operator has paused and resumed it", () => {
    const bench = createBench({}, 2);
    submitAll(bench, "a");
    tire(bench, 2);
    wait(bench, 5000);
    const order = (what: "queue.pause" | "queue.resume"): void => {
      for (const name of domains) bench.order({ do: what, span: { by: "site", name } });
      bench.run();
    };
    order("queue.pause");
    submitAll(bench, "b");
    expect(bench.sent).toHaveLength(20);
    order("queue.resume");
    bench.run(10);
    expect([bench.sent.length, away(bench, 0)]).toEqual([40, []]);
  });

  test("a sender that ends is waited for, however long it takes", () => {
    const bench = createBench({}, 2);
    tire(bench, 2);
    submitAll(bench, "a");
    const there = away(bench, 0);
    expect(there.length).toBeGreaterThan(5);
    bench.queue.configure({ policy: bench.policy, workers: 1 });
    submitAll(bench, "b");
    wait(bench, 60_000);
    expect(bench.sent).toHaveLength(40 - there.length);
    for (const sent of bench.sent.slice(0, 20)) bench.settle(sent, { kind: "delivered" });
    bench.run(60_000);
    expect([bench.sent.length, away(bench, 20)]).toEqual([40, []]);
  });

  test("what went on where it was leaves a sender that ends, though no other ones work", () => {
    const bench = createBench({}, 3);
    tire(bench, 3);
    tire(bench, 3);
    submitAll(bench, "a");
    const third = (from: number) => bench.sent.slice(from).filter(({ worker }) => worker === 2);
    expect(third(0).length).toBeGreaterThan(2);
    calm(bench, 35);
    submitAll(bench, "b");
    expect(third(20)).toHaveLength(third(0).length / 2);
    bench.queue.configure({ policy: bench.policy, workers: 2 });
    submitAll(bench, "c");
    expect(third(40)).toEqual([]);
  });

  test("what an operator takes back is asked for wherever it is", () => {
    const bench = createBench({}, 2);
    tire(bench, 2);
    submitAll(bench, "a");
    bench.queue.configure({ policy: bench.policy, workers: 1 });
    bench.recalls.length = 0;
    bench.order({ do: "queue.pause", span: { by: "all" } });
    bench.run();
    expect(new Set(bench.recalls.map(({ worker }) => worker))).toEqual(new Set([0, 1]));
  });
});
