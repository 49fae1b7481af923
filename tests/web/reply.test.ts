// Replies of web servers, whole and in pieces of any size, well-formed and not.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { createReplyReader } from "../../src/web/reply.ts";

interface Read {
  readonly status?: number;
  readonly body?: string;
  readonly reusable?: boolean;
  readonly why?: string;
}

function read(text: string, cuts: readonly number[] = [], closes = false): Read {
  const bytes = Buffer.from(text, "latin1");
  const pieces: Buffer[] = [];
  const reader = createReplyReader((piece) => void pieces.push(Buffer.from(piece)));
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length];
  places.sort((a, b) => a - b);
  let result = reader.push(Buffer.alloc(0));
  for (const [i, from] of places.entries()) {
    const piece = bytes.subarray(from, places[i + 1] ?? from);
    if (piece.length > 0 && result.kind === "more") result = reader.push(piece);
  }
  if (closes && result.kind === "more") result = reader.end();
  if (result.kind === "more") return {};
  if (result.kind === "bad") return { why: result.why };
  const status = reader.head()?.status;
  const body = Buffer.concat(pieces).toString("latin1");
  return { ...(status === undefined ? {} : { status }), body, reusable: result.reusable };
}

const OK = "HTTP/1.1 200 OK\r\n";
const chunked =
  `HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n${OK}Transfer-Encoding: chunked\r\n\r\n` +
  "5;a=b\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: x\r\n\r\n";

test("a reply reads the same in pieces of any size", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(400), { maxLength: 12 }), (cuts) => {
      expect(read(chunked, cuts)).toEqual({ status: 200, body: "hello world", reusable: true });
      const plain = `${OK}Content-Length: 5\r\n\r\nhello`;
      expect(read(plain, cuts)).toEqual({ status: 200, body: "hello", reusable: true });
    }),
    { numRuns: 200 },
  );
});

test("a connection is kept only when the reply's end is certain", () => {
  expect(read("HTTP/1.1 204 No Content\r\n\r\n")).toMatchObject({ status: 204, reusable: true });
  expect(read(`${OK}Connection: close\r\nContent-Length: 0\r\n\r\n`)).toMatchObject({
    reusable: false,
  });
  expect(read("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok")).toMatchObject({ reusable: false });
  expect(read(`${OK}\r\nuntil the end`, [], true)).toMatchObject({
    body: "until the end",
    reusable: false,
  });
  expect(read(`${OK}Content-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n`)).toMatchObject({
    reusable: false,
  });
});

test("what could be read in two ways, or has no end, is refused", () => {
  const faults: readonly (readonly [string, string])[] = [
    ["220 mx.example ESMTP\r\n\r\n", "the reply is no HTTP"],
    ["HTTP/2 200\r\n\r\n", "the reply is no HTTP"],
    ["HTTP/1.1 101 Switching\r\n\r\n", "it changes the protocol"],
    [`${OK}no header\r\n\r\n`, "a header cannot be read"],
    [
      `${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`,
      "the header content-length stands twice",
    ],
    [`${OK}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, "the body has two lengths"],
    [`${OK}Content-Length: -1\r\n\r\n`, "the content length is no number"],
    [`${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`, "the transfer encoding is unknown"],
    [`${OK}Transfer-Encoding: chunked\r\n\r\nzz\r\n`, "a chunk has no proper size"],
    [`${OK}Transfer-Encoding: chunked\r\n\r\n1\r\nabc`, "a chunk has no end"],
    [`${OK}X: ${"a".repeat(20_000)}`, "the head of the reply has no end"],
    [
      `${OK}Transfer-Encoding: chunked\r\n\r\n0\r\n${"a: b\r\n".repeat(2000)}`,
      "the trailer of the reply has no end",
    ],
    [`${OK}Transfer-Encoding: chunked\r\n\r\n1;${"a".repeat(2000)}`, "a chunk has no proper size"],
  ];
  for (const [text, why] of faults) expect(read(text)).toEqual({ why });
  expect(read(`${OK}Content-Length: 9\r\n\r\nshort`, [], true).why).toBe("the reply was cut off");
});

test("whatever a server says, nothing is thrown and nothing is invented", () => {
  const word = fc.constantFrom(
    ...["HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.0 404 \r\n", "\r\n", "\n"],
    ...[
      "Content-Length: 3\r\n",
      "content-length:0\r\n",
      "Transfer-Encoding: chunked\r\n",
      "a: b\r\n",
    ],
    ...["3\r\nabc\r\n", "0\r\n\r\n", "ffffffffffff\r\n", "abc", ":", "Connection: close\r\n", "\0"],
  );
  const said = fc.array(fc.oneof(word, fc.string({ maxLength: 8 })), { maxLength: 16 });
  fc.assert(
    fc.property(said, fc.array(fc.nat(200), { maxLength: 6 }), (words, cuts) => {
      const text = words.join("");
      const { body, why, status } = read(text, cuts, true);
      expect((body ?? "").length).toBeLessThanOrEqual(Buffer.byteLength(text));
      expect(why === undefined).toBe(status !== undefined);
      // In one piece it is the same.
      expect(read(text, [], true)).toEqual(read(text, cuts, true));
    }),
    { numRuns: 500 },
  );
});
