// What untrusted input can do to the parsers, so that it is bounded before them.
import { expect, test } from "bun:test";
import { z } from "zod";

test("JSON nested 10,000 deep is parsed, and overflows the stack of zod", () => {
  const depth = 10_000;
  const value: unknown = JSON.parse("[".repeat(depth) + "]".repeat(depth));
  expect(() => z.json().safeParse(value)).toThrow(RangeError);
});
