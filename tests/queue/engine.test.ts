// The road of a message through the engine, step by step, on a bench without sockets and without time.
import { describe, expect, test } from "bun:test";
import { createBench, DAY, HOUR, MINUTE, routeTo, START } from "./bench.ts";
import type { Routing } from "../../src/route/route.ts";

describe("accept", () => {
  test("an accepted message is answered and sent after one commit, with its bytes from memory", () => {
    const bench = createBench();
    const id = bench.submit();
    expect(bench.answers).toEqual([]);
    expect(bench.sent).toEqual([]);
    bench.run();
    expect(bench.answers).toEqual([{ kind: "accepted" }]);
    expect(bench.sent).toHaveLength(1);
    expect(bench.sent[0]?.job.message).toBe(id);
    expect(bench.sent[0]?.job.sha256).toBeUndefined();
    expect(bench.sent[0]?.body?.length).toBeGreaterThan(10);
    expect(bench.recipient(id).state.at).toBe("sending");
  });

  test("recipients of one site travel as one job, others as their own", () => {
    const bench = createBench();
    bench.submit({ to: ["a@one.example", "b@two.example", "c@one.example"] });
    bench.run();
    expect(bench.sent.map(({ job }) => job.recipients.map((one) => one.address))).toEqual([
      ["a@one.example", "c@one.example"],
      ["b@two.example"],
    ]);
  });

  test("a job holds no more than a hundred recipients", () => {
    const bench = createBench();
    bench.submit({ to: Array.from({ length: 150 }, (_, i) => `r${i}@example.com`) });
    bench.run();
    expect(bench.sent.map(({ job }) => job.recipients.length)).toEqual([100, 50]);
  });

  test("delivered mail is final, and its body is gone", () => {
    const bench = createBench();
    const id = bench.submit();
    bench.run();
    bench.settle(bench.sent[0]!, { kind: "delivered" });
    bench.run();
    expect(bench.recipient(id).state).toMatchObject({ at: "delivered", attempts: 1 });
    expect(bench.store.body(id)).toBeNull();
    expect(bench.events().map((one) => one.type)).toEqual(["email.sent", "email.delivered"]);
    expect(bench.queue.health()).toMatchObject({ pendingRecipients: 0, leased: 0 });
  });

  test("scheduled mail waits for its time and is routed then", () => {
    const bench = createBench();
    const id = bench.submit({ dueAt: START + HOUR });
    bench.run(HOUR - 1000);
    expect(bench.sent).toHaveLength(0);
    expect(bench.recipient(id).state.at).toBe("scheduled");
    bench.run(2000);
    expect(bench.sent).toHaveLength(1);
  });
});

describe("commits", () => {
  test("a verdict shares the commit of the next mail, or has its own soon after", () => {
    const bench = createBench({ reportsMany: 256, reportWaitMs: 4 });
    const [first, second] = [bench.submit(), bench.submit()];
    bench.run();
    bench.settle(bench.sent[0]!, { kind: "delivered" });
    bench.run();
    expect(bench.recipient(first).state.at).toBe("sending");
    bench.submit();
    bench.run();
    expect(bench.recipient(first).state.at).toBe("delivered");
    bench.settle(bench.sent[1]!, { kind: "delivered" });
    bench.run(4);
    expect(bench.recipient(second).state.at).toBe("delivered");
  });

  test("many verdicts wait for nobody", () => {
    const bench = createBench({ reportsMany: 2, reportWaitMs: HOUR });
    const ids = [bench.submit(), bench.submit()];
    bench.run();
    for (const sent of bench.sent) bench.settle(sent, { kind: "delivered" });
    bench.run();
    expect(ids.map((id) => bench.recipient(id).state.at)).toEqual(["delivered", "delivered"]);
  });
});

describe("routing", () => {
  test("an unknown domain never delays the answer, and the mail leaves when the route comes", async () => {
    const bench = createBench();
    let found: (routing: Routing) => void = () => {};
    bench.routes.set("slow.example", new Promise((resolve) => (found = resolve)));
    bench.submit({ to: ["a@slow.example"] });
    bench.run(5000);
    expect(bench.answers).toEqual([{ kind: "accepted" }]);
    expect(bench.sent).toHaveLength(0);
    found(routeTo("slow.site"));
    await Promise.resolve();
    await Promise.resolve();
    bench.run();
    expect(bench.sent[0]?.route.site).toBe("slow.site");
    expect(bench.sent[0]?.job.sha256).toBeDefined();
  });

  test("a domain that the DNS denies bounces, with the DNS's words in the timeline", () => {
    const bench = createBench();
    bench.routes.set("none.example", {
      kind: "refused",
      enhanced: "5.1.2",
      text: "no such domain",
      freshUntil: 0,
    });
    const id = bench.submit({ to: ["a@none.example"] });
    bench.run(1000);
    expect(bench.recipient(id).state.at).toBe("bounced");
    expect(bench.timeline(id)).toMatchObject([{ phase: "route", enhanced: "5.1.2" }]);
  });

  test("a silent DNS defers, never bounces, and counts no attempt", () => {
    const bench = createBench();
    bench.routes.set("mute.example", { kind: "unknown", text: "SERVFAIL" });
    const id = bench.submit({ to: ["a@mute.example"] });
    bench.run(DAY);
    expect(bench.recipient(id).state).toMatchObject({ at: "deferred", attempts: 0 });
    expect(bench.timeline(id).length).toBeLessThan(60);
    bench.run(4 * DAY + HOUR);
    expect(bench.recipient(id).state.at).toBe("expired");
  });

  test("MX records that lead nowhere bounce once they have done so for hours, through a restart", () => {
    const bench = createBench();
    const nowhere = { kind: "unknown", bounces: "5.4.4", text: "no host has an address" } as const;
    bench.routes.set("astray.example", nowhere);
    bench.routes.set("mended.example", nowhere);
    bench.routes.set("mute.example", nowhere);
    const ids = ["a@astray.example", "a@mended.example", "a@mute.example"].map((to) =>
      bench.submit({ to: [to] }),
    );
    const [astray = 0, mended = 0, mute = 0] = ids;
    bench.run(2 * HOUR);
    for (const id of ids) {
      expect(bench.recipient(id).state).toMatchObject({ at: "deferred", attempts: 0 });
      expect(bench.timeline(id).at(-1)).toMatchObject({ class: "dns", enhanced: "4.4.4" });
    }
    bench.routes.delete("mended.example");
    bench.routes.set("mute.example", { kind: "unknown", text: "SERVFAIL" });
    bench.restart();
    bench.run(HOUR);
    expect(bench.sent.map(({ job }) => job.message)).toEqual([mended]);
    bench.routes.set("mute.example", nowhere);
    bench.run(2 * HOUR);
    expect(bench.recipient(astray).state.at).toBe("bounced");
    expect(bench.timeline(astray).at(-1)).toMatchObject({
      ...{ outcome: "failed", enhanced: "5.4.4", text: "no host has an address" },
    });
    expect(bench.recipient(mute).state.at).toBe("deferred");
    bench.run(4 * HOUR);
    expect(bench.recipient(mute).state.at).toBe("bounced");
  });

  test("a domain whose hosts fail its TLS policy waits, and the timeline says that it was TLS", () => {
    const bench = createBench();
    bench.routes.set("strict.example", { kind: "unknown", text: "not listed", class: "tls" });
    const id = bench.submit({ to: ["a@strict.example"] });
    bench.run(HOUR);
    expect(bench.recipient(id).state).toMatchObject({ at: "deferred", attempts: 0 });
    expect(bench.timeline(id)[0]).toMatchObject({ phase: "route", class: "tls" });
  });
});

describe("retry", () => {
  test("a recipient that is refused for now is tried again by the schedule of its priority", () => {
    const bench = createBench();
    const id = bench.submit();
    bench.run();
    for (let attempt = 1; attempt <= 4; attempt++) {
      bench.settle(bench.sent.at(-1)!, { kind: "deferred", class: "mailbox" });
      bench.run();
      expect(bench.recipient(id).state).toMatchObject({ at: "deferred", attempts: attempt });
      bench.run(HOUR);
      expect(bench.sent).toHaveLength(attempt + 1);
    }
    const waits = bench.sent.slice(1, 3).map(({ at }, i) => at - (bench.sent[i]?.at ?? 0));
    expect(waits[0]).toBeGreaterThanOrEqual(MINUTE);
    expect(waits[0]).toBeLessThan(1.16 * MINUTE);
  });

  test("a refusal for good bounces only that recipient", () => {
    const bench = createBench();
    const id = bench.submit({ to: ["a@example.com", "b@example.com"] });
    bench.run();
    bench.settle(bench.sent[0]!, { kind: "failed", class: "mailbox" }, 0);
    bench.settle(bench.sent[0]!, { kind: "delivered" }, 1);
    bench.run();
    expect(bench.recipient(id, 0).state.at).toBe("bounced");
    expect(bench.recipient(id, 1).state.at).toBe("delivered");
  });

  test("an interrupted job comes back uncounted and without a word", () => {
    const bench = createBench();
    const id = bench.submit();
    bench.run();
    bench.settle(bench.sent[0]!, { kind: "interrupted" });
    bench.run();
    expect(bench.recipient(id).state).toMatchObject({ at: "queued", attempts: 0 });
    expect(bench.timeline(id)).toEqual([]);
    bench.run(5000);
    expect(bench.sent).toHaveLength(2);
  });

  test("a verdict of a lost lease changes nothing", () => {
    const bench = createBench();
    const id = bench.submit();
    bench.run();
    bench.queue.workerLost(0);
    bench.run();
    bench.settle(bench.sent[0]!, { kind: "failed" });
    bench.run();
    expect(bench.recipient(id).state.at).not.toBe("bounced");
  });
});
