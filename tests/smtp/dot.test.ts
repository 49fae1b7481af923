import { expect, test } from "bun:test";
import fc from "fast-check";
import { createDotStuffer, dotted } from "../../src/smtp/dot.ts";

/** RFC 5321 4.5.2 as slowly and plainly as it can be said. */
function naive(body: string): string {
  const stuffed = body.replace(/(^|\n)\./g, "$1..");
  if (body === "" || body.endsWith("\r\n")) return `${stuffed}.\r\n`;
  return stuffed + (body.endsWith("\r") ? "\n.\r\n" : "\r\n.\r\n");
}

const bodies = fc
  .array(fc.constantFrom(".", "\r\n", "\n", "\r", "a", "..", "\r\n.", "é"), { maxLength: 40 })
  .map((parts) => parts.join(""));

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

test("a whole body is stuffed as the plain model says", () => {
  fc.assert(
    fc.property(bodies, (body) => {
      expect(latin1(dotted(Buffer.from(body, "latin1")))).toBe(naive(body));
    }),
    { numRuns: 500 },
  );
});

test("borders of chunks never matter", () => {
  fc.assert(
    fc.property(bodies, fc.array(fc.nat(), { maxLength: 6 }), (body, cuts) => {
      const bytes = Buffer.from(body, "latin1");
      const marks = [0, ...cuts.map((n) => n % (bytes.length + 1)).sort((a, b) => a - b)];
      const stuffer = createDotStuffer();
      const out = marks.map((mark, i) => stuffer.stuff(bytes.subarray(mark, marks[i + 1])));
      expect(latin1(Buffer.concat([...out, stuffer.end()]))).toBe(naive(body));
    }),
    { numRuns: 500 },
  );
});

test("the end of data stands only at the end", () => {
  fc.assert(
    fc.property(bodies, (body) => {
      const wire = latin1(dotted(Buffer.from(body, "latin1")));
      expect(`\r\n${wire}`.indexOf("\r\n.\r\n")).toBe(wire.length - 3);
    }),
  );
});

test("the caller's bytes are not changed", () => {
  const body = Buffer.from(".a\r\n.b\r\n");
  dotted(body);
  createDotStuffer().stuff(body);
  expect(body.toString()).toBe(".a\r\n.b\r\n");
});
