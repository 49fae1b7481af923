// Answers are understood however they are cut, by whichever framing, and from proxies too.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { createReplyReader, type Heard } from "../../src/stress/reply.ts";

const ID = "019f6d0a-1c00-7000-8000-0123456789ab";
const accepted = `{"object":"email","id":"${ID}","status":"queued","recipients":[{"status":"queued"}]}`;
const refused = '{"type":"about:blank","status":429,"name":"rate_limit_exceeded"}';

const answer = (status: string, body: string, ...fields: string[]): string =>
  [`HTTP/1.1 ${status}`, ...fields, `Content-Length: ${body.length}`, "", body].join("\r\n");
const chunked = (status: string, body: string): string =>
  `HTTP/1.1 ${status}\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;

/** All that is heard of a text that comes in pieces which end at these places. */
function hear(text: string, cuts: readonly number[]): Heard[] {
  const read = createReplyReader();
  const ends = [...cuts.map((cut) => cut % text.length), text.length].sort((a, b) => a - b);
  let from = 0;
  return ends.flatMap((end) => {
    if (end <= from) return [];
    const heard = read(Buffer.from(text.slice(from, end), "latin1"));
    from = end;
    return [heard];
  });
}

const cases: readonly (readonly [string, string, object])[] = [
  ["an acceptance", answer("202 Accepted", accepted), { status: 202, id: ID, name: "" }],
  ["one in chunks", chunked("202 Accepted", accepted), { status: 202, id: ID }],
  [
    "a refusal",
    answer("429 Too Many Requests", refused, "Retry-After: 7", "connection: close"),
    { status: 429, id: "", name: "rate_limit_exceeded", retryAfterS: 7, closes: true },
  ],
  ["a proxy's page", answer("502 Bad Gateway", "<html>no</html>"), { status: 502, name: "" }],
  [
    "an interim answer before it",
    `HTTP/1.1 100 Continue\r\n\r\n${answer("202 Accepted", accepted)}`,
    { status: 202, id: ID },
  ],
];

for (const [name, text, wanted] of cases)
  test(`${name} is one answer, however it is cut`, () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 6 }), (cuts) => {
        const heard = hear(text, cuts);
        expect(heard.at(-1)).toMatchObject({ kind: "reply", reply: wanted });
        for (const before of heard.slice(0, -1)) expect(before.kind).toBe("more");
      }),
      { numRuns: 100 },
    );
  });

test("what is no HTTP is said to be none", () => {
  expect(hear("220 mx.example ESMTP\r\n\r\n", []).at(-1)).toEqual({ kind: "garbage" });
});

test("an answer without end is given up", () => {
  const read = createReplyReader();
  const endless = Buffer.alloc(2_000_000, 120);
  expect(read(endless)).toEqual({ kind: "garbage" });
});
