// Members that stand twice: found wherever they are, and nothing else is taken for one.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { repeatedMember } from "../../src/submit/repeated.ts";
import { createFixture } from "./doorFixture.ts";

const pointerIn = (text: string): string | undefined =>
  repeatedMember(text, JSON.parse(text) as unknown)?.pointer;

const tricky = fc.array(fc.constantFrom('"', "\\", ":", "{", "}", ",", "[", "]", " ", "a", "é"), {
  maxLength: 8,
});
const name = fc.oneof(
  tricky.map((parts) => parts.join("")),
  fc.string(),
);
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 4 },
    fc.oneof(name, fc.integer(), fc.boolean(), fc.constant(null)),
    fc.array(tie("any"), { maxLength: 4 }),
    fc.dictionary(name, tie("any"), { maxKeys: 4 }),
  ),
})).any;
const blanks = fc.constantFrom(undefined, 1, "\t");

test("JSON that names each member once is never refused", () => {
  fc.assert(
    fc.property(value, blanks, (one, space) => {
      expect(pointerIn(JSON.stringify(one, null, space))).toBeUndefined();
    }),
    { numRuns: 500 },
  );
});

test("a member that stands twice is found at its place, whatever stands around it", () => {
  fc.assert(
    fc.property(value, value, name, blanks, (before, after, key, space) => {
      const [first, last] = [before, after].map((one) => JSON.stringify(one, null, space));
      const told = JSON.stringify(key);
      const text = `[{"list" : [1, {${told}:${first} ,${told} :${last}}]}]`;
      const step = key.replaceAll("~", "~0").replaceAll("/", "~1");
      expect(pointerIn(text)).toBe(`/0/list/1/${step}`);
    }),
    { numRuns: 500 },
  );
});

test("a command that is nested without end is refused, not run into", async () => {
  const fixture = createFixture();
  const deep = `{"emails":${"[".repeat(150_000)}${"]".repeat(150_000)}}`;
  expect((await fixture.post("/suppressions/batch/add", deep)).status).toBe(422);
  fixture.close();
});
