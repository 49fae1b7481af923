import { expect, test } from "bun:test";
import fc from "fast-check";
import { offerOf } from "../../src/smtp/extensions.ts";
import {
  createReplyParser,
  REPLY_LIMITS,
  wordsOf,
  type ParserState,
  type Reply,
} from "../../src/smtp/reply.ts";

interface Read {
  readonly replies: Reply[];
  readonly state: ParserState;
}

function read(...chunks: (string | Uint8Array)[]): Read {
  const parser = createReplyParser();
  const replies: Reply[] = [];
  let state: ParserState = { kind: "fine" };
  for (const chunk of chunks)
    state = parser.feed(typeof chunk === "string" ? Buffer.from(chunk) : chunk, (reply) =>
      replies.push(reply),
    );
  return { replies, state };
}

test("several replies in one chunk come one by one", () => {
  const { replies } = read("250 2.1.0 Ok\r\n250 2.1.5 Fine\r\n354 Go\r\n");
  expect(replies).toEqual([
    { code: 250, enhanced: "2.1.0", lines: ["Ok"] },
    { code: 250, enhanced: "2.1.5", lines: ["Fine"] },
    { code: 354, enhanced: "", lines: ["Go"] },
  ]);
});

test("lines of one reply belong together, with the enhanced code said once", () => {
  const { replies } = read("550-5.7.26 This mail\r\n550-5.7.26 is not\r\n550 5.7.26 authentic\r\n");
  expect(replies).toEqual([
    { code: 550, enhanced: "5.7.26", lines: ["This mail", "is not", "authentic"] },
  ]);
  expect(wordsOf(replies[0] as Reply)).toBe("This mail is not authentic");
});

test("an enhanced code of another class than the reply is only text", () => {
  expect(read("550 2.1.1 odd\r\n").replies).toEqual([
    { code: 550, enhanced: "", lines: ["2.1.1 odd"] },
  ]);
});

test("a code alone, a lone LF and an empty text are taken", () => {
  expect(read("250\r\n250-\n250 \r\n").replies).toEqual([
    { code: 250, enhanced: "", lines: [""] },
    { code: 250, enhanced: "", lines: ["", ""] },
  ]);
});

for (const [name, text] of [
  ["letters", "hello\r\n"],
  ["two digits", "25\r\n"],
  ["a plus sign", "250+x\r\n"],
  ["a code that changes", "250-a\r\n251 b\r\n"],
  ["a class that does not exist", "650 x\r\n"],
  ["an empty line", "\r\n"],
  ["another protocol", "SSH-2.0-OpenSSH_9.6\r\n"],
] as const)
  test(`${name}: the connection is broken, not misread`, () => {
    expect(read(text).state.kind).toBe("broken");
  });

test("a line of 2 MB is refused before it is held", () => {
  const state = read(...new Array<Buffer>(32).fill(Buffer.alloc(65_536, "2"))).state;
  expect(state).toEqual({ kind: "broken", why: "a reply is too long" });
});

test("of a long line only the limit is kept", () => {
  const { replies } = read(`250 ${"x".repeat(10_000)}\r\n`);
  expect(replies[0]?.lines[0]).toHaveLength(REPLY_LIMITS.lineKeptOctets);
});

test("endless lines are refused", () => {
  expect(read("250-x\r\n".repeat(REPLY_LIMITS.lines + 1)).state).toEqual({
    kind: "broken",
    why: "a reply has too many lines",
  });
});

test("control characters and marks that turn the reading direction are shown, not obeyed", () => {
  const { replies } = read("550 \x1b[31mred\0 \u202egnp.exe \u00e9\r\n");
  expect(replies[0]?.lines).toEqual(["\\x1b[31mred\\x00 \\u{202e}gnp.exe \u00e9"]);
});

test("octets that are no UTF-8 are read as latin1", () => {
  expect(read(Uint8Array.of(0x32, 0x35, 0x30, 0x20, 0xe9, 10)).replies[0]?.lines).toEqual(["é"]);
});

const cut = (bytes: Uint8Array, at: readonly number[]): Uint8Array[] => {
  const marks = [0, ...at.map((n) => n % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return marks.slice(1).map((mark, i) => bytes.subarray(marks[i], mark));
};

test("where the network cuts never matters, and nothing throws", () => {
  const noise = fc.uint8Array({ maxLength: 60 });
  const piece = fc.constantFrom(
    "250 2.0.0 ok\r\n",
    "250-a\r\n",
    "250 b\n",
    "421 4.3.2 bye\r\n",
    "55",
  );
  const input = fc.array(
    fc.oneof(
      piece.map((text) => Buffer.from(text)),
      noise,
    ),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(input, fc.array(fc.nat(), { maxLength: 8 }), (pieces, cuts) => {
      const bytes = Buffer.concat(pieces);
      expect(read(...cut(bytes, cuts))).toEqual(read(bytes));
    }),
    { numRuns: 500 },
  );
});

test("what a server offers is read without regard to case, and odd values are ignored", () => {
  const { replies } = read(
    "250-mx.example.com at your service\r\n250-size 35882577\r\n250-pipelining\r\n" +
      "250-AUTH login Plain\r\n250-AUTH=LOGIN\r\n250-8bitmime\r\n250 XUNKNOWN 1\r\n",
  );
  expect(offerOf(replies[0] as Reply)).toMatchObject({
    size: true,
    sizeMax: 35_882_577,
    pipelining: true,
    eightBitMime: true,
    auth: ["LOGIN", "PLAIN"],
    starttls: false,
  });
  const odd = read("250-mx\r\n250 SIZE many\r\n").replies[0] as Reply;
  expect(offerOf(odd)).toMatchObject({ size: true, sizeMax: 0 });
});

test("an offer is read once, whoever makes it, and another one anew", () => {
  const offers = (...lines: string[]) => offerOf({ code: 250, enhanced: "", lines });
  const first = offers("mx1", "PIPELINING", "SIZE 1000");
  expect(offers("mx2 greets you", "PIPELINING", "SIZE 1000")).toBe(first);
  expect(offers("mx1", "PIPELINING", "SIZE 2000")).toMatchObject({
    pipelining: true,
    sizeMax: 2000,
  });
  for (let i = 0; i < 300; i++) expect(offers("mx", `SIZE ${i + 1}`).sizeMax).toBe(i + 1);
  const long = offers("mx", "DSN", "X".repeat(2000));
  expect(long.dsn).toBe(true);
  expect(offers("mx", "DSN", "X".repeat(2000))).not.toBe(long);
});

test("limits of RFC 9422 are read, and what is no number is no limit", () => {
  const limits = (text: string) => offerOf({ code: 250, enhanced: "", lines: ["mx", text] }).limits;
  expect(limits("LIMITS RCPTMAX=20 MAILMAX=5 rcptdomainmax=1")).toEqual({
    mails: 5,
    recipients: 20,
    domains: 1,
  });
  const none = { mails: Infinity, recipients: Infinity, domains: Infinity };
  expect(limits("LIMITS")).toEqual(none);
  expect(limits("LIMITS RCPTMAX=0 MAILMAX=x RCPTDOMAINMAX=9999999")).toEqual(none);
});

test("borders of chunks never matter", () => {
  const words = fc.constantFrom(
    "250",
    "550-",
    "550 ",
    "5.1.1 ",
    "no",
    "\r\n",
    "\n",
    "\0",
    "é",
    "25",
  );
  fc.assert(
    fc.property(
      fc.array(words, { maxLength: 40 }),
      fc.array(fc.nat(), { maxLength: 20 }),
      (said, cuts) => {
        const bytes = Buffer.from(said.join(""), "latin1");
        const marks = [0, ...cuts.map((n) => n % (bytes.length + 1)).sort((a, b) => a - b)];
        const chunks = marks.map((mark, i) => bytes.subarray(mark, marks[i + 1]));
        expect(read(...chunks)).toEqual(read(bytes));
      },
    ),
    { numRuns: 500 },
  );
});
