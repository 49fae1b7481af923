import { heapStats } from "bun:jsc";
import { expect, test } from "bun:test";
import { createBudget } from "../../src/submit/budget.ts";
import { createGathered } from "../../src/submit/gathered.ts";
import { systemClock } from "../../src/base/clock.ts";
import { readWhole } from "../../src/submit/chunks.ts";
import type { Spool } from "../../src/submit/spool.ts";
import { createHolder } from "../../src/submit/raw.ts";
import { createMailDigest } from "../../src/submit/smtp/sameMail.ts";
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

test("so is raw mail, in the order in which it came", async () => {
  const unused = () => Promise.reject(new Error("none is needed"));
  const holder = createHolder({ create: unused } as unknown as Spool);
  const digest = createMailDigest();
  const before = arrays();
  const octets = [Buffer.from("a"), Buffer.from("b")];
  const large = Buffer.alloc(2000, "x");
  void holder.add([Buffer.from("header")], true);
  for (let i = 0; i < 50_000; i++) {
    const octet = octets[i % 2] ?? large;
    void holder.add([octet]);
    digest.add(octet, null);
    if (i === 9) void holder.add([large]);
  }
  expect(arrays() - before).toBeLessThan(1000);
  void holder.seal();
  const text = `header${"ab".repeat(5)}${large.toString()}${"ab".repeat(24_995)}`;
  expect(Buffer.from(holder.bytes() ?? []).toString()).toBe(text);
});

test("so is a body that is read whole", async () => {
  let left = 20_000;
  let seen = 0;
  const before = arrays();
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(Uint8Array.of(97 + (left % 26)));
      if (--left > 0) return;
      seen = arrays() - before;
      controller.close();
    },
  });
  const read = await readWhole(
    new Request("http://door.test/", { method: "POST", body }),
    1_000_000,
    systemClock,
  );
  expect(read.kind === "ok" && read.value.length).toBe(20_000);
  expect(seen).toBeLessThan(1000);
});
