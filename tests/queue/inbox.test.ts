import { expect, test } from "bun:test";
import { type Call, emptyInbox, takeFrom } from "../../src/queue/inbox.ts";

function waiting(count: number) {
  const calls = Array.from({ length: count }, (): Call => ({
    messages: [],
    answer: () => {},
    once: undefined,
  }));
  return { calls, inbox: { ...emptyInbox(), calls: [...calls] } };
}

test("few calls that wait together are written together", () => {
  for (const count of [0, 1, 31, 32]) {
    const { calls, inbox } = waiting(count);
    expect(takeFrom(inbox, 2000).calls).toEqual(calls);
    expect(inbox.calls).toEqual([]);
  }
});

test("of many calls half are written first, in their order, and none is left out", () => {
  const { calls, inbox } = waiting(200);
  const written: Call[] = [];
  const sizes: number[] = [];
  while (inbox.calls.length > 0) {
    const { calls: taken } = takeFrom(inbox, 2000);
    sizes.push(taken.length);
    written.push(...taken);
  }
  expect(sizes).toEqual([100, 50, 32, 18]);
  expect(written).toHaveLength(200);
  expect(written.every((call, i) => call === calls[i])).toBe(true);
});

test("no transaction takes more than it may", () => {
  const { inbox } = waiting(200);
  expect(takeFrom(inbox, 40).calls).toHaveLength(40);
  expect(inbox.calls).toHaveLength(160);
});
