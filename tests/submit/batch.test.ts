// POST /send/batch: one unit for the queue; strict or permissive about faults.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { type Fixture, createFixture, defaultLimits, message, problemOf } from "./doorFixture.ts";

let fixture: Fixture;
beforeEach(() => void (fixture = createFixture()));
afterEach(() => fixture.close());

const bad = { ...message, to: "nobody" };

test("a batch is handed to the queue as one unit and answered with its ids in order", async () => {
  const second = { ...message, scheduled_at: new Date(Date.now() + 60_000).toISOString() };
  const response = await fixture.post("/send/batch", [message, second]);
  expect(response.status).toBe(202);
  const { data } = (await response.json()) as { data: { id: string }[] };
  expect(fixture.calls).toHaveLength(1);
  expect(data).toHaveLength(2);
  expect(new Set(data.map(({ id }) => id)).size).toBe(2);
});

test("strict: one fault refuses all, and every fault is told with its index", async () => {
  const response = await fixture.post("/send/batch", [message, bad, { ...message, foo: 1 }]);
  expect(response.status).toBe(422);
  expect((await problemOf(response)).errors?.map(({ pointer }) => pointer)).toEqual([
    "/1/to",
    "/2/foo",
  ]);
  expect(fixture.calls).toEqual([]);
});

test("permissive: the good ones are taken and the others told", async () => {
  const response = await fixture.post(
    "/send/batch",
    { emails: [bad, message, 5] },
    {
      "x-batch-validation": "permissive",
    },
  );
  expect(response.status).toBe(202);
  expect(await response.json()).toMatchObject({
    data: [{ id: expect.any(String) }],
    errors: [
      { index: 0, message: expect.stringContaining("no valid address") },
      { index: 2, message: expect.stringContaining("must be an object") },
    ],
  });
  expect(fixture.taken).toHaveLength(1);
});

test("permissive: when none is good nothing is handed over", async () => {
  const response = await fixture.post("/send/batch", [bad], { "x-batch-validation": "permissive" });
  expect([response.status, fixture.calls.length]).toEqual([202, 0]);
});

test.each([
  ["an empty list", []],
  ["an object without a list", {}],
  ["1001 messages", Array.from({ length: 1001 }, () => message)],
])("%s is refused", async (_what, body) => {
  expect((await fixture.post("/send/batch", body)).status).toBe(422);
  expect(fixture.calls).toEqual([]);
});

test("a field beside the list is refused: it would be ignored, and mail sent at once that was to wait", async () => {
  const body = { emails: [message], scheduled_at: "in 1 hour", "a/b": 1 };
  const response = await fixture.post("/send/batch", body);
  const { errors = [] } = await problemOf(response);
  expect([response.status, fixture.calls.length]).toEqual([422, 0]);
  expect(errors.map(({ pointer, code }) => `${code} ${pointer}`)).toEqual([
    "unknown_field /scheduled_at",
    "unknown_field /a~1b",
  ]);
});

test("an unknown mode is refused", async () => {
  const response = await fixture.post("/send/batch", [message], { "x-batch-validation": "lax" });
  expect(response.status).toBe(422);
});

test("mail that is no list is refused, and what is taken instead is told", async () => {
  const raw = { "content-type": "message/rfc822" };
  const response = await fixture.post("/send/batch", "From: a@b.example\r\n\r\n", raw);
  const { detail } = await problemOf(response);
  expect([response.status, detail]).toEqual([
    415,
    'The content type "message/rfc822" is not taken. Send application/json or application/cbor.',
  ]);
});

test("files of large messages go when the batch is refused", async () => {
  const large = { ...message, text: "A line of text.\n".repeat(30_000) };
  fixture.answer = { kind: "refused", why: "disk_low", retryAfterS: 1 };
  expect((await fixture.post("/send/batch", [large, message, large])).status).toBe(503);
  expect(readdirSync(fixture.spoolFolder)).toEqual([]);
});

test("which message of a batch is too large is told", async () => {
  fixture.close();
  fixture = createFixture({ limits: { ...defaultLimits, messageBytes: 350_000 } });
  // Written in base64 it is a third longer.
  const large = { ...message, text: "ä".repeat(150_000) };
  const { name, detail, errors } = await problemOf(
    await fixture.post("/send/batch", [message, large]),
  );
  expect([name, errors?.[0]?.pointer]).toEqual(["message_too_large", "/1"]);
  expect(detail).toStartWith("[1]: The message has at least");
});
