// Mail for later: its life begins at its release, whatever became of that, and never ends before it.
import { expect, test } from "bun:test";
import type { Which } from "../../src/mail/command.ts";
import { type Bench, DAY, HOUR, MINUTE } from "./bench.ts";
import { onEachHome } from "./eachHome.ts";

onEachHome((create) => {
  const stateOf = (bench: Bench, id: number): string => bench.recipient(id).state.at;
  const fail = (bench: Bench): void => {
    for (const sent of bench.sent.splice(0))
      bench.settle(sent, { kind: "deferred", scope: "recipient", class: "other" });
  };
  const move = (bench: Bench, id: number, dueAt: number) => {
    const told = bench.order({ do: "queue.reschedule", message: id, dueAt });
    bench.run();
    return told.answer;
  };

  test("what is scheduled beyond a lifetime is tried for all of one after its release", () => {
    const bench = create();
    const id = bench.submit({ dueAt: bench.clock.now() + 30 * DAY });
    bench.run(30 * DAY + MINUTE);
    const releasedAt = bench.clock.now();
    fail(bench);
    bench.run(MINUTE);
    expect(stateOf(bench, id)).toBe("deferred");
    while (stateOf(bench, id) !== "expired") {
      bench.run(HOUR);
      fail(bench);
      if (bench.clock.now() - releasedAt > 10 * DAY) break;
    }
    const days = (bench.clock.now() - releasedAt) / DAY;
    expect([stateOf(bench, id), Math.round(days)]).toEqual(["expired", 5]);
  });

  test("so it is when it was moved there, and after a restart", () => {
    const bench = create();
    const id = bench.submit({ dueAt: bench.clock.now() + HOUR });
    bench.run();
    expect(move(bench, id, bench.clock.now() + 60 * DAY)?.kind).toBe("done");
    bench.restart();
    bench.run(60 * DAY + MINUTE);
    fail(bench);
    bench.run(DAY);
    expect(stateOf(bench, id)).not.toBe("expired");
  });

  test("it cannot be moved behind the limit that its sender set", () => {
    const bench = create();
    const now = bench.clock.now();
    const id = bench.submit({ dueAt: now + HOUR, expiresAt: now + 2 * HOUR });
    bench.run();
    expect(move(bench, id, now + 2 * HOUR)).toMatchObject({ kind: "invalid" });
    expect(move(bench, id, now + 2 * HOUR - MINUTE)?.kind).toBe("done");
    bench.run(2 * HOUR - MINUTE / 2);
    expect(stateOf(bench, id)).toBe("sending");
  });

  test("held, it gets another time and stays held; released, it waits for that", () => {
    const bench = create();
    const [soon, later] = [bench.clock.now() + HOUR, bench.clock.now() + DAY];
    const id = bench.submit({ dueAt: soon, to: ["a@one.example", "b@two.example"] });
    bench.run();
    const one = { by: "domain", name: "one.example" } as const;
    bench.order({ do: "queue.hold", which: one });
    bench.run();
    expect(move(bench, id, later)?.kind).toBe("done");
    expect(bench.recipient(id, 0).state).toEqual({ at: "held", attempts: 0 });
    expect(bench.recipient(id, 1).state).toEqual({ at: "scheduled", dueAt: later });
    expect(bench.timeline(id, 0).at(-1)).toMatchObject({
      note: "held",
      text: `still held; its time is ${new Date(later).toISOString()} now`,
    });
    expect(bench.events().slice(-2)).toMatchObject([
      { n: 0, type: "email.held" },
      { n: 1, type: "email.scheduled" },
    ]);
    bench.restart();
    bench.run(HOUR);
    bench.order({ do: "queue.release", which: one });
    bench.run(HOUR);
    expect(bench.sent).toEqual([]);
    bench.run(later - bench.clock.now());
    expect(bench.sent).toHaveLength(2);
  });

  test("what never had a time, or has been due, gets no other one by being held", () => {
    const bench = create();
    bench.order({ do: "queue.pause", span: { by: "all" } });
    const plain = bench.submit();
    const tried = bench.submit({ dueAt: bench.clock.now() + HOUR });
    const partly = bench.submit({
      dueAt: bench.clock.now() + HOUR,
      to: ["a@one.example", "b@two.example"],
    });
    bench.run();
    bench.order({ do: "queue.hold", which: { by: "domain", name: "one.example" } });
    bench.order({ do: "queue.hold", which: { by: "message", message: plain } });
    bench.order({ do: "queue.resume", span: { by: "all" } });
    bench.run(HOUR);
    fail(bench);
    bench.run();
    bench.order({ do: "queue.hold", which: { by: "message", message: tried } });
    bench.run();
    for (const id of [plain, tried, partly])
      expect(move(bench, id, bench.clock.now() + DAY)).toMatchObject({ name: "not_cancelable" });
  });

  for (const by of ["message", "all"] as const)
    test(`held and released (${by}) it waits for its time again, over a restart too`, () => {
      const bench = create();
      const which = (message: number): Which => (by === "all" ? { by } : { by, message });
      const dueAt = bench.clock.now() + DAY;
      const id = bench.submit({ dueAt });
      bench.run();
      for (const verb of ["queue.hold", "queue.release"] as const) {
        bench.order({ do: verb, which: which(id) });
        bench.run();
        expect(bench.sent).toEqual([]);
      }
      expect(bench.recipient(id).state).toEqual({ at: "scheduled", dueAt });
      bench.restart();
      bench.run(DAY - HOUR);
      expect(bench.sent).toEqual([]);
      bench.run(HOUR);
      expect(bench.sent).toHaveLength(1);
      // Behind its time it goes at once.
      const late = bench.submit({ dueAt: bench.clock.now() + 1000 });
      bench.order({ do: "queue.hold", which: which(late) });
      bench.run(2000);
      bench.order({ do: "queue.release", which: which(late) });
      bench.run();
      expect(bench.sent).toHaveLength(2);
    });
});
