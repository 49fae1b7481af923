import { expect, test } from "bun:test";
import fc from "fast-check";
import { packStep, unpackTimeline } from "../../src/mail/timeline.ts";
import type { AttemptStep, NoteStep, Step } from "../../src/mail/timeline.ts";
import { troubleClasses } from "../../src/mail/verdict.ts";

const at = fc.nat(4_000_000_000_000);
const text = fc.string({ unit: "grapheme", maxLength: 40 });
const note: fc.Arbitrary<NoteStep> = fc.record({
  kind: fc.constant("note" as const),
  at,
  note: fc.constantFrom("released", "expired", "canceled", "held", "requeued", "suppressed"),
  doubt: fc.boolean(),
  text,
});
const attempt: fc.Arbitrary<AttemptStep> = fc.record({
  kind: fc.constant("attempt" as const),
  at,
  durationMs: fc.nat(),
  outcome: fc.constantFrom("delivered", "deferred", "failed", "interrupted"),
  class: fc.constantFrom(...troubleClasses),
  doubt: fc.boolean(),
  via: fc.constantFrom("mx", "relay", "sink"),
  site: text,
  host: text,
  address: text,
  source: text,
  session: text,
  phase: text,
  code: fc.nat(599),
  enhanced: text,
  text,
  tls: fc.option(
    fc.record({
      version: text,
      cipher: text,
      verified: fc.boolean(),
      resumed: fc.boolean(),
      handshakeMs: fc.nat(),
      verifyMs: fc.nat(),
      policy: fc.constantFrom("opportunistic", "mta-sts", "dane"),
      unproven: fc.string(),
    }),
    { nil: null },
  ),
  signed: text,
});

test("steps that are appended packed are read back as they were", () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(note, attempt), { maxLength: 8 }), (steps: Step[]) => {
      expect(unpackTimeline(steps.map(packStep).join(","))).toEqual(steps);
    }),
  );
});

test("a timeline without steps is empty", () => {
  expect(unpackTimeline("")).toEqual([]);
});

test("a remote server's words cannot add a step", () => {
  const words = '"],["n",0,"canceled",0,"';
  const step: NoteStep = { kind: "note", at: 1, note: "held", doubt: false, text: words };
  expect(unpackTimeline(packStep(step))).toEqual([step]);
});
