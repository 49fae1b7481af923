import { expect, test } from "bun:test";
import type { Clock } from "../../src/base/clock.ts";
import type { Answer, Query } from "../../src/mail/query.ts";
import { createAsker } from "../../src/roles/asker.ts";

function setUp() {
  const posted: Query[] = [];
  const timers: (() => void)[] = [];
  const clock: Clock = {
    now: () => 0,
    monotonicMs: () => 0,
    soon: (run) => run(),
    after: (_, run) => {
      timers.push(run);
      return { cancel: () => void timers.splice(timers.indexOf(run), 1) };
    },
  };
  const asker = createAsker<Query, Answer>({
    clock,
    busy: { kind: "busy" },
    post: (_number, said) => void posted.push(said),
  });
  return { posted, timers, asker };
}

test("answers find their questions in any order", async () => {
  const { asker, timers } = setUp();
  const first = asker.ask({ ask: "queue" });
  const second = asker.ask({ ask: "email", id: "x" });
  asker.answered(2, { kind: "missing" });
  asker.answered(1, { kind: "found", view: 7 });
  expect(await first).toEqual({ kind: "found", view: 7 });
  expect(await second).toEqual({ kind: "missing" });
  expect(timers).toEqual([]);
});

test("a question without an answer ends as busy, and its late answer is ignored", async () => {
  const { asker, timers } = setUp();
  const asked = asker.ask({ ask: "queue" });
  timers[0]?.();
  expect(await asked).toEqual({ kind: "busy" });
  asker.answered(1, { kind: "missing" });
});

test("when the reader is lost all open questions end as busy", async () => {
  const { asker } = setUp();
  const asked = [asker.ask({ ask: "queue" }), asker.ask({ ask: "queue" })];
  asker.lost();
  expect(await Promise.all(asked)).toEqual([{ kind: "busy" }, { kind: "busy" }]);
});

test("too many open questions are refused at once", async () => {
  const { asker, posted } = setUp();
  for (let i = 0; i < 1000; i++) void asker.ask({ ask: "queue" });
  expect(await asker.ask({ ask: "queue" })).toEqual({ kind: "busy" });
  expect(posted.length).toBe(1000);
});
