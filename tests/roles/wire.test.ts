import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Verdict } from "../../src/mail/verdict.ts";
import { packVerdicts, unpackVerdicts } from "../../src/roles/protocol.ts";
import { pack, packOnces, transferOf, unpack, unpackOnces } from "../../src/roles/wire.ts";

test("a batch comes out as it went in", () => {
  const piece = fc.record({
    head: fc.record({ id: fc.nat(), text: fc.string() }),
    body: fc.option(fc.uint8Array({ maxLength: 40 })),
  });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      expect(unpack(pack(pieces))).toEqual(pieces);
    }),
  );
});

test("bodies are views of the one buffer that is transferred", () => {
  const packed = pack([
    { head: 1, body: new Uint8Array([1, 2]) },
    { head: 2, body: new Uint8Array([3]) },
  ]);
  const [first, second] = unpack(packed);
  expect(transferOf(packed)).toEqual([packed.bodies.buffer]);
  expect(first?.body?.buffer).toBe(packed.bodies.buffer);
  expect(second?.body).toEqual(new Uint8Array([3]));
});

test("a batch without bodies transfers nothing", () => {
  expect(transferOf(pack([{ head: 1, body: null }]))).toEqual([]);
});

test("idempotency keys come out at the places of their calls, and nothing travels without one", () => {
  const once = { key: "k", request: "r", answer: '{"id":"1"}' };
  const calls = [undefined, once, undefined, { ...once, key: "l" }].map((one) => ({ once: one }));
  const unpacked = unpackOnces(packOnces(calls));
  expect(calls.map((_, i) => unpacked[i])).toEqual(calls.map((call) => call.once));
  expect(packOnces([{ once: undefined }])).toBeUndefined();
  expect(unpackOnces(undefined)).toEqual([]);
});

test("verdicts come out as they went in, whatever their steps and dialogues say", () => {
  const told = fc.array(fc.string({ unit: "binary" })).map((texts) => JSON.stringify(texts));
  const verdict: fc.Arbitrary<Verdict> = fc
    .record({ message: fc.nat(), n: fc.nat(), claim: fc.nat(), doubt: fc.boolean(), step: told })
    .chain((base) => {
      const whole = { ...base, kind: "deferred", scope: "site", class: "rate" } as const;
      const pause = { forMs: 1000, rule: "google.rate" };
      return fc.oneof(
        fc.constant(whole),
        told.map((dialogue) => ({ ...whole, pause, dialogue })),
      );
    });
  fc.assert(
    fc.property(fc.array(verdict, { maxLength: 20 }), (verdicts) => {
      expect(unpackVerdicts(packVerdicts(verdicts))).toEqual(verdicts);
    }),
  );
});

test("verdicts whose steps are not theirs are not believed", () => {
  const packed = { heads: "[{}]", steps: "[]\n[]\n", dialogues: "\n" };
  expect(() => unpackVerdicts(packed)).toThrow("the steps of others");
});
