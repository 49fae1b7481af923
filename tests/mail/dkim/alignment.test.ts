// Which From domains a key covers: its own and those below it, as the keyring chooses.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { createAlignment } from "../../../src/mail/dkim/alignment.ts";

test("a key covers its domain and all below it, until it is gone", () => {
  const { learn, covers } = createAlignment();
  expect(covers("example.com")).toBe(false);
  learn([{ domain: "example.com" }]);
  const asked = ["example.com", "a.b.example.com", "com", "anexample.com", "example.com.evil.test"];
  expect(asked.map(covers)).toEqual([true, true, false, false, false]);
  expect(asked.map(covers)).toEqual([true, true, false, false, false]);
  learn([{ domain: "other.example" }]);
  expect(asked.map(covers)).toEqual([false, false, false, false, false]);
});

test("it says the same however often and in whatever order it is asked", () => {
  const domain = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 4 });
  const name = domain.map((labels) => labels.join("."));
  fc.assert(
    fc.property(fc.array(name, { maxLength: 3 }), fc.array(name), (keys, asked) => {
      const { learn, covers } = createAlignment();
      learn(keys.map((one) => ({ domain: one })));
      for (const one of asked)
        expect(covers(one)).toBe(keys.some((key) => one === key || one.endsWith(`.${key}`)));
    }),
    { numRuns: 200 },
  );
});
