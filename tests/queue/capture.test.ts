// What is captured goes to the built-in sink whatever its domain, and the DNS is not asked where it would have gone.
import { afterEach, describe, expect, test } from "bun:test";
import type { Routing } from "../../src/route/route.ts";
import { createBench, HOUR, routeTo, type Bench } from "./bench.ts";
import type { StoreHome } from "./store.homes.ts";
import { memoryHome, sqliteHome } from "./store.homes.ts";

const SINK = "postrider.test";

let homes: StoreHome[] = [];
afterEach(() => {
  for (const home of homes) home.remove();
  homes = [];
});

/** Every name but the sink's is a question that must not be asked. */
function guarded(bench: Bench, domain: string): Bench {
  bench.routes.set(domain, {
    kind: "refused",
    enhanced: "5.1.2",
    text: "it was asked for",
    freshUntil: Infinity,
  });
  return bench;
}

function sitesSent(bench: Bench): string[] {
  return bench.sent.splice(0).map(({ route }) => route.site);
}

for (const [name, makeHome] of [
  ["memory", memoryHome],
  ["sqlite", () => sqliteHome({ ringFewest: 1 })],
] as const)
  describe(`on ${name}`, () => {
    const housed = (): StoreHome => {
      const home = makeHome();
      homes.push(home);
      return home;
    };

    test("a captured message goes to the sink, again after a failure and after a kill", () => {
      const bench = guarded(createBench({}, 1, undefined, { home: housed() }), "nowhere.example");
      const id = bench.submit({ to: ["a@nowhere.example", "b@other.example"], capture: true });
      bench.run();
      const [first] = bench.sent.splice(0);
      expect(first?.route.site).toBe(SINK);
      expect(first?.job.recipients).toHaveLength(2);
      if (first === undefined) throw new Error("nothing was sent");
      bench.settle(first, { kind: "deferred", scope: "recipient", class: "other" });
      bench.run(10);
      bench.restart();
      bench.run(HOUR);
      for (const again of bench.sent.splice(0)) {
        expect(again.route.site).toBe(SINK);
        bench.settle(again, {});
      }
      bench.run(10);
      expect(bench.recipient(id).state.at).toBe("delivered");
      bench.store.close();
    });

    test("what was taken while everything is captured stays so when the setting is gone", () => {
      const home = housed();
      const bench = guarded(
        createBench({ capture: true }, 1, undefined, { home }),
        "nowhere.example",
      );
      bench.submit({ to: ["a@nowhere.example"], dueAt: bench.clock.now() + HOUR });
      bench.submit({ to: ["b@nowhere.example"] });
      bench.run();
      expect(sitesSent(bench)).toEqual([SINK]);
      bench.queue.configure({ policy: { ...bench.policy, capture: false }, workers: 1 });
      bench.run(2 * HOUR);
      expect(sitesSent(bench)).toEqual([SINK]);
      bench.submit({ to: ["c@free.example"] });
      bench.run();
      expect(sitesSent(bench)).toEqual(["free.example"]);
      bench.store.close();
    });
  });

test("mail that already waits for its own server does not leave once everything is captured", () => {
  const bench = createBench();
  bench.submit({ to: ["a@far.example"] });
  bench.run();
  const [sent] = bench.sent.splice(0);
  if (sent === undefined) throw new Error("nothing was sent");
  bench.settle(sent, { kind: "deferred", scope: "recipient", class: "other" });
  bench.run(10);
  bench.queue.configure({ policy: { ...bench.policy, capture: true }, workers: 1 });
  bench.run(HOUR);
  expect(sitesSent(bench)).toEqual([SINK]);
});

test("what its sender has by then is called back, though a session runs, and goes to the inbox", () => {
  const bench = createBench();
  bench.submit({ to: ["a@far.example"] });
  bench.run();
  const [sent] = bench.sent.splice(0);
  if (sent === undefined) throw new Error("nothing was sent");
  bench.queue.configure({ policy: { ...bench.policy, capture: true }, workers: 1 });
  expect(bench.recalls).toEqual([{ worker: 0, recall: { by: "all", cut: true } }]);
  bench.settle(sent, { kind: "interrupted" });
  bench.run(HOUR);
  expect(sitesSent(bench)).toEqual([SINK]);
  // Once: a further reload takes nothing back from the sink.
  bench.queue.configure({ policy: { ...bench.policy, capture: true }, workers: 1 });
  expect(bench.recalls).toHaveLength(1);
});

test("what waits for the resolver's answer does not leave with it once everything is captured", async () => {
  for (const isAnswered of [false, true]) {
    const bench = createBench();
    const answer = Promise.withResolvers<Routing>();
    bench.routes.set("far.example", answer.promise);
    bench.submit({ to: ["a@far.example"] });
    bench.run();
    const reload = (): void =>
      bench.queue.configure({ policy: { ...bench.policy, capture: true }, workers: 1 });
    if (!isAnswered) reload();
    answer.resolve(routeTo("far.example"));
    await answer.promise;
    if (isAnswered) reload();
    bench.run(HOUR);
    expect(sitesSent(bench)).toEqual([SINK]);
  }
});

test("a sender's own relay is not asked either", () => {
  const bench = createBench();
  bench.routes.set("a.example own.example", routeTo("relay.example"));
  bench.submit({ to: ["a@a.example"], from: "me@own.example", capture: true });
  bench.run();
  expect(sitesSent(bench)).toEqual([SINK]);
});
