// Whole numbers on the command line.
import { expect, test } from "bun:test";
import { countOf } from "../../src/commands/counts.ts";

test("a whole number is taken, and what was not given is none", () => {
  expect(countOf("--limit", "250", 1)).toBe(250);
  expect(countOf("--limit", undefined, 1)).toBeUndefined();
  expect(countOf("--burst", "0")).toBe(0);
});

test("what only looks like a number is refused with what was found", () => {
  for (const text of ["", "0", "-1", "1.5", "1e3", " 5", "0x10", "many", "9".repeat(13)])
    expect(() => countOf("--limit", text, 1)).toThrow(
      `--limit: found ${text || "nothing"}; allowed: a whole number from 1 on`,
    );
});
