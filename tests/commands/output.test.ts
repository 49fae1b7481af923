// JSON for programs is harmless on a terminal too, and says the same.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { json, jsonLine } from "../../src/commands/output.ts";

const steering = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

test("no text within JSON steers a terminal, and every text comes back as it was", () => {
  const char = fc.oneof(
    fc.integer({ min: 0, max: 0x9f }),
    fc.constantFrom(0x202a, 0x202e, 0x2066, 0x2069, 0x1f600),
  );
  const text = fc
    .array(char, { maxLength: 30 })
    .map((codes) => codes.map((code) => String.fromCodePoint(code)).join(""));
  fc.assert(
    fc.property(fc.dictionary(text, text), (value) => {
      for (const shown of [json(value), jsonLine(value)]) {
        expect(shown).not.toMatch(steering);
        expect(JSON.parse(shown)).toEqual(JSON.parse(JSON.stringify(value)));
      }
      expect(jsonLine(value)).not.toContain("\n");
    }),
  );
});
