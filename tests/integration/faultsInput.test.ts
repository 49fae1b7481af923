// What a caller can get wrong, and what the compiled daemon says to it: a clear refusal at once, nothing stored, and the next request
// is taken as if nothing had been.
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { encode } from "cbor-x";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type Daemon, startDaemon } from "../fixtures/daemon.ts";
import {
  type Problem,
  counts,
  createEnds,
  letter,
  newFolder,
  post,
  reaches,
  send,
} from "./faultsRig.ts";

const ends = createEnds();
let daemon: Daemon;
let dataDir: string;

beforeAll(async () => {
  dataDir = newFolder(ends);
  daemon = await startDaemon({ dataDir, flags: ["--hostname", "sender.test"] });
  ends.add(async () => expect(await daemon.stop()).toBe(0));
});
afterAll(() => ends.run());

// Whatever was refused left nothing behind, in the queue or on the disk.
afterEach(async () => {
  expect(Object.keys(await counts(daemon)).filter((state) => state !== "delivered")).toEqual([]);
  expect(readdirSync(join(dataDir, "spool"))).toEqual([]);
});

async function refusal(answer: Response): Promise<Problem> {
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
  const problem = (await answer.json()) as Problem;
  expect(problem.status).toBe(answer.status);
  return problem;
}

const at = (pointer: string, code: string) => expect.objectContaining({ pointer, code });

describe("a body", () => {
  test.each([
    ["no JSON", "application/json", '{"from": "a@sender.test",'],
    ["no UTF-8", "application/json", new Uint8Array([0x22, 0xff, 0xfe, 0x22])],
    ["no CBOR", "application/cbor", new Uint8Array([0xa1, 0x61])],
  ] as const)("that is %s is 400 and says where reading ended", async (_, type, body) => {
    const problem = await refusal(await post(daemon, body, type));
    expect(problem).toMatchObject({ status: 400, name: "invalid_json" });
    expect(problem.detail).toStartWith("The body is no valid ");
  });

  test("of a type that is not taken is 415 and says which are", async () => {
    const problem = await refusal(await post(daemon, letter("x@postrider.test"), "text/xml"));
    expect(problem).toMatchObject({ status: 415, name: "unsupported_media_type" });
    expect(problem.detail).toContain(
      "application/json, application/cbor, multipart/form-data or message/rfc822",
    );
  });

  test("with wrong types, an unknown field and a bad address is told all of it at once", async () => {
    const body = { from: 5, to: ["x@postrider.test", "x"], subject: {}, text: "t", bogus: 1 };
    for (const answer of [
      await post(daemon, JSON.stringify(body)),
      await post(daemon, new Uint8Array(encode(body)), "application/cbor"),
    ]) {
      const { status, name, errors } = await refusal(answer);
      expect([status, name]).toEqual([422, "validation_error"]);
      expect(errors).toHaveLength(4);
      expect(errors).toEqual(
        expect.arrayContaining([
          at("/from", "invalid_type"),
          at("/to/1", "invalid_address"),
          at("/subject", "invalid_type"),
          at("/bogus", "unknown_field"),
        ]),
      );
    }
  });

  test.each(["x@postrider.test\r\nBcc: y@other.test", "x\n@postrider.test", "x@postrider.test\r"])(
    "with the address %j is refused, so no header can be injected",
    async (address) => {
      const more = { reply_to: address, headers: { "X-A": "b\r\nBcc: y@other.test" } };
      const { status, errors } = await refusal(await post(daemon, letter(address, more)));
      expect(status).toBe(422);
      expect(errors).toEqual([
        at("/to", "invalid_address"),
        at("/reply_to", "invalid_address"),
        at("/headers/X-A", "invalid_header"),
      ]);
    },
  );
});

describe("a key", () => {
  const ask = (headers: Record<string, string>) =>
    fetch(`${daemon.url}/send`, { method: "POST", headers, body: letter("x@postrider.test") });

  test("that is missing is 401, and an unknown one 403", async () => {
    expect(await refusal(await ask({}))).toMatchObject({ status: 401, name: "missing_api_key" });
    const wrong = await ask({ authorization: "Bearer pr_0000000000000000" });
    expect(await refusal(wrong)).toMatchObject({ status: 403, name: "invalid_api_key" });
  });
});

describe("10 MB of headers", () => {
  const TEN_MB = 10_000_000;

  test("in the request end it, and nothing else", async () => {
    const headers = { "content-type": "application/json", "x-a": "x".repeat(TEN_MB) };
    const answer = await daemon
      .request("/send", { method: "POST", headers, body: letter("x@postrider.test") })
      // The daemon may close before the client has written all.
      .catch(() => undefined);
    if (answer !== undefined) expect(answer.status).toBe(431);
  });

  test("in the field `headers` are 422, with the limits", async () => {
    const body = letter("x@postrider.test", { headers: { "X-A": "x ".repeat(TEN_MB / 2) } });
    const { status, detail, errors } = await refusal(await post(daemon, body));
    expect(status).toBe(422);
    expect(errors).toEqual([at("/headers", "invalid_header")]);
    expect(detail).toContain("10000007 bytes; at most 200 fields and 65536 bytes are taken");
  });

  test.each([
    ["as one line", `X-A: ${"x".repeat(TEN_MB)}\r\n`, "line_too_long"],
    ["as many", `X-A: ${"x".repeat(500)}\r\n`.repeat(TEN_MB / 507), "header_too_large"],
  ])("of a raw message, %s, are 422 before the rest is read", async (_, headers, code) => {
    const body = `From: a@sender.test\r\nTo: x@postrider.test\r\n${headers}\r\nhello\r\n`;
    const { status, errors } = await refusal(await post(daemon, body, "message/rfc822"));
    expect(status).toBe(422);
    expect(errors).toEqual([at("", code)]);
  });
});

describe.each([41_000_000, 60_000_000])("a message of %d bytes", (size) => {
  const line = `${"x".repeat(98)}\r\n`;
  const start = {
    "application/json": '{"from":"a@sender.test","to":"x@postrider.test","subject":"s","text":"',
    "application/cbor": "\xa1\x64text\x7a\x03\xb9\xac\xa0",
    "message/rfc822": "From: a@sender.test\r\nTo: x@postrider.test\r\n\r\n",
  } as const;
  const whole = (type: keyof typeof start): Buffer<ArrayBuffer> =>
    Buffer.from(start[type].padEnd(size, line), "latin1");
  const chunked = (bytes: Uint8Array): ReadableStream<Uint8Array> => {
    let sent = 0;
    return new ReadableStream({
      pull(controller) {
        controller.enqueue(bytes.slice(sent, (sent += 1_000_000)));
        if (sent >= bytes.length) controller.close();
      },
    });
  };

  test.each(["application/json", "application/cbor", "message/rfc822"] as const)(
    "as %s is 413 with the limit, whole and in chunks",
    async (type) => {
      const body = whole(type);
      const told = await refusal(await post(daemon, body, type));
      expect(told).toMatchObject({ status: 413, name: "message_too_large" });
      expect(told.detail).toContain(`${size} bytes; the limit is 40000000 bytes`);
      const counted = await refusal(await post(daemon, chunked(body), type));
      expect(counted).toMatchObject({ status: 413, name: "message_too_large" });
      expect(counted.detail).toContain("the limit is 40000000 bytes (max_message_bytes)");
    },
    30_000,
  );
});

test("what is right is still taken afterwards", async () => {
  await reaches(daemon, await send(daemon, "delivered@postrider.test"), "delivered");
  expect(await counts(daemon)).toEqual({ delivered: 1 });
});
