// "Try again in N", as servers write it.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { hintOf } from "../../src/deliver/hint.ts";

const said: readonly (readonly [words: string, seconds: number | undefined])[] = [
  ["greylisted, try again in 5 minutes", 300],
  ["greylisting in action, please come back in 00:09:00", 540],
  ["greylisted for 181 seconds", 181],
  ["please try delivery again in 240 seconds.", 240],
  ["retry in 01:30:00", 3600],
  ["please try again after 2 minutes", 120],
  ["try again in 2 minutes 30 seconds", 150],
  ["retry in 4m59s", 299],
  ["come back in 4 minutes and 3 seconds.", 243],
  ["again in 10 minutes, 20 hours are too long", 600],
  ["wait 45s and retry", 45],
  ["deferred, at least 90 sec", 90],
  ["come back in 2 hours", 3600],
  ["come back in 1 second", 10],
  ["try again in 99999 minutes", 3600],
  ["try again later", undefined],
  ["blocked [192.0.2.1] for 3 reasons", undefined],
  ["see http://example.com/in/5m.html", undefined],
  ["try again in 1234567890 seconds", undefined],
  ["mail from 10.0.0.5 min", undefined],
];

for (const [words, seconds] of said)
  test(`"${words}" asks for ${seconds === undefined ? "no time" : `${seconds} s`}`, () => {
    expect(hintOf(words)).toBe(seconds === undefined ? undefined : seconds * 1000);
  });

test("whatever is said, the hint lies between ten seconds and an hour", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), fc.nat(1e6), (words, count) => {
      for (const text of [words, `again in ${count} ${words}`, `${words} in ${count}s`]) {
        const hint = hintOf(text);
        if (hint !== undefined) expect(hint).toBeWithin(10_000, 3_600_001);
      }
    }),
    { numRuns: 300 },
  );
});
