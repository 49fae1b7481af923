// Idempotency keys against a model: whatever is asked, together or apart, with full disks, kills and forgetting between, each call is
// answered as a map of keys would.
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { AcceptAnswer, Once } from "../../src/mail/submission.ts";
import { createBench, HOUR, START } from "./bench.ts";
import { hand, letter } from "./onceCalls.ts";
import { sqliteHome } from "./store.homes.ts";

const RUNS = 60;
const TEST_MS = 60_000;

const call = fc.record({
  key: fc.constantFrom(undefined, "k", "l", "m"),
  request: fc.constantFrom("r", "r", "s"),
  /** None: it only asks. */
  messages: fc.constantFrom(0, 1, 1, 2),
});
const turn = fc.record({
  calls: fc.array(call, { minLength: 1, maxLength: 4 }),
  full: fc.constantFrom(false, false, true),
  then: fc.constantFrom("go on" as const, "kill" as const, "trim" as const, "forget" as const),
});
type Turn = typeof turn extends fc.Arbitrary<infer T> ? T : never;

test.each(["memory", "SQLite"])(
  "the queue in %s answers as a map of keys would",
  (where) => {
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 10 }), (turns) => {
        const home = where === "SQLite" ? sqliteHome({ ringFewest: 8 }) : undefined;
        try {
          const { said, stored } = play(turns, home);
          const model = predict(turns, home === undefined);
          expect({ said, stored }).toEqual(model);
        } finally {
          home?.remove();
        }
      }),
      { numRuns: RUNS },
    );
  },
  TEST_MS,
);

const refused = expect.objectContaining({ kind: "refused", why: "disk_low" }) as AcceptAnswer;

function onceOf(one: Turn["calls"][number], number: number): Once | undefined {
  const { key, request } = one;
  return key === undefined ? undefined : { key, request, answer: `answer ${number}` };
}

function play(turns: readonly Turn[], home: ReturnType<typeof sqliteHome> | undefined) {
  const bench = createBench({}, 1, undefined, home === undefined ? {} : { home });
  const said: (AcceptAnswer | undefined)[] = [];
  let number = 0;
  for (const { calls, full, then } of turns) {
    if (full && home === undefined) bench.disk.fail(["full"]);
    const told = calls.map((one) =>
      hand(
        bench,
        Array.from({ length: one.messages }, () => letter()),
        onceOf(one, number++),
      ),
    );
    bench.run();
    // Time for a disk that was full.
    if (full) bench.run(HOUR);
    said.push(...told.map(({ answer }) => answer));
    if (then === "kill") bench.restart();
    if (then === "trim" || then === "forget") {
      const before = then === "trim" ? START : Infinity;
      const wish = { before, now: bench.clock.now(), bytesMax: 1e9, limit: 100 };
      bench.store.transaction(() => bench.store.trimOnces(wish));
    }
  }
  const stored = bench.events().filter(({ type, n }) => type === "email.sent" && n === -1).length;
  if (home !== undefined) bench.store.close();
  return { said, stored };
}

function predict(turns: readonly Turn[], mayFail: boolean) {
  const kept = new Map<string, Once>();
  const said: AcceptAnswer[] = [];
  let stored = 0;
  let number = 0;
  const answerTo = (one: Turn["calls"][number], once: Once | undefined): AcceptAnswer => {
    const before = once === undefined ? undefined : kept.get(once.key);
    if (before !== undefined)
      return before.request === one.request
        ? { kind: "replayed", answer: before.answer }
        : { kind: "mismatch" };
    if (once !== undefined && one.messages > 0) kept.set(once.key, once);
    stored += one.messages;
    return { kind: "accepted" };
  };
  for (const { calls, full, then } of turns) {
    for (const one of calls) {
      const once = onceOf(one, number++);
      if (full && mayFail) said.push(refused);
      else said.push(answerTo(one, once));
    }
    if (then === "forget") kept.clear();
  }
  return { said, stored };
}
