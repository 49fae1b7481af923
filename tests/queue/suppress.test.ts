// Addresses that get no mail: how they come onto the list, and that nobody on it is ever tried.
import { expect, test } from "bun:test";
import type { QueueVerb } from "../../src/mail/command.ts";
import type { AcceptAnswer } from "../../src/mail/submission.ts";
import { troubleClasses, type Verdict } from "../../src/mail/verdict.ts";
import { suppresses } from "../../src/queue/suppress.ts";
import { createBench, type Bench, DAY, routeTo } from "./bench.ts";
import { hand, letter, once } from "./onceCalls.ts";
import { sqliteHome } from "./store.homes.ts";

const noMailbox: Partial<Verdict> = { kind: "failed", class: "mailbox", suppress: true };

const lastSent = (bench: Bench) => {
  const sent = bench.sent.at(-1);
  if (sent === undefined) throw new Error("nothing was sent");
  return sent;
};

/** Sent and refused. */
function refused(bench: Bench, to: string, verdict: Partial<Verdict>): void {
  bench.submit({ to: [to] });
  bench.run();
  bench.settle(lastSent(bench), verdict);
  bench.run();
}

const add = (bench: Bench, address: string): void => {
  bench.order({ do: "suppress.add", entries: [{ address, reason: "asked for it" }] });
  bench.run();
};

test("a mailbox that is not there gets no more mail, and the rest of a message goes out", () => {
  const bench = createBench();
  refused(bench, "Gone@example.com", noMailbox);
  const entry = bench.store.suppression("gone@example.com");
  const message = bench.submit({ to: ["GONE@example.com", "here@example.com"] });
  bench.run();
  expect(entry).toMatchObject({ origin: "bounce", reason: "250 as told" });
  expect(bench.answers.at(-1)).toEqual({ kind: "accepted", suppressed: [{ message: 0, n: 0 }] });
  expect(lastSent(bench).job.recipients.map(({ address }) => address)).toEqual([
    "here@example.com",
  ]);
  expect(bench.recipient(message, 0).state.at).toBe("suppressed");
  expect(bench.timeline(message, 0)).toMatchObject([
    { kind: "note", note: "suppressed", text: expect.stringContaining("(bounce: 250 as told)") },
  ]);
  expect(bench.events().filter(({ type }) => type === "email.suppressed")).toHaveLength(1);
  bench.settle(lastSent(bench), { kind: "delivered" }, 1);
  bench.run();
  expect(bench.queue.health()).toMatchObject({ pendingRecipients: 0, leased: 0 });
});

test("an accent that is written as a letter of its own evades no list", () => {
  const bench = createBench();
  add(bench, "jos\u00e9@example.com");
  const message = bench.submit({ to: ["Jose\u0301@example.com"] });
  bench.run();
  expect(bench.recipient(message).state.at).toBe("suppressed");
});

test("the list and the verdict that fills it stand or fall together", () => {
  const bench = createBench();
  const message = bench.submit({ to: ["gone@example.com"] });
  bench.run();
  bench.disk.fail(["full"]);
  bench.settle(lastSent(bench), noMailbox);
  bench.run();
  expect(bench.store.anySuppressed()).toBe(bench.recipient(message).state.at === "bounced");
  bench.run(DAY);
  expect(bench.recipient(message).state.at).toBe("bounced");
  expect(bench.store.anySuppressed()).toBe(true);
});

test("no failure of a connection, of the DNS, of TLS or of policy suppresses anybody", () => {
  const verdict = { kind: "failed", suppress: true } as Verdict;
  const guilty = troubleClasses.filter((trouble) =>
    suppresses({ ...verdict, class: trouble }, "a@example.com"),
  );
  expect(guilty).toEqual(["mailbox"]);
  const bench = createBench();
  refused(bench, "a@example.com", { kind: "failed", class: "mailbox" });
  refused(bench, "b@example.com", { kind: "failed", class: "policy", suppress: true });
  bench.submit({ to: ["c@nowhere.example"] });
  bench.routes.set("nowhere.example", {
    kind: "refused",
    enhanced: "5.1.2",
    text: "no such",
    freshUntil: Infinity,
  });
  bench.run();
  expect(bench.store.anySuppressed()).toBe(false);
});

test("the built-in sink bounces for show: its addresses are never put on the list", () => {
  const bench = createBench();
  bench.routes.set("postrider.test", routeTo("postrider.test"));
  refused(bench, "bounced@postrider.test", noMailbox);
  expect(bench.store.anySuppressed()).toBe(false);
});

test("with suppress_bounces off nobody comes onto the list by itself", () => {
  const bench = createBench({ suppressBounces: false });
  refused(bench, "gone@example.com", noMailbox);
  expect(bench.store.anySuppressed()).toBe(false);
});

test("what waits is not tried once its address is on the list", () => {
  const bench = createBench();
  const scheduled = bench.submit({ to: ["a@example.com"], dueAt: bench.clock.now() + 60_000 });
  const deferred = bench.submit({ to: ["a@example.com"] });
  bench.run();
  bench.settle(lastSent(bench), { kind: "deferred", class: "full" });
  bench.run();
  add(bench, "a@example.com");
  bench.run(DAY);
  expect(bench.sent).toHaveLength(1);
  for (const message of [scheduled, deferred])
    expect(bench.recipient(message).state.at).toBe("suppressed");
  expect(bench.queue.health()).toMatchObject({ pendingRecipients: 0, leased: 0 });
});

test("a scheduled message leaves a suppressed recipient out at once", () => {
  const bench = createBench();
  add(bench, "a@example.com");
  const dueAt = bench.clock.now() + 60_000;
  const message = bench.submit({ to: ["a@example.com", "b@example.com"], dueAt });
  bench.run();
  expect(bench.recipient(message, 0).state.at).toBe("suppressed");
  expect(bench.recipient(message, 1).state.at).toBe("scheduled");
});

test("a message of nobody but suppressed recipients ends with its acceptance", () => {
  const bench = createBench();
  add(bench, "a@example.com");
  const message = bench.submit({ to: ["a@example.com"] });
  bench.run(DAY);
  expect(bench.sent).toEqual([]);
  expect(bench.store.body(message)).toBeNull();
  expect(bench.queue.health().pendingRecipients).toBe(0);
});

test("an address that is taken off the list gets mail again, by its name or by its id", () => {
  const bench = createBench();
  add(bench, "A@example.com");
  add(bench, "b@example.com");
  const [, second] = ["a@example.com", "b@example.com"].map((one) => bench.store.suppression(one));
  const told = bench.order({
    do: "suppress.add",
    entries: [{ address: "b@example.com", reason: "again" }],
  });
  bench.run();
  const [stood] = (told.answer as { value: { id: string; added: boolean; reason: string }[] })
    .value;
  expect(stood).toMatchObject({ added: false, reason: "asked for it" });
  const which = ["a@EXAMPLE.com", stood?.id ?? "", "c@example.com", "no such id"];
  const removed = bench.order({ do: "suppress.remove", which });
  bench.run();
  expect(removed.answer).toMatchObject({
    value: [{ email: "a@example.com" }, { email: second?.address }, null, null],
  });
  bench.submit({ to: ["a@example.com"] });
  bench.run();
  expect(bench.sent).toHaveLength(1);
});

test("what bounced is not tried again before its address is off the list, and keeps its bytes", () => {
  const bench = createBench();
  bench.store.keep({ deadMs: DAY, all: false });
  const message = bench.submit({ to: ["gone@example.com"] });
  bench.run();
  bench.settle(lastSent(bench), noMailbox);
  bench.run();
  const refusal = bench.order({ do: "queue.retry", message });
  bench.run();
  expect(refusal.answer).toMatchObject({
    name: "not_retryable",
    detail: expect.stringContaining("gone@example.com gets no mail"),
  });
  expect(bench.store.body(message)).not.toBeNull();
  bench.order({ do: "suppress.remove", which: ["gone@example.com"] });
  const again = bench.order({ do: "queue.retry", message });
  bench.run();
  expect(again.answer).toMatchObject({ value: { requeued: 1 } });
  expect(bench.sent).toHaveLength(2);
});

test("a report is told once, moves no state, and may put its recipient on the list", () => {
  const bench = createBench();
  const message = bench.submit({ to: ["a@example.com"] });
  bench.run();
  const report: QueueVerb = {
    ...({ do: "suppress.report", message, n: 0, report: "bounced", suppress: true } as const),
    ...{ enhanced: "5.1.1", text: "no such user", by: "mx.example.com" },
  };
  const early = bench.order(report);
  bench.run();
  bench.settle(lastSent(bench), { kind: "delivered" });
  bench.run();
  const [first, second, other] = [
    bench.order(report),
    bench.order(report),
    bench.order({ ...report, n: 7 }),
  ];
  bench.run();
  expect(early.answer).toMatchObject({ value: { result: "early", suppressed: false } });
  expect(first?.answer).toMatchObject({ value: { result: "recorded", suppressed: true } });
  expect(second?.answer).toMatchObject({ value: { result: "duplicate", suppressed: false } });
  expect(other?.answer).toMatchObject({ kind: "missing" });
  expect(bench.recipient(message).state.at).toBe("delivered");
  expect(bench.timeline(message).at(-1)).toMatchObject({ kind: "report", by: "mx.example.com" });
  expect(bench.events().at(-1)).toMatchObject({ type: "email.bounced", step: 1 });
  const entry = bench.store.suppression("a@example.com");
  expect(entry).toMatchObject({ origin: "bounce", source: message, reason: "5.1.1 no such user" });
});

test("of a recipient to whom nothing was sent no report is believed", () => {
  const bench = createBench();
  const dueAt = bench.clock.now() + DAY;
  const message = bench.submit({ to: ["a@example.com"], dueAt });
  bench.run();
  bench.order({ do: "queue.cancel", message });
  bench.run();
  const report = bench.order({
    ...({ do: "suppress.report", message, n: 0, report: "bounced", suppress: true } as const),
    ...{ enhanced: "5.1.1", text: "no such user", by: "mx.example.com" },
  });
  bench.run();
  expect(bench.recipient(message).state.at).toBe("canceled");
  expect(report.answer).toMatchObject({ value: { result: "forged", suppressed: false } });
  expect(bench.store.anySuppressed()).toBe(false);
});

test("after a kill the list is there, and so is what it did", () => {
  const bench = createBench();
  refused(bench, "gone@example.com", noMailbox);
  bench.restart();
  const message = bench.submit({ to: ["gone@example.com"] });
  bench.run();
  expect(bench.recipient(message).state.at).toBe("suppressed");
  expect(bench.sent).toHaveLength(1);
});

test("a request that is repeated is told again who was suppressed the first time", () => {
  for (const home of [undefined, sqliteHome({ ringFewest: 8 })]) {
    const bench = createBench({}, 1, undefined, home === undefined ? {} : { home });
    add(bench, "b@example.com");
    const answers: (AcceptAnswer | undefined)[] = [];
    const accept = (): void => {
      const told = hand(bench, [letter(["a@example.com", "b@example.com"])], once("k"));
      bench.run();
      answers.push(told.answer);
    };
    accept();
    bench.order({ do: "suppress.remove", which: ["b@example.com"] });
    bench.run();
    accept();
    const suppressed = [{ message: 0, n: 1 }];
    expect(answers).toEqual([
      { kind: "accepted", suppressed },
      { kind: "replayed", answer: "first of k", suppressed },
    ]);
    expect(bench.sent).toHaveLength(1);
    bench.store.close();
    home?.remove();
  }
});
