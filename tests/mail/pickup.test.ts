// The envelope of a message that waits in a pickup folder.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { seededRandom } from "../../src/base/random.ts";
import {
  isPickupName,
  packEnvelope,
  partsOf,
  pickupMessageId,
  pickupName,
  RECIPIENTS_AT_ONCE,
  unpackEnvelope,
} from "../../src/mail/pickup.ts";

const text = fc.string({ minLength: 1, maxLength: 20 });
const envelopes = fc.record(
  {
    from: fc.string({ maxLength: 20 }),
    to: fc.array(text, { minLength: 1, maxLength: 130 }),
    notify: text,
    ret: text,
    envid: text,
  },
  { requiredKeys: ["from", "to"] },
);

test("an envelope is one line, and comes out as it went in", () => {
  fc.assert(
    fc.property(envelopes, (envelope) => {
      const line = packEnvelope(envelope);
      expect(line.indexOf("\n")).toBe(line.length - 1);
      expect(unpackEnvelope(line.trimEnd())).toEqual(envelope);
    }),
    { numRuns: 200 },
  );
});

test("its parts name every recipient once and in order, each under a key of its own", () => {
  fc.assert(
    fc.property(envelopes, (envelope) => {
      const parts = partsOf("name.mail", envelope);
      const asked = parts.map(({ query }) => new URLSearchParams(query));
      expect(asked.flatMap((query) => query.getAll("to"))).toEqual(envelope.to);
      for (const query of asked) {
        expect(query.getAll("to").length).toBeLessThanOrEqual(RECIPIENTS_AT_ONCE);
        expect([query.get("from"), query.get("envid")]).toEqual([
          envelope.from,
          envelope.envid ?? null,
        ]);
      }
      expect(new Set(parts.map((one) => one.idempotencyKey)).size).toBe(parts.length);
    }),
    { numRuns: 100 },
  );
});

test("long addresses make more parts, so that no request's line is too long", () => {
  const to = Array.from(
    { length: 50 },
    (_, i) => `${"ü".repeat(30)}${i}@${"d".repeat(180)}.example`,
  );
  const parts = partsOf("name.mail", { from: "a@b.example", to });
  expect(parts.length).toBeGreaterThan(1);
  for (const { query } of parts) expect(query.length).toBeLessThan(8_200);
  const asked = parts.flatMap(({ query }) => new URLSearchParams(query).getAll("to"));
  expect(asked).toEqual(to);
});

test("what nobody packed is no envelope", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
      const envelope = unpackEnvelope(line);
      if (envelope !== undefined) expect(unpackEnvelope(JSON.stringify(envelope))).toBeDefined();
    }),
  );
  for (const line of [
    "",
    "null",
    "[]",
    '{"from":"a"}',
    '{"from":"a","to":[]}',
    '{"from":1,"to":["a"]}',
  ])
    expect(unpackEnvelope(line)).toBeUndefined();
  const many = Array.from({ length: 3_001 }, () => "a@b.example");
  expect(unpackEnvelope(JSON.stringify({ from: "", to: many }))).toBeUndefined();
});

test("names go by time and are nobody else's", () => {
  const random = seededRandom(1);
  const [first, second] = [pickupName(1_000, random.bytes), pickupName(2_000, random.bytes)];
  expect(first < second).toBe(true);
  expect([first, second].every(isPickupName)).toBe(true);
  for (const name of ["x.mail", `.${first}`, `${first}.part`, `../${first}`, first.toUpperCase()])
    expect(isPickupName(name)).toBe(false);
});

test("a Message-ID is of one name alone and does not tell it", () => {
  const random = seededRandom(2);
  const [first, second] = [pickupName(1_000, random.bytes), pickupName(1_000, random.bytes)];
  const id = pickupMessageId(first, "host.example");
  expect(pickupMessageId(first, "host.example")).toBe(id);
  expect(pickupMessageId(second, "host.example")).not.toBe(id);
  expect(id).not.toContain(first.slice(-37, -5));
});
