import { heapStats } from "bun:jsc";
import { expect, test } from "bun:test";
import { createBudget } from "../../src/submit/budget.ts";
import { createGathered } from "../../src/submit/gathered.ts";
import { createFieldKeeper, createFileKeeper } from "../../src/submit/formParts.ts";

const arrays = (): number => {
  Bun.gc(true);
  const { Uint8Array: views = 0, Buffer: buffers = 0 } = heapStats().objectTypeCounts;
  return views + buffers;
};

test("what comes octet by octet is kept in one place", () => {
  const fields = createFieldKeeper(createBudget(16_000_000));
  const files = createFileKeeper({ scratch: () => Promise.reject(new Error("none is needed")) });
  fields.begin("text");
  files.begin();
  const before = arrays();
  const octet = new Uint8Array(1);
  for (let i = 0; i < 50_000; i++) {
    octet[0] = 97 + (i % 26);
    void fields.add(octet);
    void files.add(octet);
  }
  expect(arrays() - before).toBeLessThan(1000);
  expect(fields.end()).toBeUndefined();
  const text = "abcdefghijklmnopqrstuvwxyz".repeat(2000).slice(0, 50_000);
  expect(fields.values.get("text")).toEqual([text]);
  expect(Buffer.from(files.end() as Uint8Array).toString()).toBe(text);
  fields.begin("html");
  files.begin();
  expect(fields.end()).toBeUndefined();
  expect(fields.values.get("html")).toEqual([""]);
  expect(files.end()).toHaveLength(0);
});

test("what was taken may be given away, an empty one too: nobody else's place is in it", () => {
  const [first, second] = [createGathered(), createGathered()];
  (first.take().buffer as ArrayBuffer).transfer(0);
  for (const gathered of [first, second]) {
    expect(gathered.take()).toHaveLength(0);
    gathered.add(Buffer.from("octets"));
    expect(gathered.take().toString()).toBe("octets");
  }
});
