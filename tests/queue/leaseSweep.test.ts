// Leases that nobody looks after are found, and those that somebody has are left alone.
import { expect, test } from "bun:test";
import type { Routing } from "../../src/route/route.ts";
import { defaultPolicy } from "../../src/queue/policy.ts";
import { createBench, HOUR, MINUTE, routeTo } from "./bench.ts";

test("a lease that ran out while the DNS was silent is not taken for a lost one as its answer comes", async () => {
  const bench = createBench();
  let answer: (routing: Routing) => void = () => {};
  bench.routes.set("slow.example", new Promise((resolve) => (answer = resolve)));
  // Something else is under way, so that leases are looked after: at this very moment, too.
  bench.submit();
  const id = bench.submit({ to: ["a@slow.example"] });
  bench.clock.of(0).after(defaultPolicy.leaseMs * 1.5, () => answer(routeTo("slow.example")));
  const until = bench.clock.monotonicMs() + 2 * HOUR;
  while (bench.clock.step(until)) await Promise.resolve();
  const sent = bench.sent.filter(({ job }) => job.message === id);
  expect(sent).toHaveLength(1);
  bench.settle(sent[0]!, { kind: "delivered" });
  bench.run(HOUR);
  expect(bench.recipient(id).state.at).toBe("delivered");
});

test("other leases that ran out are looked after while one waits for the DNS", () => {
  const bench = createBench();
  bench.routes.set("slow.example", new Promise(() => {}));
  bench.submit({ to: ["a@slow.example"] });
  const id = bench.submit();
  bench.run(26 * HOUR);
  expect(bench.timeline(id)).toMatchObject([{ kind: "note", doubt: true }]);
});

test("a lease that nobody has is found although nothing else happens", () => {
  const bench = createBench();
  const id = bench.submit();
  bench.run();
  bench.settle(bench.sent[0]!, { kind: "deferred", class: "mailbox" });
  bench.run();
  const { site, priority } = bench.recipient(id);
  const now = bench.clock.now() + HOUR;
  bench.store.transaction(() =>
    bench.store.claim({ site, priority, limit: 1, bytesMax: 1, now, leaseUntil: now }),
  );
  bench.run(3 * HOUR);
  expect(bench.sent).toHaveLength(2);
});

test("a site whose probe was lost is probed again", () => {
  const bench = createBench();
  const first = bench.submit();
  bench.run();
  bench.settle(bench.sent[0]!, { kind: "deferred", scope: "site", class: "network" });
  bench.run(HOUR);
  expect(bench.sent).toHaveLength(2);
  bench.run(30 * HOUR);
  expect(bench.sent.filter(({ job }) => job.message === first).length).toBeGreaterThan(2);
});

test("a lease that runs out is renewed while its sender lives, and lost after a day", () => {
  const bench = createBench();
  const id = bench.submit();
  bench.run(20 * HOUR);
  expect(bench.recipient(id).state).toMatchObject({ at: "sending", attempts: 0 });
  expect(bench.sent).toHaveLength(1);
  bench.run(6 * HOUR);
  expect(bench.sent).toHaveLength(2);
  expect(bench.timeline(id)).toMatchObject([{ kind: "note", doubt: true }]);
});

test("a look at leases that met a full disk is made again once there is room", () => {
  const bench = createBench();
  const id = bench.submit();
  bench.run(HOUR - MINUTE);
  bench.disk.fail(["full"]);
  bench.run(2 * MINUTE);
  expect(bench.logs).toContain("queue.disk_full");
  const { state } = bench.recipient(id);
  expect(state.at === "sending" && state.leaseUntil - bench.clock.now()).toBeGreaterThan(0);
});
