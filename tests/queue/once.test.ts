// Idempotency keys through the engine: a key, its messages and their first events stand or fall together.
import { expect, test } from "bun:test";
import type { AcceptAnswer } from "../../src/mail/submission.ts";
import { createBench, HOUR, START } from "./bench.ts";
import { hand, letter, once } from "./onceCalls.ts";

const replayed = (key: string): AcceptAnswer => ({ kind: "replayed", answer: `first of ${key}` });

test("a request that comes again is answered as the first time, also after a restart, and nothing is stored", () => {
  const bench = createBench();
  const first = hand(bench, [letter()], once("k"));
  bench.run();
  bench.restart();
  const again = letter();
  const second = hand(bench, [again], once("k"));
  bench.run();
  expect([first.answer, second.answer]).toEqual([{ kind: "accepted" }, replayed("k")]);
  expect(bench.store.recipients(again.head.id)).toEqual([]);
  expect(bench.events().filter(({ type }) => type === "email.sent")).toHaveLength(1);
  expect(bench.queue.health().pendingRecipients).toBe(1);
});

test("of two in one commit the first is stored", () => {
  const bench = createBench();
  const told = [letter(), letter()].map((one) => hand(bench, [one], once("k")));
  const other = hand(bench, [letter()], once("k", "another request"));
  const free = hand(bench, [letter()], once("l"));
  bench.run();
  expect([...told, other, free].map(({ answer }) => answer?.kind)).toEqual([
    "accepted",
    "replayed",
    "mismatch",
    "accepted",
  ]);
  expect(bench.sent).toHaveLength(2);
});

test("the spool files of a request that came before are dropped, and those of the first are not", () => {
  const bench = createBench();
  hand(bench, [letter(["a@example.com"], "one.eml")], once("k"));
  bench.run();
  hand(bench, [letter(["a@example.com"], "two.eml")], once("k"));
  hand(bench, [letter(["a@example.com"], "three.eml")], once("k", "another request"));
  bench.run();
  expect(bench.dropped).toEqual(["two.eml", "three.eml"]);
});

test("a request that is refused does not use its key up: a full disk, a full queue, a drain", () => {
  const bench = createBench({ queueMessagesMax: 1 });
  bench.disk.fail(["full"]);
  const onFullDisk = hand(bench, [letter()], once("k"));
  bench.run();
  bench.run(HOUR);
  const many = Array.from({ length: 2 }, () => letter());
  const onFullQueue = hand(bench, many, once("k"));
  bench.run();
  const taken = hand(bench, [letter()], once("k"));
  bench.run();
  bench.queue.drain();
  const whileDraining = hand(bench, [letter()], once("l"));
  expect([onFullDisk, onFullQueue, taken, whileDraining].map(({ answer }) => answer)).toMatchObject(
    [
      { kind: "refused", why: "disk_low" },
      { kind: "refused", why: "queue_full" },
      { kind: "accepted" },
      { kind: "refused", why: "draining" },
    ],
  );
  expect(bench.store.findOnce("l")).toBeUndefined();
});

test("a call without messages asks, needs no room and changes nothing", () => {
  const bench = createBench({ queueMessagesMax: 1 });
  const before = hand(bench, [], once("k"));
  bench.run();
  hand(bench, [letter()], once("k"));
  bench.run();
  bench.queue.pressure({ freeBytes: 0, walBytes: 0 });
  const after = hand(bench, [], once("k"));
  const other = hand(bench, [], once("k", "another request"));
  bench.run();
  expect([before, after, other].map(({ answer }) => answer)).toEqual([
    { kind: "accepted" },
    replayed("k"),
    { kind: "mismatch" },
  ]);
});

test("recipients that were suppressed the first time are told again", () => {
  const bench = createBench();
  const address = "gone@example.com";
  const why = { origin: "manual", source: null, reason: "", at: START } as const;
  bench.store.transaction(() => bench.store.suppress({ address, ...why }));
  const messages = () => [letter(), letter(["b@example.com", address])];
  const first = hand(bench, messages(), once("k"));
  bench.run();
  bench.store.transaction(() => bench.store.unsuppress(address));
  const second = hand(bench, messages(), once("k"));
  bench.run();
  const suppressed = [{ message: 1, n: 1 }];
  expect(first.answer).toEqual({ kind: "accepted", suppressed });
  expect(second.answer).toEqual({ ...replayed("k"), suppressed } as AcceptAnswer);
});
