// What ends in the queue, without a sender, is told to whoever makes traces of it: after the commit, with the trace that it belongs to.
import { expect, test } from "bun:test";
import type { Untried } from "../../src/queue/routing.ts";
import { createBench } from "./bench.ts";

const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const MINUTE = 60_000;

function createStage() {
  const told: { recipient: Parameters<Untried>[0]; waited: boolean; kind: string }[] = [];
  const bench = createBench({}, 1, undefined, {
    untried: (recipient, lookup, { kind }) =>
      void told.push({ recipient, waited: lookup !== undefined, kind }),
  });
  return { bench, told };
}

test("a domain that is not there is a failure, told with the trace of its message", () => {
  const { bench, told } = createStage();
  bench.routes.set("example.com", {
    ...{ kind: "refused", enhanced: "5.1.2", text: "no such domain", freshUntil: Infinity },
  });
  const message = bench.submit({ to: ["a@example.com"], trace: TRACE });
  bench.run(1_000);
  expect(told).toMatchObject([
    { recipient: { message, n: 0, address: "a@example.com", trace: TRACE }, kind: "failed" },
  ]);
});

test("a resolver that says nothing is a deferral", () => {
  const { bench, told } = createStage();
  bench.routes.set("example.com", { kind: "unknown", text: "SERVFAIL" });
  bench.submit({ to: ["a@example.com"] });
  bench.run(1_000);
  expect(told.map(({ kind }) => kind)).toEqual(["deferred"]);
  expect(told[0]?.recipient.trace).toBeUndefined();
});

test("mail that expires while it waits is told with its trace, read back from the store", () => {
  const { bench, told } = createStage();
  bench.order({ do: "queue.pause", span: { by: "all" } });
  const expiresAt = bench.clock.now() + 5 * MINUTE;
  const message = bench.submit({ to: ["a@example.com"], expiresAt, trace: TRACE });
  bench.run(1_000);
  bench.restart();
  bench.run(10 * MINUTE);
  expect(told).toMatchObject([{ recipient: { message, trace: TRACE }, kind: "failed" }]);
  expect(bench.recipient(message).state.at).toBe("expired");
});

test("what goes to a sender is told by the sender", () => {
  const { bench, told } = createStage();
  bench.submit({ to: ["a@example.com"] });
  bench.run(1_000);
  expect([bench.sent.length, told.length]).toEqual([1, 0]);
});
