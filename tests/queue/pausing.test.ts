// Pauses as the engine keeps them: due mail never breaks one, a lost sender or a restart does not end it, and no other site is slowed.
import { describe, expect, test } from "bun:test";
import type { Verdict } from "../../src/mail/verdict.ts";
import { type Bench, createBench, DAY, HOUR, MINUTE, START } from "./bench.ts";

const throttled: Partial<Verdict> = {
  kind: "deferred",
  scope: "host",
  class: "rate",
  pause: { rule: "google.rate" },
};

const sending = (bench: Bench) =>
  bench.sent.filter(({ job }) =>
    bench.store.recipients(job.message).some((row) => row.state.at === "sending"),
  );

/** Mail to two sites, one of which has just asked for a pause. */
function paused(): Bench {
  const bench = createBench();
  bench.submit({ to: ["a@throttled.example"], priority: 0 });
  bench.run();
  bench.settle(bench.sent[0]!, throttled);
  bench.run();
  return bench;
}

describe("a provider's pause", () => {
  test("of ten thousand codes that are due at once lets one out, when its time is over", () => {
    const bench = createBench();
    const to = ["a@throttled.example"];
    for (let i = 0; i < 10_000; i++) bench.submit({ to, priority: 0, dueAt: START + HOUR });
    bench.submit({ to, priority: 0 });
    bench.run(HOUR - MINUTE);
    expect(bench.sent).toHaveLength(1);
    bench.settle(bench.sent[0]!, throttled);
    bench.run(14 * MINUTE);
    expect(bench.sent).toHaveLength(1);
    bench.run(5 * MINUTE);
    expect(bench.sent).toHaveLength(2);
    bench.run(HOUR);
    expect(bench.sent).toHaveLength(2);
    bench.settle(bench.sent[1]!, throttled);
    bench.run(29 * MINUTE);
    expect(bench.sent).toHaveLength(2);
    bench.run(6 * MINUTE);
    expect(bench.sent).toHaveLength(3);
    bench.settle(bench.sent[2]!, { kind: "delivered" });
    bench.run(MINUTE);
    expect(bench.sent.length).toBeGreaterThan(500);
  });

  test("burns nobody's attempt, whomever it was said to", () => {
    for (const scope of ["recipient", "message", "host", "site"] as const) {
      const bench = createBench();
      const id = bench.submit();
      bench.run();
      bench.settle(bench.sent[0]!, { ...throttled, scope });
      bench.run();
      expect(bench.recipient(id).state).toMatchObject({ at: "deferred", attempts: 0 });
    }
  });

  test("holds up no other site", () => {
    const bench = paused();
    for (let i = 0; i < 20; i++)
      bench.submit({ to: [`a@site-${i}.example`, "b@throttled.example"] });
    bench.run();
    expect(bench.sent).toHaveLength(21);
    expect(sending(bench).map(({ job }) => job.site)).not.toContain("throttled.example");
  });

  test("is not ended by the death of the sender that heard it", () => {
    const bench = paused();
    const id = bench.submit({ to: ["b@throttled.example"], priority: 0 });
    bench.queue.workerLost(0);
    bench.run(14 * MINUTE);
    expect(bench.recipient(id).state.at).toBe("queued");
    bench.run(4 * MINUTE);
    expect(bench.sent).toHaveLength(2);
  });

  test("outlasts a restart, and is forgotten when a probe has ended it", () => {
    const bench = paused();
    bench.submit({ to: ["b@throttled.example"], priority: 0 });
    bench.run();
    bench.restart();
    bench.run(13 * MINUTE);
    expect(bench.sent).toHaveLength(1);
    expect(bench.queue.look("throttled.example")).toMatchObject({ paused_by: "google.rate" });
    const shown = bench.meter.drain().filter(({ name }) => name === "postrider_site_paused");
    expect(shown.at(-1)).toMatchObject({ labels: { site: "throttled.example" }, value: 1 });
    bench.run(5 * MINUTE);
    expect(bench.sent).toHaveLength(2);
    bench.settle(bench.sent[1]!, { kind: "delivered" });
    bench.run();
    bench.restart();
    bench.run(MINUTE);
    expect(bench.sent.length).toBeGreaterThan(2);
    expect(bench.queue.look("throttled.example")).toMatchObject({ paused_by: null, pauses: 0 });
  });

  test("written by a clock that has gone back since is not for ever", () => {
    const bench = paused();
    bench.submit({ to: ["b@throttled.example"], priority: 0 });
    bench.run();
    bench.clock.jump(-30 * DAY);
    bench.restart();
    bench.run(5 * HOUR);
    expect(bench.sent).toHaveLength(2);
  });

  test("is shown with its rule and the server's last words", () => {
    const bench = paused();
    expect(bench.queue.look("throttled.example")).toMatchObject({
      site: "throttled.example",
      paused_by: "google.rate",
      pauses: 1,
      last_failure: { phase: expect.any(String) as string },
    });
  });
});

describe("room in memory", () => {
  test("is left for a site that comes new, however much the others want", () => {
    const bench = createBench({ flightsMax: 100, windowMax: 1000 });
    for (let site = 0; site < 10; site++)
      for (let i = 0; i < 100; i++) bench.submit({ to: [`r${i}@s${site}.example`] });
    bench.run(1000);
    const bySite = Map.groupBy(bench.sent, ({ job }) => job.site);
    expect(bySite.size).toBe(10);
    expect(bench.queue.health().leased).toBeLessThanOrEqual(110);
    bench.submit({ to: ["a@new.example"] });
    bench.run();
    expect(bench.sent.at(-1)?.job.site).toBe("new.example");
  });
});
