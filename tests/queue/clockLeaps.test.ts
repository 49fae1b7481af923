// A clock that leaps: what a sender asked for - a time to send, a limit to live - neither runs out all at once nor waits for ever.
import { expect, test } from "bun:test";
import { type Bench, DAY, HOUR, MINUTE } from "./bench.ts";
import { onEachHome } from "./eachHome.ts";

const YEAR = 365 * DAY;

onEachHome((create) => {
  const stateOf = (bench: Bench, id: number): string => bench.recipient(id).state.at;
  const limited = (bench: Bench, limitMs = HOUR): number =>
    bench.submit({ expiresAt: bench.clock.now() + limitMs });
  /** Fails once, so that it waits for its next attempt. */
  const waiting = (bench: Bench, limitMs = HOUR): number => {
    const id = limited(bench, limitMs);
    bench.run();
    bench.settle(bench.sent.at(-1)!, { kind: "deferred", scope: "recipient", class: "other" });
    bench.run();
    return id;
  };
  const hold = (bench: Bench, id: number): void => {
    bench.order({ do: "queue.hold", which: { by: "message", message: id } });
    bench.run();
  };
  const expectItEndsAfter = (bench: Bench, id: number, leftMs: number): void => {
    bench.run(leftMs - MINUTE);
    expect(stateOf(bench, id)).toBe("held");
    bench.run(3 * MINUTE);
    expect(stateOf(bench, id)).toBe("expired");
  };

  test("a year forward ends no limit of a sender: it has its time by the clock that never leaps", () => {
    const bench = create();
    const id = waiting(bench);
    hold(bench, id);
    bench.clock.jump(YEAR);
    expectItEndsAfter(bench, id, HOUR);
  });

  test("what waits for its attempt gets it after a year forward", () => {
    const bench = create();
    const id = waiting(bench);
    bench.clock.jump(YEAR);
    bench.run(MINUTE);
    expect(bench.sent).toHaveLength(2);
    bench.settle(bench.sent[1]!, { kind: "delivered" });
    bench.run();
    expect(stateOf(bench, id)).toBe("delivered");
  });

  test("a verdict after a year forward does not end it either", () => {
    const bench = create();
    const id = limited(bench);
    bench.run();
    bench.clock.jump(YEAR);
    bench.settle(bench.sent[0]!, { kind: "deferred", scope: "recipient", class: "other" });
    bench.run();
    expect(stateOf(bench, id)).toBe("deferred");
  });

  test("a year forward and back leaves the limit where it was", () => {
    const bench = create();
    const id = waiting(bench);
    hold(bench, id);
    bench.clock.jump(YEAR);
    bench.run(MINUTE);
    bench.clock.jump(-YEAR);
    expectItEndsAfter(bench, id, HOUR - MINUTE);
  });

  test("it holds through a restart", () => {
    const bench = create();
    const id = waiting(bench);
    hold(bench, id);
    bench.clock.jump(YEAR);
    bench.run(MINUTE);
    bench.restart();
    expectItEndsAfter(bench, id, HOUR - MINUTE);
  });

  test("a limit that was asked for after the leap counts by the clock as it is", () => {
    const bench = create();
    bench.submit();
    bench.run();
    bench.clock.jump(YEAR);
    bench.run(MINUTE);
    const id = waiting(bench);
    hold(bench, id);
    bench.run(HOUR + MINUTE);
    expect(stateOf(bench, id)).toBe("expired");
  });

  test("a domain whose MX records lead nowhere has its hours to mend them, also over a leap and a night's sleep", () => {
    for (const byMs of [YEAR, 9 * HOUR]) {
      const bench = create();
      const nowhere = {
        kind: "unknown",
        bounces: "5.4.4",
        text: "no host has an address",
      } as const;
      bench.routes.set("example.com", nowhere);
      const id = bench.submit();
      bench.run(MINUTE);
      bench.clock.jump(byMs);
      bench.run(3 * HOUR);
      expect(stateOf(bench, id)).toBe("deferred");
      bench.run(3 * HOUR);
      expect(stateOf(bench, id)).toBe("bounced");
    }
  });

  test("a night's sleep counts: a code is of no use the next morning", () => {
    const bench = create();
    const id = waiting(bench);
    hold(bench, id);
    bench.clock.jump(9 * HOUR);
    bench.run(MINUTE);
    expect(stateOf(bench, id)).toBe("expired");
  });

  test("a day back makes no limit run out and none endless", () => {
    const bench = create();
    const [old, later] = [waiting(bench), bench.submit({ dueAt: bench.clock.now() + HOUR })];
    hold(bench, old);
    bench.run();
    bench.clock.jump(-DAY);
    const young = waiting(bench);
    hold(bench, young);
    bench.run(HOUR - 5 * MINUTE);
    expect([stateOf(bench, old), stateOf(bench, young)]).toEqual(["held", "held"]);
    bench.run(10 * MINUTE);
    expect(stateOf(bench, young)).toBe("expired");
    expect(stateOf(bench, later)).toBe("sending");
    bench.run(DAY);
    expect(stateOf(bench, old)).toBe("expired");
  });

  test("mail that is scheduled after a day back waits its hour, no day and no moment", () => {
    const bench = create();
    bench.submit();
    bench.run();
    bench.clock.jump(-DAY);
    bench.run();
    const id = bench.submit({ dueAt: bench.clock.now() + HOUR });
    bench.run(HOUR - MINUTE);
    expect(stateOf(bench, id)).toBe("scheduled");
    bench.run(2 * MINUTE);
    expect(stateOf(bench, id)).toBe("sending");
  });

  test("a year forward releases what was scheduled for a time before it, and nothing later", () => {
    const bench = create();
    const soon = bench.submit({ dueAt: bench.clock.now() + DAY });
    bench.run();
    bench.clock.jump(YEAR);
    const late = bench.submit({ dueAt: bench.clock.now() + HOUR });
    bench.run(MINUTE);
    expect([stateOf(bench, soon), stateOf(bench, late)]).toEqual(["sending", "scheduled"]);
    bench.clock.jump(-YEAR);
    bench.run(HOUR);
    expect(stateOf(bench, late)).toBe("sending");
  });
});
