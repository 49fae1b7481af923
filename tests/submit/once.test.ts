// `Idempotency-Key` at the door: what counts as the same request, and what is answered when it comes again.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { encode } from "cbor-x";
import { systemClock } from "../../src/base/clock.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Accept, Once, Suppressed } from "../../src/mail/submission.ts";
import { decodeCbor } from "../../src/submit/cbor.ts";
import { owner } from "../../src/submit/caller.ts";
import { storedContent } from "../../src/submit/content.ts";
import { readIdempotencyKey, requestHash } from "../../src/submit/once.ts";
import { createSpool } from "../../src/submit/spool.ts";
import { createFixture, type Fixture, message, problemOf } from "./doorFixture.ts";

/** A queue that keeps keys, as the store does. */
function createKeeping() {
  const kept = new Map<string, Once>();
  const stored: string[] = [];
  const state: { suppressed?: Suppressed; refusing: boolean } = { refusing: false };
  const accept: Accept = async (messages, once) => {
    if (state.refusing && messages.length > 0)
      return { kind: "refused", why: "queue_full", retryAfterS: 1 };
    const before = once === undefined ? undefined : kept.get(once.key);
    if (before !== undefined && before.request !== once?.request) return { kind: "mismatch" };
    const { suppressed } = state;
    const more = suppressed === undefined ? {} : { suppressed };
    if (before !== undefined) return { kind: "replayed", answer: before.answer, ...more };
    if (once !== undefined && messages.length > 0) kept.set(once.key, once);
    for (const { head } of messages) stored.push(JSON.parse(head.facts).subject);
    return { kind: "accepted", ...more };
  };
  return { accept, stored, state, kept };
}

let queue: ReturnType<typeof createKeeping>;
let fixture: Fixture;
beforeEach(() => {
  queue = createKeeping();
  fixture = createFixture({ accept: queue.accept });
});
afterEach(() => fixture.close());

const key = { "idempotency-key": "order-17" };
const idOf = async (response: Response) => ((await response.json()) as { id: string }).id;

async function sendForm(
  fields: Readonly<Record<string, string>>,
  file: Uint8Array,
  headers: Record<string, string>,
): Promise<Response> {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("attachments", new Blob([new Uint8Array(file)]), "a.bin");
  const request = new Request("http://door.test/", { method: "POST", body: form });
  const type = request.headers.get("content-type") ?? "";
  const body = await request.bytes();
  return fixture.post("/send", body, { ...headers, "content-type": type });
}

describe("the same request again", () => {
  test("is answered as the first time and stored once", async () => {
    const first = await fixture.post("/send", message, key);
    const second = await fixture.post("/send", message, key);
    expect([first.status, second.status]).toEqual([202, 202]);
    expect(first.headers.get("idempotent-replayed")).toBeNull();
    expect(second.headers.get("idempotent-replayed")).toBe("true");
    expect(second.headers.get("location")).toBe(first.headers.get("location"));
    expect(await second.text()).toBe(await first.text());
    expect(queue.stored).toHaveLength(1);
  });

  test("may come in CBOR and with its fields in another order, and is answered in CBOR", async () => {
    const first = await fixture.post("/send", message, key);
    const { text, ...rest } = message;
    const body = new Uint8Array(encode({ text, ...rest }));
    const headers = { ...key, "content-type": "application/cbor" };
    const second = await fixture.post("/send", body, headers);
    expect(second.headers.get("content-type")).toBe("application/cbor");
    const said = decodeCbor(new Uint8Array(await second.arrayBuffer()));
    expect(said).toMatchObject({ kind: "ok", value: { id: await idOf(first), status: "queued" } });
    expect(queue.stored).toHaveLength(1);
  });

  test("may come as a form, whose files are the attachments of JSON, in memory and on the disk", async () => {
    for (const [i, size] of [1000, 900_000].entries()) {
      const bytes = Buffer.alloc(size, `file ${i} `);
      const headers = { "idempotency-key": `form-${i}` };
      const { to, ...rest } = message;
      const attachment = { filename: "a.bin", content: bytes.toString("base64") };
      const json = { ...rest, to: to[0], attachments: [attachment] };
      const id = await idOf(await fixture.post("/send", json, headers));
      const again = await sendForm({ ...rest, to: to[0] ?? "" }, bytes, headers);
      expect([again.headers.get("idempotent-replayed"), await idOf(again)]).toEqual(["true", id]);
      bytes[size - 1] = 1;
      const other = await sendForm({ ...rest, to: to[0] ?? "" }, bytes, headers);
      expect((await problemOf(other)).name).toBe("invalid_idempotent_request");
    }
  });

  test("may come by Resend's route, and is answered in its words", async () => {
    const id = await idOf(await fixture.post("/send", message, key));
    const again = await fixture.post("/emails", message, key);
    expect([again.status, await again.json()]).toEqual([200, { id }]);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
  });

  test("is answered even if it would be refused by now", async () => {
    let now = Date.now();
    fixture.close();
    fixture = createFixture({ accept: queue.accept, clock: { ...systemClock, now: () => now } });
    const soon = { ...message, expires_at: new Date(now + 60_000).toISOString() };
    const id = await idOf(await fixture.post("/send", soon, key));
    now += 120_000;
    expect((await fixture.post("/send", soon)).status).toBe(422);
    const again = await fixture.post("/send", soon, key);
    expect([again.status, await idOf(again)]).toEqual([202, id]);
  });

  test("so is raw mail, by a key that may no longer send as its author", async () => {
    const text = "From: a@shop.example\r\nTo: ada@example.org\r\nSubject: s\r\n\r\nHello\r\n";
    const send = (domains: readonly string[] | null, headers: Record<string, string>) =>
      fixture.door.fetch(
        new Request("http://door.test/send", {
          method: "POST",
          headers: { "content-type": "message/rfc822", ...headers },
          body: text,
        }),
        { caller: { ...owner, domains }, addressOf: () => null },
      );
    const id = await idOf(await send(null, key));
    const elsewhere = ["other.example"];
    expect((await send(elsewhere, {})).status).toBe(403);
    const again = await send(elsewhere, key);
    expect([again.status, await idOf(again)]).toEqual([202, id]);
    expect((await send(elsewhere, { "idempotency-key": "order-18" })).status).toBe(403);
  });

  test("is answered although the queue is full by now", async () => {
    const id = await idOf(await fixture.post("/send", message, key));
    queue.state.refusing = true;
    const again = await fixture.post("/send", message, key);
    expect([again.status, await idOf(again)]).toEqual([202, id]);
    expect((await fixture.post("/send", message)).status).toBe(503);
  });

  test("shows the recipients that were suppressed the first time", async () => {
    queue.state.suppressed = [{ message: 0, n: 1 }];
    const two = { ...message, to: ["a@example.org", "b@example.org"] };
    const first = await fixture.post("/send", two, key);
    const shown = (await first.json()) as { recipients: { status: string }[] };
    expect(shown.recipients.map((one) => one.status)).toEqual(["queued", "suppressed"]);
    const second = await fixture.post("/send", two, key);
    expect(await second.json()).toEqual(shown);
  });

  test("a batch is answered with the same ids, in either mode", async () => {
    for (const [i, mode] of ["strict", "permissive"].entries()) {
      const headers = { "idempotency-key": `batch-${i}`, "x-batch-validation": mode };
      const list = [message, message, ...(mode === "permissive" ? [{ from: 1 }] : [])];
      const first = await fixture.post("/send/batch", list, headers);
      const second = await fixture.post("/send/batch", list, headers);
      expect([second.status, await second.text()]).toEqual([202, await first.text()]);
      expect(second.headers.get("idempotent-replayed")).toBe("true");
    }
    expect(queue.stored).toHaveLength(4);
  });

  test("a permissive batch of which nothing would be taken by now is answered as the first time", async () => {
    let now = Date.now();
    fixture.close();
    fixture = createFixture({ accept: queue.accept, clock: { ...systemClock, now: () => now } });
    const soon = { ...message, expires_at: new Date(now + 60_000).toISOString() };
    const headers = { ...key, "x-batch-validation": "permissive" };
    const first = await fixture.post("/send/batch", [soon], headers);
    now += 120_000;
    const second = await fixture.post("/send/batch", [soon], headers);
    expect([second.status, await second.text()]).toEqual([202, await first.text()]);
    expect(second.headers.get("idempotent-replayed")).toBe("true");
    const fresh = await fixture.post("/send/batch", [soon], { ...headers, "idempotency-key": "2" });
    expect(await fresh.json()).toMatchObject({ data: [], errors: [{ index: 0 }] });
    expect(queue.stored).toHaveLength(1);
  });

  test("a batch is no answer to a list at the door for one message", async () => {
    expect((await fixture.post("/send/batch", [message], key)).status).toBe(202);
    for (const path of ["/send", "/emails"])
      expect((await problemOf(await fixture.post(path, [message], key))).status).toBe(422);
  });

  test("raw mail: the key stands in the request or in the message, which is sent without it", async () => {
    const raw = (field: string) =>
      `From: a@example.com\r\nTo: b@example.org\r\n${field}Subject: Hi\r\n\r\nText.\r\n`;
    const type = { "content-type": "message/rfc822" };
    for (const [mail, headers] of [
      [raw(""), { ...type, ...key }],
      [raw("Idempotency-Key: inside\r\n"), type],
    ] as const) {
      const first = await fixture.post("/send", mail, headers);
      const second = await fixture.post("/send", mail, headers);
      expect(second.headers.get("idempotent-replayed")).toBe("true");
      expect(await idOf(second)).toBe(await idOf(first));
      const other = await fixture.post("/send?to=c@example.org", mail, headers);
      expect((await problemOf(other)).name).toBe("invalid_idempotent_request");
    }
    expect(queue.stored).toHaveLength(2);
  });
});

describe("what does not use a key up", () => {
  test.each([
    ["a body that is refused", { ...message, subject: 1 }, 422],
    ["a body that cannot be read", "{", 400],
  ])("%s", async (_, body, status) => {
    expect((await fixture.post("/send", body, key)).status).toBe(status);
    expect((await fixture.post("/send", message, key)).status).toBe(202);
    expect(queue.stored).toHaveLength(1);
  });

  test("a queue that is full", async () => {
    queue.state.refusing = true;
    expect((await fixture.post("/send", message, key)).status).toBe(503);
    queue.state.refusing = false;
    const response = await fixture.post("/send", message, key);
    expect([response.status, response.headers.get("idempotent-replayed")]).toEqual([202, null]);
  });
});

describe("refused", () => {
  test("the key of another request is 409", async () => {
    await fixture.post("/send", message, key);
    const response = await fixture.post("/send", { ...message, subject: "Another" }, key);
    expect([response.status, (await problemOf(response)).name]).toEqual([
      409,
      "invalid_idempotent_request",
    ]);
    expect(queue.stored).toHaveLength(1);
  });

  test("a key whose first request is under way is 409, and soon right", async () => {
    fixture.close();
    fixture = createFixture({ accept: async () => ({ kind: "concurrent" }) });
    const response = await fixture.post("/send", message, key);
    expect([response.status, response.headers.get("retry-after")]).toEqual([409, "1"]);
    expect((await problemOf(response)).name).toBe("concurrent_idempotent_requests");
  });

  test("so it is where the first copy of the request has filled the queue or the quota", async () => {
    fixture.close();
    const accept: Accept = async (messages) =>
      messages.length === 0
        ? { kind: "concurrent" }
        : { kind: "refused", why: "daily_quota_exceeded", retryAfterS: 80_000 };
    fixture = createFixture({ accept });
    for (const [path, body] of [
      ["/send", message],
      ["/send/batch", [message]],
    ] as const) {
      const response = await fixture.post(path, body, key);
      expect([response.status, response.headers.get("retry-after")]).toEqual([409, "1"]);
      expect((await fixture.post(path, body)).status).toBe(429);
    }
  });

  test.each(["", '"', '"a', "x".repeat(257), "ä", '"a" b', "tab\tbed"])(
    "%j is no key",
    async (value) => {
      const headers = { "idempotency-key": value };
      for (const path of ["/send", "/send/batch"]) {
        const response = await fixture.post(path, message, headers);
        expect([response.status, (await problemOf(response)).name]).toEqual([
          400,
          "invalid_idempotency_key",
        ]);
      }
      expect(queue.stored).toEqual([]);
    },
  );

  test("the spool file of a request that came before is removed", async () => {
    const large = { ...message, text: "Line.\n".repeat(60_000) };
    await fixture.post("/send", large, key);
    await fixture.post("/send", large, key);
    expect(readdirSync(fixture.spoolFolder)).toHaveLength(1);
  });
});

describe("a key", () => {
  const read = (header: string, number = 0) => {
    const result = readIdempotencyKey(header, { ...owner, key: number });
    return result.kind === "ok" ? result.value : undefined;
  };
  test("means the same bare and quoted", () => {
    expect(read('"order \\"17\\""')).toBe(read('order "17"'));
    expect(read("x".repeat(256))).toBeDefined();
    expect(read(`"${"x".repeat(256)}"`)).toBeDefined();
    expect(read("x".repeat(257))).toBeUndefined();
  });
  test("of another caller is another one", () => {
    expect(read("order-17", 1)).not.toBe(read("order-17", 2));
    expect(read("1 a", 1)).not.toBe(read("a", 11));
  });
});

describe("the hash of a request", () => {
  test("reads what lies on the disk, in a message and in a list of them", async () => {
    const scratch = await createSpool(fixture.spoolFolder, seededRandom(5)).scratch();
    const bytes = Buffer.alloc(100_000, "abc");
    await scratch.write(bytes);
    await scratch.write(Buffer.alloc(100_000, "abd"));
    const stored = (at: number) => storedContent(scratch, at, at + 100_000);
    const hashOf = (content: unknown) => requestHash({ attachments: [{ content }] });
    const listHashOf = (content: unknown) => requestHash([{ attachments: [{ content }] }]);
    for (const hash of [hashOf, listHashOf]) {
      expect(await hash(stored(0))).toBe(await hash(bytes));
      expect(await hash(stored(100_000))).not.toBe(await hash(bytes));
    }
    await scratch.close();
  });

  test("says an attachment by its bytes, however they are written", async () => {
    for (const bytes of [Buffer.from("%PDF-1.4\n"), Buffer.alloc(200_000, "0123456789")]) {
      const spellings = [
        bytes.toString("base64"),
        bytes.toString("base64").replaceAll(/(.{76})/g, "$1\r\n"),
        new Uint8Array(bytes),
        bytes.toJSON(),
        [...bytes],
      ].map((content) => requestHash({ attachments: [{ filename: "a.pdf", content }] }));
      expect(new Set(spellings).size).toBe(1);
    }
  });

  test.each([
    ["a value", { a: "1" }, { a: "2" }],
    ["a type", { a: "1" }, { a: 1 }],
    ["a border between texts", { a: ["bc"] }, { a: ["b", "c"] }],
    ["a border between fields", { a: "s1:b" }, { a: "s", b: "" }],
    ["null and nothing", { a: null }, {}],
    ["the order of a list", { to: ["a", "b"] }, { to: ["b", "a"] }],
    ["the nesting", [[1], 2], [[1, 2]]],
  ])("tells %s", (_, one, other) => {
    expect(requestHash(one)).not.toBe(requestHash(other) as string);
  });
});
