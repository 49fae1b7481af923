// A policy server's reply, read from whatever pieces it comes in.
import { expect, test } from "bun:test";
import fc from "fast-check";
import { BODY_BYTES_MAX, readHttpReply } from "../../src/route/httpReply.ts";

const read = (text: string, ended = false) => readHttpReply(Buffer.from(text, "latin1"), ended);
const head = (more = ""): string => `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n${more}\r\n`;

test("a body of a told length, of chunks, or up to the end is the policy", () => {
  expect(read(`${head("Content-Length: 5\r\n")}helloX`)).toEqual({ kind: "text", text: "hello" });
  const chunks = "3\r\nhel\r\n2;x=1\r\nlo\r\n0\r\n\r\n";
  expect(read(`${head("Transfer-Encoding: Chunked\r\n")}${chunks}`)).toEqual({
    kind: "text",
    text: "hello",
  });
  expect(read(`${head()}hello`, true)).toEqual({ kind: "text", text: "hello" });
  expect(read(`${head()}hello`)).toEqual({ kind: "more" });
  expect(read(`HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${head()}hello`, true).kind).toBe("text");
  const typed = "HTTP/1.0 200\r\ncontent-type: text/plain; charset=utf-8\r\n\r\nhello";
  expect(read(typed, true).kind).toBe("text");
});

test("what is not a small text of its own server is refused, with the reason", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["HTTP/1.1 301 Moved\r\nLocation: https://elsewhere/\r\n\r\n", "status 301"],
    ["HTTP/1.1 404 Not Found\r\n\r\n", "status 404"],
    ["HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nx", "text/plain"],
    ["HTTP/1.1 200 OK\r\n\r\nx", "text/plain"],
    ["HTTP/1.1 200 OK\r\nContent-Type: text/plainer\r\n\r\nx", "text/plain"],
    ["SMTP 200\r\n\r\n", "no HTTP"],
    [head("Content-Encoding: gzip\r\n"), "compressed"],
    [head(`Content-Length: ${BODY_BYTES_MAX + 1}\r\n`), "bytes"],
    [head("Content-Length: -1\r\n"), "length"],
    [head("Content-Length: 1\r\nContent-Length: 2\r\n"), "header"],
    [head("no colon\r\n"), "header"],
    [`${head("Transfer-Encoding: chunked\r\n")}zz\r\n`, "chunk"],
    [`${head("Transfer-Encoding: chunked\r\n")}fffff\r\n`, "bytes"],
    [head("Transfer-Encoding: gzip, chunked\r\n"), "encoding"],
    [`${head()}${"x".repeat(BODY_BYTES_MAX + 1)}`, "bytes"],
    ["x".repeat(20_000), "no end"],
  ];
  for (const [text, why] of cases)
    expect(read(text)).toMatchObject({ kind: "bad", why: expect.stringContaining(why) });
  for (const text of ["HTTP/1.1 200", `${head("Content-Length: 9\r\n")}short`])
    expect(read(text, true)).toMatchObject({ kind: "bad", why: expect.stringContaining("cut") });
});

test("nothing makes it throw, and pieces give what the whole gives", () => {
  const part = fc.oneof(
    fc.string(),
    fc.constantFrom(head(), head("Transfer-Encoding: chunked\r\n"), "3\r\nabc\r\n", "0\r\n\r\n"),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), fc.boolean(), (parts, ended) => {
      const whole = read(parts.join(""), ended);
      let seen = "";
      for (const piece of parts) {
        seen += piece;
        const result = read(seen);
        if (result.kind === "more") continue;
        if (result.kind === "text") expect(whole).toEqual(result);
        break;
      }
    }),
    { numRuns: 300 },
  );
});
