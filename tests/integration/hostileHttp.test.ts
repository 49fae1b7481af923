// Requests that no client library would send, over raw sockets to the compiled binary (rows A5, A7, A8 and A14): two readings of one
// message's length, lines that are folded or bare, bodies that end too early or never. Each is answered or ended, nothing that was
// refused is stored, and the next request is taken as if nothing had been.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { until } from "../fixtures/until.ts";
import { counts, createEnds, letter, newFolder, post, reaches, send } from "./faultsRig.ts";

const ends = createEnds();
let daemon: Daemon;
let dataDir: string;
/** Begins its headers and never ends them. */
let trickle: Promise<string>;

beforeAll(async () => {
  dataDir = newFolder(ends);
  daemon = await startDaemon({ dataDir, flags: ["--hostname", "sender.test"] });
  ends.add(async () => expect(await daemon.stop()).toBe(0));
  trickle = say("POST /send HTTP/1.1\r\nHost: a\r\n", { every: "X-A: b\r\n" });
  void trickle.catch(() => {});
});
afterAll(() => ends.run());

interface Manner {
  /** Written again and again. */
  readonly every?: string;
  /** The client goes away once this much of the answer has come. */
  readonly leaveAt?: (heard: string) => boolean;
}

const EVERY_MS = 200;

/** Everything that came until the connection ended. */
function say(bytes: string, { every, leaveAt = isAnswer }: Manner = {}): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(daemon.port, "127.0.0.1");
    let heard = "";
    const timer =
      every === undefined ? undefined : setInterval(() => socket.write(every), EVERY_MS);
    socket.on("data", (chunk: Buffer) => {
      heard += chunk.toString("latin1");
      if (leaveAt(heard)) socket.end();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearInterval(timer);
      resolve(heard);
    });
    socket.write(Buffer.from(bytes, "latin1"));
  });
}

function isAnswer(heard: string): boolean {
  const at = heard.indexOf("\r\n\r\n");
  const length = Number(/content-length: (\d+)/i.exec(heard)?.[1] ?? 0);
  return at >= 0 && heard.length >= at + 4 + length;
}

const statusOf = (heard: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(heard)?.[1] ?? 0);

const body = letter("delivered@postrider.test");
const size = body.length;
const hex = size.toString(16);
const chunked = `${hex}\r\n${body}\r\n0\r\n\r\n`;

function request(lines: readonly string[], content: string): string {
  const usual = [
    "Host: a",
    `Authorization: Bearer ${daemon.key}`,
    "Content-Type: application/json",
  ];
  return `${["POST /send HTTP/1.1", ...usual, ...lines].join("\r\n")}\r\n\r\n${content}`;
}

async function stored(): Promise<number> {
  const all = await counts(daemon);
  return Object.values(all).reduce((sum, count) => sum + count, 0);
}

describe("two readings of where a body ends are refused, and the connection with them:", () => {
  test.each([
    ["a length and chunks", [`Content-Length: ${size}`, "Transfer-Encoding: chunked"], chunked],
    ["chunks and a length", ["Transfer-Encoding: chunked", `Content-Length: ${size}`], chunked],
    ["two lengths", [`Content-Length: ${size}`, "Content-Length: 5"], body],
    ["two lengths, the other way", ["Content-Length: 5", `Content-Length: ${size}`], body],
    ["a list of lengths", [`Content-Length: ${size}, ${size}`], body],
    ["a length with a sign", [`Content-Length: +${size}`], body],
    ["a negative length", ["Content-Length: -1"], body],
    ["a hexadecimal length", [`Content-Length: 0x${hex}`], body],
    ["a length beyond all numbers", ["Content-Length: 99999999999999999999"], body],
    ["a blank before the colon", [`Content-Length : ${size}`], body],
    ["a folded line", ["X-A: a", "\tContent-Length: 3", `Content-Length: ${size}`], body],
    ["a folded encoding", ["Transfer-Encoding:", " chunked", `Content-Length: ${size}`], body],
    ["a bare CR", ["X-A: b\rContent-Length: 3", `Content-Length: ${size}`], body],
    ["a NUL", ["X-A: b\0c", `Content-Length: ${size}`], body],
    ["an unknown encoding", ["Transfer-Encoding: xchunked"], chunked],
    ["an encoding before chunks", ["Transfer-Encoding: gzip, chunked"], chunked],
    ["an encoding behind chunks", ["Transfer-Encoding: chunked, identity"], chunked],
    ["two encodings", ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], chunked],
    ["a negative chunk", ["Transfer-Encoding: chunked"], `-5\r\n${body}\r\n0\r\n\r\n`],
    [
      "an endless chunk",
      ["Transfer-Encoding: chunked"],
      `${"f".repeat(18)}\r\n${body}\r\n0\r\n\r\n`,
    ],
    ["bare line feeds", ["Transfer-Encoding: chunked"], `${hex}\n${body}\n0\n\n`],
    ["a chunk without its end", ["Transfer-Encoding: chunked"], `${hex}\r\n${body}XX0\r\n\r\n`],
  ])("%s", async (_, lines, content) => {
    const before = await stored();
    expect(statusOf(await say(request(lines, content), { leaveAt: () => false }))).toBe(400);
    expect(await stored()).toBe(before);
  });
});

describe("what has one reading is taken:", () => {
  test.each([
    ["chunks", ["Transfer-Encoding: chunked"], chunked],
    [
      "chunks with extensions",
      ["Transfer-Encoding: chunked"],
      `${hex};a=b\r\n${body}\r\n0;c\r\n\r\n`,
    ],
    // RFC 9110 8.6 lets the same length stand twice. It was once no number to us, and stopped all large bodies for good.
    ["the same length twice", [`Content-Length: ${size}`, `Content-Length: ${size}`], body],
    ["chunks after that", ["Transfer-Encoding: chunked"], chunked],
  ])("%s", async (_, lines, content) => {
    expect(statusOf(await say(request(lines, content)))).toBe(202);
  });

  test("an absolute address (RFC 9112 3.2.2)", async () => {
    const text = request([`Content-Length: ${size}`], body);
    expect(statusOf(await say(text.replace("/send", "http://a/send")))).toBe(202);
  });
});

test("a body that is packed is refused before it is unpacked, in every form", async () => {
  for (const type of ["application/json", "message/rfc822", "application/cbor"]) {
    const headers = {
      "content-type": type,
      "content-encoding": "gzip",
      accept: "application/json",
    };
    const answer = await daemon.request("/send", { method: "POST", headers, body });
    expect(answer.status).toBe(415);
    expect(((await answer.json()) as { detail: string }).detail).toContain(
      "Send the body as it is",
    );
  }
});

test("10,000 headers, and an address of 100 KB, are refused by their size", async () => {
  const many = Array.from({ length: 10_000 }, () => "X-A: b");
  expect(statusOf(await say(request([...many, `Content-Length: ${size}`], body)))).toBe(431);
  const long = request([`Content-Length: ${size}`], body);
  expect(statusOf(await say(long.replace("/send", `/send?${"a".repeat(100_000)}`)))).toBe(431);
});

describe("a client that goes away", () => {
  test("before its body has come leaves nothing", async () => {
    const before = await stored();
    for (const type of ["application/json", "message/rfc822", "multipart/form-data; boundary=b"]) {
      const text = request([`Content-Length: ${size + 500_000}`], body);
      const socket = connect(daemon.port, "127.0.0.1");
      const written = text.replace("application/json", type) + "x".repeat(400_000);
      await new Promise((resolve) => socket.write(written, resolve));
      socket.destroy();
    }
    // Taken in the order of their coming, so by now those are behind.
    await reaches(daemon, await send(daemon, "delivered@postrider.test"), "delivered");
    await until("nothing is left of them", () => readdirSync(join(dataDir, "spool")).length === 0);
    expect(await stored()).toBe(before + 1);
  });

  test("before the answer has sent its message or not, and nothing between", async () => {
    const before = await stored();
    const sent = 20;
    for (let i = 0; i < sent; i++) {
      const socket = connect(daemon.port, "127.0.0.1");
      const text = request([`Content-Length: ${size}`], body);
      await new Promise((resolve) => socket.write(text, resolve));
      socket.destroy();
    }
    await reaches(daemon, await send(daemon, "delivered@postrider.test"), "delivered");
    await until("all that was stored is delivered", async () => {
      const all = await counts(daemon);
      return Object.keys(all).every((state) => state === "delivered");
    });
    expect(await stored()).toBeLessThanOrEqual(before + sent + 1);
  });
});

// The runtime ends a connection on which a request comes before the last one was answered, and takes its answer along.
test("pipelined requests are each taken once when they are sent again with their keys", async () => {
  const before = await stored();
  const keyed = ["one", "two", "three"].map((key) =>
    request([`Idempotency-Key: pipelined-${key}`, `Content-Length: ${size}`], body),
  );
  await say(keyed.join(""));
  expect(await stored()).toBeLessThanOrEqual(before + keyed.length);
  for (const text of keyed)
    await until("it has its answer", async () => statusOf(await say(text)) === 202);
  expect(await stored()).toBe(before + keyed.length);
});

test("a connection that never ends its headers is ended", async () => {
  expect(statusOf(await trickle)).not.toBe(202);
}, 60_000);

test("what is right is still taken afterwards", async () => {
  const answer = await post(daemon, letter("delivered@postrider.test"));
  expect(answer.status).toBe(202);
  await reaches(daemon, ((await answer.json()) as { id: string }).id, "delivered");
});
