// The queue says that there is something new once for each time that it is asked to, and never before there is.
import { expect, test } from "bun:test";
import { createListening } from "../../src/roles/listening.ts";

test("the word comes once for each wish, at once where something is there already", () => {
  let last = 5;
  let words = 0;
  const listening = createListening({ lastEvent: () => last }, () => void words++);
  const after = (run: () => void): number => {
    words = 0;
    run();
    return words;
  };
  expect(after(() => (last++, listening.committed()))).toBe(0);
  expect(after(() => listening.listen(6))).toBe(0);
  expect(after(listening.committed)).toBe(0);
  expect(after(() => (last++, listening.committed()))).toBe(1);
  expect(after(() => (last++, listening.committed()))).toBe(0);
  expect(after(() => listening.listen(7))).toBe(1);
  // Of several wishes the one that is furthest back counts.
  expect(after(() => (listening.listen(9), listening.listen(8), listening.listen(20)))).toBe(0);
  expect(after(() => (last++, listening.committed(), listening.committed()))).toBe(1);
});
