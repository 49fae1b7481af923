// What a good request becomes: envelope, facts, times and the message itself, in every spelling that is taken.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { encode } from "cbor-x";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { simpleParser } from "mailparser";
import type { MessageFacts } from "../../src/mail/message.ts";
import { encodeCbor, decodeCbor } from "../../src/submit/cbor.ts";
import { type Fixture, createFixture, message, problemOf } from "./doorFixture.ts";

let fixture: Fixture;
beforeEach(() => void (fixture = createFixture()));
afterEach(() => fixture.close());

async function take(body: unknown, headers: Record<string, string> = {}) {
  const response = await fixture.post("/send", body, headers);
  if (response.status !== 202) throw new Error(await response.text());
  const submission = fixture.taken.at(-1);
  if (submission === undefined) throw new Error("nothing was handed to the queue");
  return submission;
}

describe("the envelope", () => {
  test("holds to, cc and bcc once each, in wire form; Bcc is not in the message", async () => {
    const { head, body } = await take({
      ...message,
      to: ["Ada <ada@EXAMPLE.org>", "ada@example.org"],
      cc: "bob@bücher.example",
      bcc: ["Eve <eve@example.net>"],
    });
    expect(head.recipients).toEqual([
      "ada@example.org",
      "bob@xn--bcher-kva.example",
      "eve@example.net",
    ]);
    const source = Buffer.from(body ?? []).toString();
    expect(source).not.toContain("eve@");
    expect(source).not.toMatch(/^bcc:/im);
    expect((JSON.parse(head.facts) as MessageFacts).bcc).toEqual(["Eve <eve@example.net>"]);
  });

  test("its sender is the return path with the id in place, or the null path", async () => {
    const { head } = await take({ ...message, return_path: "bounce+{id}@Example.com" });
    expect(head.from).toMatch(/^bounce\+[0-9a-f-]{36}@example\.com$/);
    const id = head.from.slice(7, 43);
    expect(head.facts).toContain(id);
    expect((await take({ ...message, return_path: "<>" })).head.from).toBe("");
  });

  test("a local part beyond ASCII needs SMTPUTF8", async () => {
    expect((await take({ ...message, bcc: "jürgen@example.org" })).head.utf8).toBe(true);
    expect((await take(message)).head.utf8).toBe(false);
  });
});

describe("times and priority", () => {
  test("a scheduled message is due then, says so, and carries that time as its date", async () => {
    const at = new Date(Math.floor(Date.now() / 1000) * 1000 + 3_600_000);
    const response = await fixture.post("/send", { ...message, scheduled_at: at.toISOString() });
    expect(await response.json()).toMatchObject({ status: "scheduled" });
    const { head, body } = fixture.taken[0] ?? {};
    expect(head?.dueAt).toBe(at.getTime());
    expect(Buffer.from(body ?? []).toString()).toContain(
      `Date: ${at.toUTCString().replace("GMT", "+0000")}\r\n`,
    );
  });

  test("expires_in counts from the time of release; priorities are lanes", async () => {
    const { head } = await take({ ...message, expires_in: "10m", priority: "p0" });
    expect(head.expiresAt).toBe(head.dueAt + 600_000);
    expect(head.priority).toBe(0);
    expect((await take({ ...message, priority: "p2" })).head.priority).toBe(2);
  });
});

test("the caller's own Message-ID, Date and Reply-To replace ours", async () => {
  const { head, body } = await take({
    ...message,
    headers: {
      "Message-ID": "<own@example.com>",
      date: "Tue, 14 Nov 2023 22:13:20 +0100",
      "Reply-To": "Help <help@example.com>",
      "X-Order": "5",
    },
  });
  const source = Buffer.from(body ?? []).toString();
  expect(source.match(/^(message-id|date|reply-to|x-order):.*$/gim)?.sort()).toEqual([
    "Date: Tue, 14 Nov 2023 21:13:20 +0000",
    "Message-ID: <own@example.com>",
    "Reply-To: Help <help@example.com>",
    "X-Order: 5",
  ]);
  expect((JSON.parse(head.facts) as MessageFacts).message_id).toBe("<own@example.com>");
});

test("what is sent reads back the same, in every script", async () => {
  const bytes = new Uint8Array(3000).map((_, i) => (i * 7) & 255);
  const { body } = await take({
    from: "公司 <shop@example.com>",
    to: "عمر <omar@example.org>",
    subject: "您的订单 📦 ".repeat(10).trim(),
    text: `Здравствуйте\n${"x".repeat(990)}\n`,
    html: "<p>مرحبا <img src=cid:logo></p>",
    attachments: [
      { filename: "发票.pdf", content: Buffer.from(bytes).toString("base64") },
      { filename: "logo.png", content_type: "image/png", content_id: "logo", content: "aWNvbg==" },
      { filename: "old.bin", content: { type: "Buffer", data: [0, 1, 255] } },
    ],
  });
  const parsed = await simpleParser(Buffer.from(body ?? []), { skipImageLinks: true });
  expect(parsed.subject).toBe("您的订单 📦 ".repeat(10).trim());
  expect(parsed.from?.value[0]).toMatchObject({ name: "公司", address: "shop@example.com" });
  expect(parsed.text).toBe(`Здравствуйте\n${"x".repeat(990)}\n`);
  expect(parsed.attachments.map((one) => one.filename).sort()).toEqual([
    "logo.png",
    "old.bin",
    "发票.pdf",
  ]);
  const pdf = parsed.attachments.find((one) => one.filename === "发票.pdf");
  expect(new Uint8Array(pdf?.content ?? [])).toEqual(bytes);
});

describe("a member that is given twice is refused by its place", () => {
  const inside = (members: string) => JSON.stringify(message).replace("{", `{${members},`);
  test.each([
    ['"subject":"first"', "/subject"],
    ['"sub\\u006aect" : "first"', "/subject"],
    ['"headers":{"X-A":"1","X-B":"\\"X-A\\":","X-A":"2"}', "/headers/X-A"],
    ['"tags":[{"name":"a","value":"b"},{"name":"c","name":"d","value":"e"}]', "/tags/1/name"],
    ['"metadata":{"a/b":"1", "a/b"\t:\n"2"}', "/metadata/a~1b"],
    ['"metadata":{"":"1","":"2"}', "/metadata/"],
  ])("%s", async (members, pointer) => {
    const problem = await problemOf(await fixture.post("/send", inside(members)));
    expect([problem.status, problem.errors?.map((one) => one.pointer)]).toEqual([422, [pointer]]);
  });

  test("in a batch, in CBOR and in a command", async () => {
    const twice = inside('"subject":"first"');
    const batch = await fixture.post("/send/batch", `[${JSON.stringify(message)},${twice}]`);
    expect((await problemOf(batch)).errors?.[0]?.pointer).toBe("/1/subject");
    const entries = [...Object.entries(message), ["subject", "second"]];
    const pieces = entries.flat().map((one) => encodeCbor(one));
    const map = Buffer.concat([Buffer.from([0xa0 + entries.length]), ...pieces]);
    const cbor = await fixture.post("/send", map, {
      ...{ "content-type": "application/cbor", accept: "application/json" },
    });
    expect([cbor.status, (await problemOf(cbor)).detail]).toEqual([
      400,
      expect.stringContaining("twice"),
    ]);
    const command = await fixture.post(
      "/queue/hold",
      '{"domain":"a.example","domain":"b.example"}',
    );
    expect((await problemOf(command)).errors?.[0]?.pointer).toBe("/domain");
    expect(fixture.taken).toEqual([]);
  });

  test("and nothing that only looks so", async () => {
    const metadata = String.raw`"metadata":{"a":"\\","b":"\\\"","c":"\":","A":"a"}`;
    const text = String.raw`"text":"\"a\":1,\"a\" : {\"a\":1,\\\"a\\\\\": 2} \n"`;
    const body = `{"from":"a@b.example","to":["a@b.example","a@b.example"],"subject":"x",${text},${metadata}}`;
    expect((await fixture.post("/send", body)).status).toBe(202);
  });
});

describe("CBOR", () => {
  const cbor = { "content-type": "application/cbor" };

  test("the same message comes out as from JSON, with attachments as byte strings", async () => {
    const content = Buffer.from("hello attachment");
    const json = await take({
      ...message,
      attachments: [{ filename: "a.bin", content: content.toString("base64") }],
    });
    const other = await take(
      encodeCbor({
        ...message,
        attachments: [{ filename: "a.bin", content: new Uint8Array(content) }],
      }),
      cbor,
    );
    const strip = (bytes: Uint8Array | null) =>
      Buffer.from(bytes ?? [])
        .toString()
        .replace(/^(Date|Message-ID):.*\r\n/gm, "")
        .replace(/=_[0-9a-f]{32}/g, "=_boundary");
    expect(strip(other.body)).toBe(strip(json.body));
  });

  test("a plain Uint8Array, which encoders write with tag 64, is a byte string", async () => {
    const content = new Uint8Array([0, 1, 254, 255]);
    const bytes = new Uint8Array(encode({ ...message, attachments: [{ filename: "a", content }] }));
    expect(Buffer.from(bytes).includes(Buffer.from([0xd8, 64, 0x44, ...content]))).toBe(true);
    const { body } = await take(bytes, cbor);
    expect(Buffer.from(body ?? []).toString()).toContain("\r\nAAH+/w==\r\n");
  });

  test("is answered to whoever wants it no less than JSON", async () => {
    for (const [accept, type] of [
      ["application/cbor", "application/cbor"],
      ["application/json, application/cbor", "application/cbor"],
      ["application/cbor;q=0.5, application/json", "application/json"],
      ["application/json;q=0.2, application/cbor; q=0.9", "application/cbor"],
      ["application/cbor;q=0", "application/json"],
      ["*/*", "application/cbor"],
      ["application/json", "application/json"],
    ] as const) {
      const response = await fixture.post("/send", encodeCbor(message), { ...cbor, accept });
      expect([accept, response.headers.get("content-type")]).toEqual([accept, type]);
    }
  });

  test("is answered in CBOR, and problems too", async () => {
    const response = await fixture.post("/send", encodeCbor(message), cbor);
    expect([response.status, response.headers.get("content-type")]).toEqual([
      202,
      "application/cbor",
    ]);
    expect(decodeCbor(await response.bytes())).toMatchObject({
      value: { object: "email", status: "queued" },
    });
    const refused = await fixture.post("/send", encodeCbor({ ...message, foo: 1 }), cbor);
    expect(decodeCbor(await refused.bytes())).toMatchObject({
      value: { status: 422, name: "validation_error" },
    });
  });

  test.each([
    ["an endless list", [0x9b, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ["a cut-off text", [0x78, 0xff, 0x41]],
    ["a tag", [0xc2, 0x41, 0x01]],
    ["a typed array of wider numbers", [0xd8, 69, 0x42, 0, 1]],
    ["a typed array that is no byte string", [0xd8, 64, 0x01]],
    ["a typed array in a typed array", [0xd8, 64, 0xd8, 64, 0x41, 0xff]],
    ["a shared reference", [0xd8, 0x1c, 0x81, 0xd8, 0x1d, 0x00]],
    ["bytes behind the end", [0xa0, 0x00]],
    ["a text that is not UTF-8", [0x61, 0xff]],
    ["keys that are no text", [0xa1, 0x01, 0x02]],
    ["an indefinite list", [0x9f, 0xff]],
    ["nesting", new Array<number>(10_000).fill(0x81)],
    ["nothing", []],
  ])("%s is refused", async (_what, bytes) => {
    const response = await fixture.post("/send", new Uint8Array(bytes), cbor);
    const text = await response.bytes();
    expect([response.status, decodeCbor(text)]).toMatchObject([
      400,
      { value: { name: "invalid_json" } },
    ]);
  });
});

describe("large messages", () => {
  const large = { ...message, text: "A line of text.\n".repeat(30_000) };

  test("lie in the spool, whole and summed, before the queue hears of them", async () => {
    const { head, body } = await take(large);
    expect(body).toBeNull();
    if (head.body.kind !== "spool") throw new Error("it should be spooled");
    const bytes = readFileSync(join(fixture.spoolFolder, head.body.file));
    expect(bytes.length).toBe(head.sizeBytes);
    expect(createHash("sha256").update(bytes).digest("base64url")).toBe(head.sha256);
  });

  test("leave no file behind when the queue refuses them", async () => {
    fixture.answer = { kind: "refused", why: "queue_full", retryAfterS: 7 };
    const response = await fixture.post("/send", large);
    expect(response.status).toBe(503);
    expect(readdirSync(fixture.spoolFolder)).toEqual([]);
  });

  test("are refused in the same words when the queue has removed the file already", async () => {
    fixture.close();
    fixture = createFixture({
      accept: async ([taken]) => {
        if (taken?.head.body.kind === "spool")
          rmSync(join(fixture.spoolFolder, taken.head.body.file));
        return { kind: "refused", why: "disk_low", retryAfterS: 7 };
      },
    });
    const response = await fixture.post("/send", large);
    expect([response.status, (await problemOf(response)).name]).toEqual([503, "disk_low"]);
  });

  test("a message of 41 MB is refused with the limit and what it has", async () => {
    const content = "A".repeat(41_000_000);
    const response = await fixture.post("/send", {
      ...message,
      attachments: [{ filename: "a", content }],
    });
    const problem = await problemOf(response);
    expect([response.status, problem.name]).toEqual([413, "message_too_large"]);
    expect(problem.detail).toMatch(/4100\d{4} bytes; the limit is 40000000 bytes/);
  });

  test("a byte string that grows too large by its encoding is refused", async () => {
    const attachments = [{ filename: "a", content: new Uint8Array(35_000_000) }];
    const response = await fixture.post("/send", encodeCbor({ ...message, attachments }), {
      "content-type": "application/cbor",
      accept: "application/json",
    });
    expect([response.status, (await problemOf(response)).name]).toEqual([413, "message_too_large"]);
    expect(readdirSync(fixture.spoolFolder)).toEqual([]);
  });
});

describe("when the queue does not take it", () => {
  test.each(["queue_full", "disk_low", "memory_low", "draining"] as const)(
    "%s is 503",
    async (why) => {
      fixture.answer = { kind: "refused", why, retryAfterS: 9 };
      const response = await fixture.post("/send", message);
      expect([response.status, response.headers.get("retry-after")]).toEqual([503, "9"]);
      expect((await problemOf(response)).name).toBe(why);
    },
  );

  test("a door that refuses does not read the body, and accepts again by itself", async () => {
    fixture.health = { kind: "refusing", why: "disk_low", retryAfterS: 30 };
    expect((await fixture.post("/send", message)).status).toBe(503);
    expect((await fixture.get("/readyz")).status).toBe(503);
    expect((await fixture.get("/livez")).status).toBe(200);
    expect(fixture.calls).toEqual([]);
    fixture.health = { kind: "accepting" };
    expect((await fixture.post("/send", message)).status).toBe(202);
    expect((await fixture.get("/readyz")).status).toBe(200);
  });
});

test("when the queue fails itself the answer promises nothing and the log says why", async () => {
  fixture.close();
  fixture = createFixture({ accept: () => Promise.reject(new Error("the queue is gone")) });
  const response = await fixture.post("/send", message);
  expect([response.status, (await problemOf(response)).name]).toEqual([
    500,
    "internal_server_error",
  ]);
  expect(fixture.logged[0]).toContain("the queue is gone");
});

test("what was accepted and refused is counted", async () => {
  await fixture.post("/send", message);
  await fixture.post("/send", { ...message, foo: 1 });
  const samples = fixture.meter.drain();
  expect(samples).toContainEqual({
    kind: "counter",
    name: "postrider_messages_accepted_total",
    labels: { door: "http" },
    delta: 1,
  });
  expect(samples).toContainEqual({
    kind: "counter",
    name: "postrider_rejected_total",
    labels: { reason: "validation_error" },
    delta: 1,
  });
});
