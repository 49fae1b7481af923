// What the engine does when disk, threads, clock or process fail it.
import { describe, expect, test } from "bun:test";
import { type Bench, createBench, DAY, HOUR, MINUTE, routeTo, START } from "./bench.ts";
import type { AcceptAnswer, Refusal } from "../../src/mail/submission.ts";
import type { Routing } from "../../src/route/route.ts";

const refusal = (why: Refusal): AcceptAnswer => ({ kind: "refused", why, retryAfterS: 5 });

describe("a full disk", () => {
  test("nothing is answered as accepted, and accepting comes back by itself", () => {
    const bench = createBench();
    bench.disk.fail(["full"]);
    bench.submit();
    bench.run();
    expect(bench.answers).toEqual([refusal("disk_low")]);
    expect(bench.sent).toEqual([]);
    bench.submit();
    expect(bench.answers).toHaveLength(2);
    bench.run(2000);
    bench.submit();
    bench.run();
    expect(bench.answers).toEqual([refusal("disk_low"), refusal("disk_low"), { kind: "accepted" }]);
    expect(bench.queue.health()).toMatchObject({ pendingRecipients: 1, leased: 1 });
  });

  test("a site that was met in a commit that did not stand is not looked at for ever", () => {
    const bench = createBench({ windowMax: 1 });
    bench.disk.fail(["full"]);
    for (let i = 0; i < 2; i++) bench.submit();
    let steps = 0;
    while (steps < 1000 && bench.clock.step(5000)) steps++;
    expect(steps).toBeLessThan(1000);
  });

  test("a verdict that could not be written is written later, and meanwhile nothing is sent", () => {
    const bench = createBench({ windowMax: 2 });
    const ids = Array.from({ length: 4 }, () => bench.submit({ priority: 0 }));
    bench.run();
    bench.disk.fail(["full", "full", "full"]);
    for (const one of bench.sent.slice(0, 2)) bench.settle(one, { kind: "delivered" });
    bench.run(500);
    expect(bench.sent).toHaveLength(2);
    bench.run(5000);
    expect(ids.slice(0, 2).map((id) => bench.recipient(id).state.at)).toEqual([
      "delivered",
      "delivered",
    ]);
    expect(bench.sent).toHaveLength(4);
    expect(bench.events().filter((one) => one.type === "email.delivered")).toHaveLength(2);
  });

  test("a claim that did not stand is made again", () => {
    const bench = createBench();
    bench.submit({ dueAt: START + MINUTE });
    bench.run();
    bench.disk.fail(["full"]);
    bench.run(MINUTE + 500);
    expect(bench.sent).toHaveLength(0);
    bench.run(2000);
    expect(bench.sent).toHaveLength(1);
  });

  test("claims that waited for the DNS and did not stand are not sent on", async () => {
    const bench = createBench();
    let found: (routing: Routing) => void = () => {};
    bench.routes.set("slow.example", new Promise((resolve) => (found = resolve)));
    bench.disk.fail([undefined, "full"]);
    const id = bench.submit({ to: ["a@slow.example"] });
    bench.run();
    expect(bench.recipient(id).state.at).toBe("queued");
    bench.routes.delete("slow.example");
    found(routeTo("slow.example"));
    await Promise.resolve();
    await Promise.resolve();
    bench.run(5000);
    expect(bench.sent).toHaveLength(1);
    expect(bench.sent[0]?.job.recipients[0]?.claim).toBe(claimOf(bench, id));
  });

  test("a low disk is refused at the door before it is full", () => {
    const bench = createBench();
    bench.queue.pressure({ freeBytes: 1000, walBytes: 0 });
    bench.submit();
    bench.queue.pressure({ freeBytes: 1e12, walBytes: 0 });
    bench.submit();
    bench.run();
    expect(bench.answers).toEqual([refusal("disk_low"), { kind: "accepted" }]);
  });

  test("a log that a foreign reader keeps from being written back is refused to grow", () => {
    const bench = createBench({ walBytesMax: 1000 });
    bench.queue.pressure({ freeBytes: 1e12, walBytes: 1001 });
    bench.submit();
    bench.queue.pressure({ freeBytes: 1e12, walBytes: 1000 });
    bench.submit();
    bench.run();
    expect(bench.answers).toEqual([refusal("disk_low"), { kind: "accepted" }]);
  });

  test("the spool file of a refused message is removed", () => {
    const bench = createBench();
    bench.disk.fail(["full"]);
    bench.submit({ body: { kind: "spool", file: "f1" } });
    bench.run();
    expect(bench.dropped).toEqual(["f1"]);
  });
});

function claimOf(bench: Bench, id: number): number | undefined {
  const { state } = bench.recipient(id);
  return state.at === "sending" ? state.claim : undefined;
}

test("a failed sync answers nothing and ends the process", () => {
  const bench = createBench();
  bench.disk.fail(["io_after"]);
  const id = bench.submit({ body: { kind: "spool", file: "f1" } });
  bench.run();
  expect(bench.answers).toEqual([]);
  expect(bench.dropped).toEqual([]);
  expect(bench.fatals).toHaveLength(1);
  bench.restart();
  bench.run();
  expect(bench.recipient(id).state.at).toBe("sending");
});

test("a queue that holds as much as it may refuses more, and takes it again later", () => {
  const bench = createBench({ queueMessagesMax: 2 });
  bench.submit({ to: ["a@x.example", "b@x.example"] });
  bench.run();
  bench.submit();
  bench.settle(bench.sent[0]!, { kind: "delivered" });
  bench.run();
  bench.submit();
  bench.run();
  expect(bench.answers).toEqual([
    { kind: "accepted" },
    refusal("queue_full"),
    { kind: "accepted" },
  ]);
});

describe("a lost sender", () => {
  test("gives its leases back with doubt, at once the first two times", () => {
    const bench = createBench();
    const id = bench.submit();
    bench.run();
    for (const attempts of [1, 2]) {
      bench.queue.workerLost(0);
      bench.run();
      expect(bench.recipient(id).state).toMatchObject({ at: "sending", attempts });
    }
    bench.queue.workerLost(0);
    bench.run();
    expect(bench.recipient(id).state).toMatchObject({ at: "deferred", attempts: 3 });
    expect(bench.timeline(id).map((step) => step.doubt)).toEqual([true, true, true]);
    expect(bench.queue.health().leased).toBe(0);
  });

  test("takes nothing back of what it had delivered, however much that was", () => {
    const bench = createBench({ commitMax: 2 });
    const ids = ["a", "b", "c", "d"].map((one) => bench.submit({ to: [`x@${one}.example`] }));
    bench.run();
    for (const sent of [...bench.sent].reverse()) bench.settle(sent, { kind: "delivered" });
    bench.queue.workerLost(0);
    bench.run(MINUTE);
    expect(ids.map((id) => bench.recipient(id).state.at)).toEqual(Array(4).fill("delivered"));
    expect(bench.sent).toHaveLength(4);
  });

  test("concerns only the sites that it had", () => {
    const bench = createBench({}, 2);
    for (let second = 0; second < 4; second++) {
      bench.queue.loaded(0, { cpuShare: 1, isFull: false });
      bench.run(1000);
    }
    for (let i = 0; i < 20; i++) bench.submit({ to: [`a@d${i}.example`] });
    bench.run();
    const lost = bench.sent.filter(({ worker }) => worker === 1).length;
    bench.queue.workerLost(1);
    bench.run();
    expect(lost).toBeGreaterThan(0);
    expect(bench.sent).toHaveLength(20 + lost);
    expect(bench.sent.slice(20).every(({ worker }) => worker === 1)).toBe(true);
  });
});

describe("a restart", () => {
  test("takes back what the dead process had leased, with doubt, and knows what waits", () => {
    const bench = createBench({ windowMax: 3 });
    const ids = Array.from({ length: 6 }, () => bench.submit({ priority: 0 }));
    bench.run();
    bench.restart();
    bench.run();
    expect(bench.queue.health()).toMatchObject({ pendingRecipients: 6, leased: 3 });
    for (let i = 0; i < 4; i++) {
      for (const one of bench.sent.slice(3)) bench.settle(one, { kind: "delivered" });
      bench.run();
    }
    expect(ids.map((id) => bench.recipient(id).state.at)).toEqual(ids.map(() => "delivered"));
    const doubts = ids.map((id) => bench.timeline(id).filter((step) => step.doubt).length);
    expect(doubts.toSorted()).toEqual([0, 0, 0, 1, 1, 1]);
  });

  test("leaves the waiting of the deferred as it was", () => {
    const bench = createBench();
    bench.submit();
    bench.run();
    bench.settle(bench.sent[0]!, { kind: "deferred" });
    bench.run();
    bench.restart();
    bench.run(50_000);
    expect(bench.sent).toHaveLength(1);
    bench.run(30_000);
    expect(bench.sent).toHaveLength(2);
  });
});

describe("draining", () => {
  test("refuses mail, starts nothing, and is idle once the last verdict is written", async () => {
    const bench = createBench();
    const id = bench.submit();
    bench.run();
    bench.queue.drain();
    let idle = false;
    void bench.queue.idle().then(() => (idle = true));
    bench.submit();
    bench.run(1000);
    await Promise.resolve();
    expect(idle).toBe(false);
    bench.settle(bench.sent[0]!, { kind: "interrupted" });
    bench.run(5000);
    await Promise.resolve();
    expect(idle).toBe(true);
    expect(bench.answers.at(-1)).toEqual(refusal("draining"));
    expect(bench.recipient(id).state).toMatchObject({ at: "queued", attempts: 0 });
    expect(bench.sent).toHaveLength(1);
  });

  test("all that the senders said last is written before the end, however much it is", () => {
    const bench = createBench({ commitMax: 2 });
    const ids = ["a", "b", "c", "d", "e"].map((one) => bench.submit({ to: [`x@${one}.example`] }));
    bench.run();
    bench.queue.drain();
    for (const sent of bench.sent) bench.settle(sent, { kind: "delivered" });
    bench.queue.stop();
    expect(ids.map((id) => bench.recipient(id).state.at)).toEqual(Array(5).fill("delivered"));
  });
});

describe("expiry", () => {
  test("the sender's own limit ends a recipient to the letter, without an attempt", () => {
    const bench = createBench();
    const id = bench.submit({ expiresAt: START + 10 * MINUTE });
    bench.run();
    bench.settle(bench.sent[0]!, { kind: "deferred", class: "greylist" });
    bench.run();
    bench.settle(bench.sent[0]!, { kind: "delivered" });
    bench.run(6 * MINUTE);
    bench.settle(bench.sent[1]!, { kind: "deferred", class: "greylist", retryAfterMs: HOUR });
    bench.run(5 * MINUTE);
    expect(bench.recipient(id).state).toMatchObject({ at: "expired", attempts: 2 });
    expect(bench.sent).toHaveLength(2);
    expect(bench.events().at(-1)?.type).toBe("email.failed");
    expect(bench.timeline(id).at(-1)).toMatchObject({ kind: "note", note: "expired" });
  });

  test("a lifetime ends with the attempt that is made at its end", () => {
    const bench = createBench();
    const id = bench.submit({ priority: 2 });
    bench.run();
    for (let i = 0; i < 40 && bench.recipient(id).state.at !== "expired"; i++) {
      bench.settle(bench.sent.at(-1)!, { kind: "deferred", class: "mailbox" });
      bench.run(5 * HOUR);
    }
    const { state } = bench.recipient(id);
    expect(state.at).toBe("expired");
    expect(bench.sent.at(-1)!.at - START).toBeGreaterThanOrEqual(3 * DAY - 1000);
  });

  test("mail behind a site that is dead for days expires with it, without a probe of its own", () => {
    const bench = createBench();
    const ids = Array.from({ length: 30 }, () => bench.submit({ priority: 2 }));
    bench.run();
    for (let settled = 0, hour = 0; hour < 24 * 4; hour++) {
      for (; settled < bench.sent.length; settled++)
        bench.settle(bench.sent[settled]!, { kind: "deferred", scope: "site" });
      bench.run(HOUR);
    }
    expect(new Set(ids.map((id) => bench.recipient(id).state.at))).toEqual(new Set(["expired"]));
  });
});

describe("the clock", () => {
  test("a year forward expires nothing that was not tried since", () => {
    const bench = createBench({ windowMax: 2 });
    const ids = Array.from({ length: 6 }, () => bench.submit({ priority: 0 }));
    bench.run();
    bench.clock.jump(365 * DAY);
    bench.run(10 * MINUTE);
    for (let i = 0; i < 4; i++) {
      for (const one of bench.sent) bench.settle(one, { kind: "delivered" });
      bench.run(MINUTE);
    }
    expect(ids.map((id) => bench.recipient(id).state.at)).toEqual(ids.map(() => "delivered"));
    expect(bench.logs).toContain("queue.clock_jumped");
  });

  test("a day back freezes no retry", () => {
    const bench = createBench();
    bench.submit();
    bench.run();
    bench.settle(bench.sent[0]!, { kind: "deferred" });
    bench.run();
    bench.clock.jump(-DAY);
    bench.run(2 * MINUTE);
    expect(bench.sent).toHaveLength(2);
  });

  test("a clock that went back while the daemon was off freezes no retry either", () => {
    const bench = createBench();
    bench.submit();
    bench.run();
    bench.clock.jump(4 * DAY);
    bench.run();
    bench.settle(bench.sent[0]!, { kind: "deferred" });
    bench.run();
    bench.clock.jump(-4 * DAY);
    bench.restart();
    bench.run(HOUR);
    expect(bench.sent).toHaveLength(2);
  });
});
