import { expect, test } from "bun:test";
import fc from "fast-check";
import { uuidOf } from "../../src/mail/id.ts";
import {
  packTraceContext,
  readTraceContext,
  spanIdOf,
  traceIdOf,
  unpackTraceContext,
  uuidOfTrace,
  writeTraceparent,
} from "../../src/mail/traceContext.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const WHOLE = `00-${TRACE}-${PARENT}-01`;
const TAG = "8f3b2c1d4e5f6071";

test("a traceparent of version 00 is read", () => {
  expect(readTraceContext(WHOLE)).toEqual({
    ...{ traceId: TRACE, parentId: PARENT },
    ...{ sampled: true, random: false, state: "" },
  });
  expect(readTraceContext(`00-${TRACE}-${PARENT}-02`)).toMatchObject({
    ...{ sampled: false, random: true },
  });
});

test.each([
  ["nothing", ""],
  ["version ff", `ff-${TRACE}-${PARENT}-01`],
  ["a version that is no hex", `0g-${TRACE}-${PARENT}-01`],
  ["a trace id of zeros", `00-${"0".repeat(32)}-${PARENT}-01`],
  ["a parent id of zeros", `00-${TRACE}-${"0".repeat(16)}-01`],
  ["upper case", `00-${TRACE.toUpperCase()}-${PARENT}-01`],
  ["a short trace id", `00-${TRACE.slice(1)}-${PARENT}-01`],
  ["a long parent id", `00-${TRACE}-${PARENT}0-01`],
  ["flags that are no hex", `00-${TRACE}-${PARENT}-0x`],
  ["more than version 00 has", `${WHOLE}-00`],
  ["a last dash", `${WHOLE}-`],
  ["blanks around it", ` ${WHOLE}`],
  ["a line end", `${WHOLE}\n`],
  ["two headers in one", `${WHOLE}, ${WHOLE}`],
  ["a later version with more behind its flags, without a dash", `01-${TRACE}-${PARENT}-01.x`],
])("%s is no traceparent", (_, header) => {
  expect(readTraceContext(header)).toBeUndefined();
});

test.each([`01-${TRACE}-${PARENT}-01`, `cc-${TRACE}-${PARENT}-01-what-the-future-brings`])(
  "of a later version what is known is taken, and passed on as version 00: %s",
  (header) => {
    const context = readTraceContext(header);
    expect(context === undefined ? "" : writeTraceparent(context)).toBe(WHOLE);
  },
);

test("bits that nobody knows yet are not passed on", () => {
  const context = readTraceContext(`00-${TRACE}-${PARENT}-fd`);
  expect(context === undefined ? "" : writeTraceparent(context)).toBe(WHOLE);
});

test.each([
  ["congo=t61rcWkgMzE,rojo=00f067aa0ba902b7", "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"],
  [" a=1 ", "a=1"],
  ["a=\r\nSet-Cookie: b", ""],
  ["ä=1", ""],
  ["a".repeat(513), ""],
])("the tracestate %j is kept as %j", (given, kept) => {
  expect(readTraceContext(WHOLE, given)?.state).toBe(kept);
});

test("a message without a context has its own id as trace id, and is found by it", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 53 - 1 }), (message) => {
      const uuid = uuidOf(message, TAG);
      const traceId = traceIdOf(message, TAG);
      expect(traceId).toMatch(/^[0-9a-f]{32}$/);
      expect(uuidOfTrace(traceId)).toBe(uuid);
    }),
    { numRuns: 200 },
  );
});

test("a foreign trace id is nobody's message", () => {
  expect(uuidOfTrace("0af7651916cd43dd0448eb211c80319c")).toBeUndefined();
  expect(uuidOfTrace("zz")).toBeUndefined();
});

const hex = (length: number) =>
  fc
    .array(fc.integer({ min: 0, max: 15 }), { minLength: length, maxLength: length })
    .map((digits) => digits.map((digit) => digit.toString(16)).join(""))
    .filter((text) => /[1-9a-f]/.test(text));

test("what is packed comes back, and names the same trace", () => {
  const states = fc.constantFrom("", "a=1", "a=1,b=2 3");
  fc.assert(
    fc.property(
      fc.record({
        ...{ traceId: hex(32), parentId: hex(16) },
        ...{ sampled: fc.boolean(), random: fc.boolean(), state: states },
      }),
      (context) => {
        const packed = packTraceContext(context);
        expect(unpackTraceContext(packed)).toEqual(context);
        expect(traceIdOf(1, TAG, packed)).toBe(context.traceId);
      },
    ),
    { numRuns: 200 },
  );
});

test("whatever comes in is either as the standard has it or not there", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ minLength: 50, maxLength: 60 })), (text) => {
      const context = readTraceContext(text);
      if (context !== undefined) expect(writeTraceparent(context)).toMatch(/^00-/);
    }),
    { numRuns: 500 },
  );
});

test("a span's id follows from its name, in whatever thread it is made", () => {
  expect(spanIdOf(TRACE, "deliver 0 1")).toBe(spanIdOf(TRACE, "deliver 0 1"));
  expect(spanIdOf(TRACE, "deliver 0 1")).toMatch(/^[0-9a-f]{16}$/);
  expect(spanIdOf(TRACE, "deliver 0 1")).not.toBe(spanIdOf(TRACE, "deliver 0 2"));
});

test("of many spans that are named alike no two share an id", () => {
  const ids = new Set<string>();
  for (let claim = 0; claim < 5_000; claim++)
    for (const name of ["deliver", "wait", "dns", "said 1", "said 2"])
      ids.add(spanIdOf(TRACE, `${name} ${claim}`));
  for (let message = 0; message < 25_000; message++)
    ids.add(spanIdOf(traceIdOf(message * 7, TAG), "message"));
  expect(ids.size).toBe(50_000);
});
