// The check of messages says the same from the first message on: before it is compiled and after.
import { beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import { whenReady } from "../../src/submit/schedule.ts";
import { createMessageCheck, createMessageSchema } from "../../src/submit/schema.ts";
import { message } from "./doorFixture.ts";

const NOW = Date.UTC(2026, 10, 1);
const schema = createMessageSchema({ recipientsPerField: 3, now: () => NOW });
const compiled = createMessageCheck(schema);

beforeAll(async () => {
  await whenReady({ scheduled_at: "in 5 min" });
  for (let i = 0; i < 200; i++) compiled.safeParse(message);
});

const value = fc.oneof(
  fc.constantFrom("ada@example.org", "Ada <ada@example.org>", "a\nb", "\ud800", "p0", "p9", "5m"),
  fc.constantFrom("2026-11-02T00:00:00Z", "<>", "b+{id}@example.com", "", "never", true, 5, null),
  fc.constantFrom({ "X-Id": "7" }, { From: "x" }, { name: "a", value: "b" }, { notify: ["never"] }),
  fc.constantFrom({ filename: "a.txt", content: "aGk=" }, { filename: "a.txt", content: "###" }),
  fc.constant(undefined),
);
const body = fc
  .dictionary(
    fc.constantFrom(...Object.keys(schema.shape), "replyTo"),
    fc.oneof(value, fc.array(value, { maxLength: 4 })),
    { maxKeys: 4 },
  )
  .map((change) => ({ ...message, ...change }));

/** What can be compared: a return path is a function of the message's id. */
function told(read: ReturnType<typeof schema.safeParse>) {
  if (!read.success) return { issues: read.error.issues };
  const { return_path: path, ...fields } = read.data;
  return { fields, path: path?.for("17") };
}

test("compiled, it takes what it took and finds the same faults", () => {
  let taken = 0;
  fc.assert(
    fc.property(body, (one) => {
      const said = told(schema.safeParse(one));
      if ("fields" in said) taken++;
      expect(told(compiled.safeParse(one))).toEqual(said);
    }),
    { numRuns: 2000 },
  );
  expect(taken).toBeGreaterThan(50);
});
