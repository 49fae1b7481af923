// Who reads when, of many large bodies at a time.
import { expect, test } from "bun:test";
import { createTurns, CROWD_MAX, READING_MAX, type Turn } from "../../src/submit/turns.ts";

function stage() {
  let nowMs = 0;
  const turns = createTurns({ monotonicMs: () => nowMs });
  const enter = (): Turn => {
    const turn = turns.enter();
    if (turn === undefined) throw new Error("there is room");
    return turn;
  };
  return { turns, enter, pass: (ms: number) => void (nowMs += ms) };
}

test("a few read at once, the rest in order as others leave", async () => {
  const { enter } = stage();
  const first = Array.from({ length: READING_MAX }, enter);
  for (const one of first) expect(one.take()).toBeUndefined();
  const order: number[] = [];
  const late = [enter(), enter()];
  const waits = late.map((one, i) => one.take()?.then(() => order.push(i)));
  await Promise.resolve();
  expect(order).toEqual([]);
  first[0]?.leave();
  first[1]?.leave();
  await Promise.all(waits);
  expect(order).toEqual([0, 1]);
  for (const one of [...first, ...late]) one.leave();
  const again = Array.from({ length: READING_MAX }, enter);
  for (const one of again) expect(one.take()).toBeUndefined();
});

test("who has read long lets others go first, and goes on alone at once", async () => {
  const { enter, pass } = stage();
  const [first, ...others] = Array.from({ length: READING_MAX }, enter);
  for (const one of [first, ...others]) one?.take();
  pass(1000);
  expect(first?.take()).toBeUndefined();
  const late = enter();
  const wait = late.take();
  const back = first?.take();
  expect(back).toBeInstanceOf(Promise);
  await wait;
  others[0]?.give();
  await back;
});

test("beyond a bound nobody else comes in", () => {
  const { turns, enter } = stage();
  const all = Array.from({ length: CROWD_MAX }, enter);
  expect(turns.enter()).toBeUndefined();
  all[0]?.leave();
  all[0]?.leave();
  expect(turns.enter()).toBeDefined();
  expect(turns.enter()).toBeUndefined();
});

test("the collector runs now and then while bodies come", () => {
  let runs = 0;
  const turns = createTurns({ monotonicMs: () => 0 }, () => void runs++);
  const turn = turns.enter();
  for (let i = 0; i < 100; i++) turn?.came(1_000_000);
  expect(runs).toBe(3);
});
