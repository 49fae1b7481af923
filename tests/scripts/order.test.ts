import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { ORDER_FILE } from "../../scripts/build.ts";
import { functionsOf } from "../../scripts/order.ts";

test("of a record of a run the functions are kept, in their order", () => {
  const record = "v2\nF 017fa98a4f76b86d\nS 10\nF 0000000000000001\nK 5\nM 0199adc6a6adf389\n";
  expect(functionsOf(record)).toBe("v2\nF 017fa98a4f76b86d\nF 0000000000000001\n");
});

test("the record that the build uses holds nothing else", () => {
  const kept = readFileSync(ORDER_FILE, "utf8");
  expect(functionsOf(kept)).toBe(kept);
  expect(kept.split("\n").length).toBeGreaterThan(1000);
});
