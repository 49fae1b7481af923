import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { dotted } from "../../../src/smtp/dot.ts";
import { createContentReader } from "../../../src/smtp/server/content.ts";

interface Outcome {
  readonly step: string;
  readonly bare: boolean;
  readonly text: string;
  /** What was not read, since it is no part of the message. */
  readonly rest: string;
}

/** Reads `wire` cut at the given places. */
function readIn(wire: string, cuts: readonly number[]): Outcome {
  const bytes = Buffer.from(wire, "latin1");
  const reader = createContentReader();
  const places = [...new Set([...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])];
  places.sort((a, b) => a - b);
  let text = "";
  let from = 0;
  for (const to of places) {
    if (to === from) continue;
    const { step, bytes: kept, next } = reader.read(bytes.subarray(from, to), 0);
    text += Buffer.from(kept).toString("latin1");
    if (step !== "more") {
      const rest = bytes.subarray(from + next).toString("latin1");
      return { step, bare: reader.bare, text, rest };
    }
    from = to;
  }
  return { step: "more", bare: reader.bare, text, rest: "" };
}

const bytewise = (wire: string): number[] => [...wire].map((_, at) => at);

const cases: readonly (readonly [name: string, wire: string, outcome: Outcome])[] = [
  ["an empty message", ".\r\n", { step: "end", bare: false, text: "", rest: "" }],
  [
    "a message and the command behind it",
    "a\r\n.\r\nQUIT\r\n",
    { step: "end", bare: false, text: "a\r\n", rest: "QUIT\r\n" },
  ],
  [
    "stuffed dots",
    "..\r\n...\r\n.a\r\n.\r\n",
    { step: "end", bare: false, text: ".\r\n..\r\na\r\n", rest: "" },
  ],
  [
    "a dot within a line",
    "a.b\r\na.\r\n.\r\n",
    { step: "end", bare: false, text: "a.b\r\na.\r\n", rest: "" },
  ],
  ["a bare LF", "a\nb\r\n.\r\n", { step: "end", bare: true, text: "a\nb\r\n", rest: "" }],
  ["a bare CR", "a\rb\r\n.\r\n", { step: "end", bare: true, text: "a\rb\r\n", rest: "" }],
  ["two CRs before an LF", "a\r\r\n.\r\n", { step: "end", bare: true, text: "a\r\r\n", rest: "" }],
  [
    "a dot behind a bare LF is text",
    "a\n.b\r\n.\r\n",
    { step: "end", bare: true, text: "a\n.b\r\n", rest: "" },
  ],
  ["a message without its end", "a\r\n.", { step: "more", bare: false, text: "a\r\n", rest: "" }],
];

describe("the content is read to its end:", () => {
  for (const [name, wire, outcome] of cases) {
    test(name, () => expect(readIn(wire, [])).toEqual(outcome));
    test(`${name}, octet by octet`, () => expect(readIn(wire, bytewise(wire))).toEqual(outcome));
  }
});

describe("a lone dot between wrong line ends ends nothing, and what follows is not read:", () => {
  // The sequences by which servers that disagree were made to smuggle (SEC Consult 2023; CVE-2023-51764 and its kin).
  const torn = [
    "\n.\n",
    "\n.\r\n",
    "\n.\r",
    "\r.\r",
    "\r.\n",
    "\r.\r\n",
    "\r\n.\n",
    "\r\n.\rX",
    "\r\n.\r\r\n",
    "\n.\r\r\n",
  ];
  for (const sequence of torn) {
    const wire = `a${sequence}MAIL FROM:<evil@example.com>\r\n.\r\n`;
    for (const [how, cuts] of [
      ["at once", []],
      ["octet by octet", bytewise(wire)],
    ] as const)
      test(`${JSON.stringify(sequence)} ${how}`, () => {
        const { step, text } = readIn(wire, cuts);
        expect(step).toBe("torn");
        expect(text).not.toContain("MAIL");
      });
  }
});

const lines = fc.array(fc.constantFrom("", ".", "..", ".a", "a", "a.", "\u00e9", "x".repeat(70)), {
  maxLength: 12,
});
const cuts = fc.array(fc.nat(400), { maxLength: 8 });

test("what our own client stuffs comes out as it was, however the network cuts it", () => {
  fc.assert(
    fc.property(lines, cuts, (texts, places) => {
      const body = texts.map((text) => `${text}\r\n`).join("");
      const wire = Buffer.from(dotted(Buffer.from(body, "latin1"))).toString("latin1");
      expect(readIn(`${wire}NOOP\r\n`, places)).toEqual({
        step: "end",
        bare: false,
        text: body,
        rest: "NOOP\r\n",
      });
    }),
  );
});

test("the network's cuts change nothing, whatever the octets are", () => {
  const octets = fc.string({ unit: fc.constantFrom("\r", "\n", ".", "a"), maxLength: 24 });
  fc.assert(
    fc.property(octets, cuts, (wire, places) => {
      const [cut, whole] = [readIn(wire, places), readIn(wire, [])];
      // Of what is refused, more or less may have been given out.
      const text = whole.step === "torn" ? whole.text : cut.text;
      expect({ ...cut, text }).toEqual(whole);
    }),
    { numRuns: 2000 },
  );
});

test("an end is found only behind a CRLF, and bare line ends are always reported", () => {
  const octets = fc.string({ unit: fc.constantFrom("\r", "\n", ".", "a"), maxLength: 24 });
  fc.assert(
    fc.property(octets, (wire) => {
      const { step, bare, rest } = readIn(wire, []);
      const read = wire.slice(0, wire.length - rest.length);
      const end = `\r\n${read}`.endsWith("\r\n.\r\n");
      if (step === "end") expect(end).toBe(true);
      if (step === "end" && !bare) expect(read.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
    }),
    { numRuns: 2000 },
  );
});
