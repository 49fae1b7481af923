// A cancel of a message with several recipients: those past their final dot are told one by one, and their timelines say what became
// of them.
import { expect, test } from "bun:test";
import { createBench } from "./bench.ts";

const to = ["a@one.example", "b@two.example", "c@three.example"];

test("of a message that is being sent each recipient is told where it stands", () => {
  const bench = createBench();
  const message = bench.submit({ to });
  bench.run();
  const [first, second, third] = bench.sent;
  bench.settle(first!, { kind: "delivered" }, 0);
  bench.run();
  const told = bench.order({ do: "queue.cancel", message });
  bench.run();
  bench.queue.recalled([{ message, places: [1] }]);
  expect(told.answer).toBeUndefined();
  bench.settle(third!, { kind: "interrupted" }, 2);
  bench.run();
  expect(told.answer).toMatchObject({
    kind: "done",
    value: {
      canceled: 1,
      unchanged: 2,
      recipients: [
        { address: "a@one.example", status: "delivered" },
        { address: "b@two.example", status: "sending" },
        { address: "c@three.example", status: "canceled" },
      ],
    },
  });
  bench.settle(second!, { kind: "delivered" }, 1);
  bench.run();
  const ends = bench.events().filter(({ n }) => n >= 0);
  expect(ends.map(({ n, type }) => [n, type])).toEqual([
    [0, "email.delivered"],
    [2, "email.canceled"],
    [1, "email.delivered"],
  ]);
  expect(bench.timeline(message, 2)).toMatchObject([{ kind: "note", note: "canceled" }]);
  expect(bench.timeline(message, 1)).toMatchObject([{ kind: "attempt", outcome: "delivered" }]);
});

test("where none can be canceled the refusal names each and its state", () => {
  const bench = createBench();
  const message = bench.submit({ to: to.slice(0, 2) });
  bench.run();
  bench.settle(bench.sent[0]!, { kind: "delivered" }, 0);
  bench.run();
  const told = bench.order({ do: "queue.cancel", message });
  bench.run();
  bench.queue.recalled([{ message, places: [1] }]);
  expect(told.answer).toMatchObject({
    name: "not_cancelable",
    detail:
      "a@one.example is delivered; b@two.example is sending, and its last octet has been sent.",
  });
});

test("a hold tells the same of those that it came too late for", () => {
  const bench = createBench();
  const message = bench.submit({ to: to.slice(0, 2) });
  bench.run();
  bench.settle(bench.sent[0]!, { kind: "delivered" }, 0);
  bench.settle(bench.sent[1]!, { kind: "deferred" }, 1);
  bench.run();
  const told = bench.order({ do: "queue.hold", which: { by: "message", message } });
  bench.run();
  expect(told.answer).toMatchObject({
    value: { held: 1, unchanged: 1, recipients: [{ status: "delivered" }, { status: "held" }] },
  });
});
