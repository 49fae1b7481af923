// A limit that a sender asked for is kept to the second, whatever its mail waits for.
import { expect, test } from "bun:test";
import { noLog } from "../../src/base/log.ts";
import { createDeadlines } from "../../src/queue/deadlines.ts";
import { createSources } from "../../src/queue/sources.ts";
import type { QueueStore, Walked } from "../../src/queue/store.ts";
import { newTurn } from "../../src/queue/launch.ts";
import { type Bench, createBench, DAY, HOUR, MINUTE, START } from "./bench.ts";
import { onEachHome } from "./eachHome.ts";

const SECOND = 1000;
const LIMIT = 10 * SECOND;
const cold = { address: "198.51.100.1", ehlo: null, weight: 1, warmup: true };

/** The site's first mail fails so that the site is paused. */
function pauseBy(bench: Bench, verdict: Parameters<Bench["settle"]>[1]): void {
  bench.submit();
  bench.run();
  bench.settle(bench.sent.at(-1)!, { kind: "deferred", scope: "site", class: "rate", ...verdict });
  bench.run();
}

function order(bench: Bench, verb: Parameters<Bench["order"]>[0]): void {
  bench.order(verb);
  bench.run();
}

/** Waits so far that the limit is over, and not until anything else happens. */
function expectToldInTime(bench: Bench, id: number, forMs = LIMIT): void {
  const from = bench.clock.now();
  bench.run(forMs - SECOND);
  expect(bench.recipient(id).state.at).not.toBe("expired");
  bench.run(2 * SECOND);
  const { state } = bench.recipient(id);
  expect(state.at).toBe("expired");
  if (state.at === "expired") expect(state.endedAt - from).toBeLessThanOrEqual(forMs + SECOND / 2);
  expect(bench.events().at(-1)).toMatchObject({ type: "email.failed", message: id });
  expect(bench.timeline(id).at(-1)).toMatchObject({ kind: "note", note: "expired" });
}

const limited = (bench: Bench, limitMs = LIMIT): number =>
  bench.submit({ expiresAt: bench.clock.now() + limitMs });

onEachHome((create) => {
  test("is kept while the site's provider wants a pause", () => {
    const bench = create();
    pauseBy(bench, { pause: { rule: "google.rate", forMs: HOUR } });
    expectToldInTime(bench, limited(bench));
  });

  test("is kept while the site is given time", () => {
    const bench = create();
    pauseBy(bench, { retryAfterMs: HOUR });
    expectToldInTime(bench, limited(bench));
  });

  test("of the mail that paused its site is kept", () => {
    const bench = create();
    const id = limited(bench);
    bench.run();
    bench.settle(bench.sent[0]!, {
      ...{ kind: "deferred", scope: "site", class: "rate" },
      pause: { rule: "google.rate", forMs: HOUR },
    });
    expectToldInTime(bench, id);
  });

  test("is kept by mail that came back uncounted to a paused site", () => {
    const bench = create();
    const id = limited(bench);
    pauseBy(bench, { retryAfterMs: HOUR });
    bench.settle(bench.sent[0]!, { kind: "interrupted" });
    expectToldInTime(bench, id);
  });

  test("that goes by while the mail is with a sender holds when it comes back", () => {
    const bench = create();
    const id = limited(bench);
    pauseBy(bench, { retryAfterMs: HOUR });
    bench.run(MINUTE);
    bench.settle(bench.sent[0]!, { kind: "interrupted" });
    bench.run(SECOND);
    expect(bench.recipient(id).state.at).toBe("expired");
  });

  for (const which of [
    { by: "site", name: "example.com" },
    { by: "domain", name: "example.com" },
    { by: "all" },
  ] as const)
    test(`is kept while an operator has paused ${which.by}`, () => {
      const bench = create();
      const before = bench.submit({ dueAt: START + MINUTE, expiresAt: START + 2 * MINUTE });
      bench.run();
      order(bench, { do: "queue.pause", span: which });
      expectToldInTime(bench, limited(bench));
      bench.run(2 * MINUTE);
      expect(bench.recipient(before).state.at).toBe("expired");
    });

  test("is kept while an operator holds the message", () => {
    const bench = create();
    pauseBy(bench, { retryAfterMs: HOUR });
    const id = limited(bench);
    bench.run();
    order(bench, { do: "queue.hold", which: { by: "message", message: id } });
    expect(bench.recipient(id).state.at).toBe("held");
    expectToldInTime(bench, id);
  });

  test("is kept while our addresses have sent there what they may today", () => {
    const bench = create({}, (store: QueueStore) =>
      createSources({
        settings: { sources: [cold], bySender: new Map() },
        ...{ log: noLog, roll: () => 0.5, recall: store.recallOne },
      }),
    );
    for (let i = 0; i < 60; i++) bench.submit();
    bench.run(MINUTE);
    for (const sent of bench.sent.splice(0)) bench.settle(sent, { kind: "delivered" });
    bench.run(MINUTE);
    expectToldInTime(bench, limited(bench));
  });

  test("is known again after a kill, of mail that waits and of mail that is held", () => {
    const bench = create();
    pauseBy(bench, { pause: { rule: "google.rate", forMs: HOUR } });
    const held = limited(bench, MINUTE);
    const waits = limited(bench, MINUTE);
    bench.run();
    order(bench, { do: "queue.hold", which: { by: "message", message: held } });
    bench.restart();
    bench.run(MINUTE - SECOND);
    expect(bench.recipient(waits).state.at).toBe("queued");
    bench.run(2 * SECOND);
    for (const id of [held, waits]) expect(bench.recipient(id).state.at).toBe("expired");
  });

  test("is known again of mail that a dead process had leased", () => {
    const bench = create();
    const id = limited(bench, MINUTE);
    bench.run();
    expect(bench.recipient(id).state.at).toBe("sending");
    order(bench, { do: "queue.pause", span: { by: "all" } });
    bench.restart();
    bench.run(MINUTE + SECOND);
    expect(bench.recipient(id).state.at).toBe("expired");
  });

  test("that nobody asked for is not kept early: a lifetime ends with an attempt", () => {
    const bench = create();
    order(bench, { do: "queue.pause", span: { by: "site", name: "example.com" } });
    const id = bench.submit();
    bench.run(30 * DAY);
    expect(bench.recipient(id).state.at).toBe("queued");
  });

  test("gives way to the new life that an operator gave", () => {
    const bench = create();
    bench.store.keep({ deadMs: DAY, all: false });
    const id = limited(bench, 10 * MINUTE);
    bench.run();
    bench.settle(bench.sent[0]!, { kind: "deferred", class: "mailbox" });
    bench.run(2 * MINUTE);
    bench.settle(bench.sent[1]!, { kind: "failed", class: "mailbox" });
    bench.run();
    order(bench, { do: "queue.retry", message: id });
    order(bench, { do: "queue.pause", span: { by: "site", name: "example.com" } });
    bench.settle(bench.sent[2]!, { kind: "interrupted" });
    bench.run(20 * MINUTE);
    expect(bench.recipient(id).state.at).toBe("queued");
  });
}, "a limit ");

test("a limit that meets a full disk is kept once there is room", () => {
  const bench = createBench();
  pauseBy(bench, { retryAfterMs: HOUR });
  const id = limited(bench);
  bench.run(LIMIT - SECOND);
  bench.disk.fail(["full"]);
  bench.run(1200);
  expect(bench.recipient(id).state.at).toBe("queued");
  bench.run(2 * SECOND);
  expect(bench.recipient(id).state.at).toBe("expired");
  expect(bench.events().filter(({ type }) => type === "email.failed")).toHaveLength(1);
});

test("what waits for a limit far away costs no look before it", () => {
  const bench = createBench();
  order(bench, { do: "queue.pause", span: { by: "all" } });
  limited(bench, HOUR);
  bench.run(MINUTE);
  const until = bench.clock.monotonicMs() + 50 * MINUTE;
  let steps = 0;
  while (bench.clock.step(until)) steps++;
  expect(steps).toBeLessThan(50);
});

test("of more limits than are remembered the earliest are known, and the others found in their turn", () => {
  const waiting = new Map(Array.from({ length: 1000 }, (_, i) => [i + 1, ((i * 7919) % 1000) + 1]));
  const expired: number[] = [];
  const row = (message: number): Walked => ({
    ...{ message, n: 0, site: 1, priority: 1, dueAt: 0, address: "a@example.com" },
    state: { at: "queued", dueAt: 0, attempts: 0 },
    expiresAt: waiting.get(message) ?? null,
  });
  const deadlines = createDeadlines(
    {
      walk: (which, { after, limit }) =>
        which === "held"
          ? []
          : [...waiting.keys()]
              .filter((id) => id > (after?.message ?? 0))
              .slice(0, limit)
              .map(row),
      recipients: (message) => (waiting.has(message) ? [{ ...row(message), timeline: "" }] : []),
      traceOf: () => undefined,
      expiresAt: (message) => waiting.get(message) ?? null,
      settle: ({ message }) => (expired.push(message), waiting.delete(message)),
    },
    { leapt: () => 0 },
    { knownMax: 64 },
  );
  const due = new Map(waiting);
  for (let wall = 0, mono = 0; wall <= 1010; wall++)
    // The search takes its time, and the clock of the limits stands meanwhile.
    for (let look = 0; look < 8; look++) {
      mono += 100;
      const now = { wall, due: wall, mono };
      deadlines.look(now);
      while (deadlines.hasWork(now)) {
        const options = { dispatching: false, held: false, leaseUntil: 0, claimsLeft: 0 };
        const turn = newTurn({ now, ...options });
        deadlines.run(turn);
        deadlines.committed();
      }
      for (const message of expired.splice(0))
        if (due.get(message) !== wall) throw new Error(`${message} expired at ${wall}`);
    }
  expect(waiting.size).toBe(0);
});
