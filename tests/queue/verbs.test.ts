// What an operator does to the queue: each verb over the engine, with senders that do only what the test says.
import { expect, test } from "bun:test";
import type { CommandAnswer, Which } from "../../src/mail/command.ts";
import type { MessageId } from "../../src/mail/id.ts";
import { createBench, routeTo, type Bench } from "./bench.ts";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const domain = { by: "domain", name: "example.com" } as const;
const all = { by: "all" } as const;
const of = (message: MessageId): Which => ({ by: "message", message });

function kindOf(answer: CommandAnswer | undefined): string {
  return answer?.kind === "conflict" ? answer.name : (answer?.kind ?? "none");
}

function types(bench: Bench, n = 0): string[] {
  return bench
    .events()
    .filter((event) => event.n === n)
    .map((event) => event.type);
}

/** A message that failed once and waits for its next attempt. */
function deferred(bench: Bench): MessageId {
  const message = bench.submit();
  bench.run();
  bench.settle(bench.sent.at(-1)!, { kind: "deferred", class: "full" });
  bench.run();
  return message;
}

function bounced(bench: Bench): MessageId {
  const message = bench.submit();
  bench.run();
  bench.settle(bench.sent.at(-1)!, { kind: "failed", class: "mailbox" });
  bench.run();
  return message;
}

test("what waits is canceled with its event, and never sent", () => {
  const bench = createBench();
  const message = deferred(bench);
  const told = bench.order({ do: "queue.cancel", message });
  bench.run(DAY_MS);
  expect(told.answer).toMatchObject({ kind: "done", value: { canceled: 1, unchanged: 0 } });
  expect(bench.recipient(message).state).toMatchObject({ at: "canceled", attempts: 1 });
  expect(types(bench)).toEqual(["email.delivery_delayed", "email.canceled"]);
  expect(bench.sent).toHaveLength(1);
  expect(bench.store.body(message)).toBeNull();
  expect(bench.queue.health().pendingRecipients).toBe(0);
});

test("a cancel of what was canceled already says so again, and one of nothing that it is missing", () => {
  const bench = createBench();
  const message = deferred(bench);
  bench.order({ do: "queue.cancel", message });
  bench.run();
  const again = bench.order({ do: "queue.cancel", message });
  const nothing = bench.order({ do: "queue.cancel", message: message + 1 });
  bench.run();
  expect([kindOf(again.answer), kindOf(nothing.answer)]).toEqual(["done", "missing"]);
  expect(types(bench)).toEqual(["email.delivery_delayed", "email.canceled"]);
});

test("a running session is told, and its interruption cancels for good", () => {
  const bench = createBench();
  const message = bench.submit();
  bench.run();
  const told = bench.order({ do: "queue.cancel", message });
  bench.run();
  expect(bench.recalls).toEqual([{ worker: 0, recall: { by: "message", message, cut: true } }]);
  expect(told.answer).toBeUndefined();
  bench.settle(bench.sent[0]!, { kind: "interrupted" });
  bench.run(DAY_MS);
  expect(kindOf(told.answer)).toBe("done");
  expect(bench.recipient(message).state).toMatchObject({ at: "canceled", attempts: 0 });
  expect(bench.sent).toHaveLength(1);
});

test("past the final dot a cancel is refused, and the verdict stands", () => {
  const bench = createBench();
  const message = bench.submit();
  bench.run();
  const told = bench.order({ do: "queue.cancel", message });
  bench.run();
  bench.queue.recalled([{ message, places: [0] }]);
  expect(told.answer).toMatchObject({ kind: "conflict", name: "not_cancelable" });
  bench.settle(bench.sent[0]!, { kind: "delivered" });
  bench.run();
  expect(bench.recipient(message).state.at).toBe("delivered");
});

test("a delivery that was under way when it was canceled is told as what it is", () => {
  const bench = createBench();
  const message = bench.submit();
  bench.run();
  const told = bench.order({ do: "queue.cancel", message });
  bench.run();
  bench.settle(bench.sent[0]!, { kind: "delivered" });
  bench.run();
  bench.queue.recalled([]);
  expect(told.answer).toMatchObject({ kind: "conflict", detail: "It is delivered." });
});

test("a failure of what was being canceled does not bring it back", () => {
  for (const kind of ["deferred", "lost"] as const) {
    const bench = createBench();
    const message = bench.submit();
    bench.run();
    const told = bench.order({ do: "queue.cancel", message });
    bench.run();
    if (kind === "lost") bench.queue.workerLost(0);
    else bench.settle(bench.sent[0]!, { kind: "deferred" });
    bench.run(DAY_MS);
    expect(kindOf(told.answer)).toBe("done");
    expect(bench.recipient(message).state.at).toBe("canceled");
    expect(bench.sent).toHaveLength(1);
  }
});

test("of several recipients those that can be canceled are", () => {
  const bench = createBench();
  const message = bench.submit({ to: ["a@example.com", "b@example.com"] });
  bench.run();
  bench.settle(bench.sent[0]!, { kind: "delivered" }, 0);
  bench.settle(bench.sent[0]!, { kind: "deferred" }, 1);
  bench.run();
  const told = bench.order({ do: "queue.cancel", message });
  bench.run();
  expect(told.answer).toMatchObject({ kind: "done", value: { canceled: 1, unchanged: 1 } });
});

test("a cancel while the DNS is asked is done when the answer comes", async () => {
  const bench = createBench();
  let answer = (_: ReturnType<typeof routeTo>): void => {};
  const slow = new Promise<ReturnType<typeof routeTo>>((resolve) => (answer = resolve));
  bench.routes.set("example.com", slow);
  const message = bench.submit();
  bench.run();
  bench.run();
  expect(bench.recipient(message).state.at).toBe("sending");
  const told = bench.order({ do: "queue.cancel", message });
  bench.run();
  answer(routeTo("example.com"));
  await slow;
  await Promise.resolve();
  bench.run(DAY_MS);
  expect(kindOf(told.answer)).toBe("done");
  expect(bench.sent).toEqual([]);
  expect(bench.recipient(message).state.at).toBe("canceled");
});

test("what is held stays until it is released, over a restart too", () => {
  const bench = createBench();
  const message = deferred(bench);
  bench.order({ do: "queue.hold", which: of(message) });
  bench.run();
  bench.restart();
  bench.run(DAY_MS);
  expect(bench.recipient(message).state).toEqual({ at: "held", attempts: 1 });
  expect(bench.sent).toHaveLength(1);
  const told = bench.order({ do: "queue.release", which: of(message) });
  bench.run(1000);
  expect(told.answer).toMatchObject({ kind: "done", value: { recipients: 1 } });
  expect(bench.sent).toHaveLength(2);
  expect(types(bench)).toEqual(["email.delivery_delayed", "email.held"]);
});

test("a domain or a site is held and released as a whole, and no other", () => {
  for (const which of [domain, { by: "site", name: "example.com" } as const]) {
    const bench = createBench();
    bench.order({ do: "queue.pause", span: { by: "site", name: "example.com" } });
    bench.run();
    for (let i = 0; i < 1200; i++) bench.submit();
    bench.run(1000);
    const held = bench.order({ do: "queue.hold", which });
    bench.run(1000);
    expect(held.answer).toMatchObject({ kind: "done", value: { recipients: 1200 } });
    bench.order({ do: "queue.resume", span: { by: "site", name: "example.com" } });
    const other = bench.submit({ to: ["a@other.example"] });
    bench.run(HOUR_MS);
    expect(bench.sent.map(({ job }) => job.message)).toEqual([other]);
    const released = bench.order({ do: "queue.release", which });
    bench.run(1000);
    expect(released.answer).toMatchObject({ kind: "done", value: { recipients: 1200 } });
    expect(bench.sent.length).toBeGreaterThan(900);
  }
});

test("a paused domain is not sent to, its recipients stay as they are, and others pass them", () => {
  const bench = createBench();
  const before = deferred(bench);
  bench.order({ do: "queue.pause", span: domain });
  bench.run();
  bench.routes.set("other.example", routeTo("example.com"));
  const during = bench.submit();
  const other = bench.submit({ to: ["a@other.example"] });
  bench.run(HOUR_MS);
  expect(bench.sent.slice(1).map(({ job }) => job.message)).toEqual([other]);
  expect(bench.recipient(before).state).toMatchObject({ at: "deferred", attempts: 1 });
  expect(bench.recipient(during).state).toMatchObject({ at: "queued" });
  bench.restart();
  bench.run(HOUR_MS);
  const told = bench.order({ do: "queue.resume", span: domain });
  bench.run(1000);
  expect(kindOf(told.answer)).toBe("done");
  const sent = new Set(bench.sent.map(({ job }) => job.message));
  expect(sent).toEqual(new Set([before, during, other]));
});

test("what waited in another line when its domain was paused goes on without a restart", () => {
  const bench = createBench();
  const messages = [deferred(bench), deferred(bench)];
  bench.order({ do: "queue.pause", span: domain });
  bench.run(HOUR_MS);
  expect(bench.sent).toHaveLength(2);
  bench.order({ do: "queue.resume", span: domain });
  bench.run(1000);
  expect(new Set(bench.sent.slice(2).map(({ job }) => job.message))).toEqual(new Set(messages));
});

test("a paused site is not sent to until it is resumed, over a restart too", () => {
  const bench = createBench();
  const site = { by: "site", name: "example.com" } as const;
  const first = bench.submit();
  bench.run();
  bench.settle(bench.sent[0]!, { kind: "delivered" });
  bench.order({ do: "queue.pause", span: site });
  bench.run();
  const second = bench.submit();
  bench.run(HOUR_MS);
  bench.restart();
  const third = bench.submit();
  bench.run(HOUR_MS);
  expect(bench.sent.map(({ job }) => job.message)).toEqual([first]);
  bench.order({ do: "queue.resume", span: site });
  bench.run(1000);
  expect(bench.sent.slice(1).map(({ job }) => job.message)).toEqual([second, third]);
});

test("everything is paused and resumed, and mail is taken meanwhile", () => {
  const bench = createBench();
  bench.order({ do: "queue.pause", span: all });
  bench.run();
  const message = bench.submit();
  bench.run(HOUR_MS);
  expect(bench.answers).toEqual([{ kind: "accepted" }]);
  expect(bench.sent).toEqual([]);
  bench.restart();
  bench.run(HOUR_MS);
  expect(bench.sent).toEqual([]);
  bench.order({ do: "queue.resume", span: all });
  bench.run(1000);
  expect(bench.sent.map(({ job }) => job.message)).toEqual([message]);
});

test("a flush makes what is deferred due, and leaves a scheduled time alone", () => {
  for (const which of [domain, all, { by: "site", name: "example.com" } as const]) {
    const bench = createBench();
    const message = deferred(bench);
    const later = bench.submit({ dueAt: bench.clock.now() + DAY_MS });
    bench.run();
    const told = bench.order({ do: "queue.flush", which });
    bench.run(10);
    expect(told.answer).toMatchObject({ kind: "done", value: { recipients: 1 } });
    expect(bench.sent.slice(1).map(({ job }) => job.message)).toEqual([message]);
    expect(bench.recipient(later).state.at).toBe("scheduled");
  }
});

test("a flush forgets the backoff of the site that it names", () => {
  const bench = createBench();
  const message = bench.submit();
  bench.run();
  bench.settle(bench.sent[0]!, { kind: "deferred", scope: "site", class: "network" });
  bench.run(10);
  bench.order({ do: "queue.flush", which: { by: "site", name: "example.com" } });
  bench.run(10);
  expect(bench.sent.map(({ job }) => job.message)).toEqual([message, message]);
});

test("a retry of what waits hastens it, and of a dead letter begins it anew", () => {
  const bench = createBench();
  bench.store.keep({ deadMs: DAY_MS, all: false });
  const waiting = deferred(bench);
  const dead = bounced(bench);
  expect(bench.queue.health().pendingRecipients).toBe(1);
  const first = bench.order({ do: "queue.retry", message: waiting });
  const second = bench.order({ do: "queue.retry", message: dead });
  bench.run();
  expect(first.answer).toMatchObject({ value: { requeued: 0, hastened: 1 } });
  expect(second.answer).toMatchObject({ value: { requeued: 1, hastened: 0 } });
  expect(bench.queue.health().pendingRecipients).toBe(2);
  expect(bench.sent.slice(2).map(({ job }) => job.message)).toEqual([waiting, dead]);
  expect(bench.sent.at(-1)?.job.recipients[0]?.attempts).toBe(0);
  bench.settle(bench.sent.at(-1)!, { kind: "delivered" });
  bench.run();
  const told = bench.events().filter((event) => event.message === dead && event.n === 0);
  expect(told.map(({ type }) => type)).toEqual([
    "email.bounced",
    "email.requeued",
    "email.delivered",
  ]);
});

test("a dead letter whose bytes are gone, and delivered mail, cannot be retried", () => {
  const bench = createBench();
  const gone = bounced(bench);
  const message = bench.submit();
  bench.run();
  bench.settle(bench.sent.at(-1)!, { kind: "delivered" });
  bench.run();
  const answers = [gone, message].map((one) => bench.order({ do: "queue.retry", message: one }));
  bench.run();
  expect(answers.map(({ answer }) => kindOf(answer))).toEqual(["not_retryable", "not_retryable"]);
});

test("mail that expired lives again for a whole lifetime once it is retried", () => {
  const bench = createBench();
  bench.store.keep({ deadMs: DAY_MS, all: false });
  const message = bench.submit({ expiresAt: bench.clock.now() + 1000 });
  bench.run();
  bench.settle(bench.sent[0]!, { kind: "deferred" });
  bench.run(HOUR_MS);
  expect(bench.recipient(message).state.at).toBe("expired");
  bench.order({ do: "queue.retry", message });
  bench.run();
  bench.settle(bench.sent[1]!, { kind: "deferred" });
  bench.run();
  expect(bench.recipient(message).state).toMatchObject({ at: "deferred", attempts: 1 });
});

test("a scheduled message is moved, sooner and later, and one that left is not", () => {
  const bench = createBench();
  const now = bench.clock.now();
  const message = bench.submit({ dueAt: now + DAY_MS });
  bench.run();
  bench.order({ do: "queue.reschedule", message, dueAt: now + 2 * DAY_MS });
  bench.run(DAY_MS + HOUR_MS);
  expect(bench.sent).toEqual([]);
  bench.order({ do: "queue.reschedule", message, dueAt: bench.clock.now() + 1000 });
  bench.run(2000);
  expect(bench.sent).toHaveLength(1);
  const told = bench.order({ do: "queue.reschedule", message, dueAt: now + DAY_MS });
  bench.run();
  expect(kindOf(told.answer)).toBe("not_cancelable");
});

test("a verb that meets a full disk says so, and leaves what was there", () => {
  const bench = createBench();
  const message = deferred(bench);
  const before = bench.recipient(message);
  bench.disk.fail(["full"]);
  const told = bench.order({ do: "queue.cancel", message });
  bench.run();
  expect(told.answer).toEqual({ kind: "later", why: "disk_low" });
  expect(bench.recipient(message)).toEqual(before);
});

test("a kill between the pieces of a walk leaves each recipient whole", () => {
  const bench = createBench();
  bench.order({ do: "queue.pause", span: all });
  bench.run();
  const messages = Array.from({ length: 700 }, () => bench.submit());
  bench.run();
  bench.order({ do: "queue.hold", which: domain });
  bench.disk.fail([undefined, "io_before"]);
  bench.run();
  expect(bench.fatals).toHaveLength(1);
  bench.restart();
  const states = messages.map((one) => bench.recipient(one).state.at);
  expect(states.filter((at) => at === "held")).toHaveLength(500);
  expect(states.filter((at) => at === "queued")).toHaveLength(200);
  const events = bench.events().filter(({ type }) => type === "email.held");
  expect(events).toHaveLength(500);
});
