// The official `resend` package, unchanged, against the compiled binary: nothing is set but RESEND_BASE_URL and the key.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { simpleParser } from "mailparser";
import { Resend } from "resend";
import { type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { until } from "../fixtures/until.ts";

const TEST_MS = 60_000;

let folder: string;
let daemon: Daemon;
let resend: Resend;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "postrider-resend-"));
  daemon = await startDaemon({
    dataDir: folder,
    flags: ["--workers", "1", "--hostname", "one.test", "--keep-bodies", "true"],
  });
  process.env["RESEND_BASE_URL"] = daemon.url;
  resend = new Resend(daemon.key);
}, TEST_MS);
afterAll(async () => {
  delete process.env["RESEND_BASE_URL"];
  await daemon.stop();
  rmSync(folder, { recursive: true, force: true });
}, TEST_MS);

const to = "delivered@postrider.test";
const letter = { from: "Shop <shop@one.test>", to, subject: "Ünïcode 你好", text: "Good day" };

/** The data of an answer without a fault; a fault is shown in full. */
function dataOf<T>({ data, error }: { data: T | null; error: unknown }): T {
  if (error !== null || data === null) throw new Error(JSON.stringify(error));
  return data;
}

async function becomes(id: string, word: string) {
  return until(`${id} is ${word}`, async () => {
    const email = dataOf(await resend.emails.get(id));
    return email.last_event === word ? email : undefined;
  });
}

test("send and get", async () => {
  const { id } = dataOf(
    await resend.emails.send({
      ...letter,
      cc: ["Ada <ada@postrider.test>"],
      replyTo: "help@one.test",
      html: "<p>Good day</p>",
      headers: { "X-Order": "17" },
      tags: [{ name: "kind", value: "receipt" }],
    }),
  );
  const email = await becomes(id, "delivered");
  expect(email).toMatchObject({
    object: "email",
    id,
    from: letter.from,
    to: [to],
    cc: ["Ada <ada@postrider.test>"],
    bcc: null,
    reply_to: ["help@one.test"],
    subject: letter.subject,
    created_at: expect.stringContaining("T"),
    scheduled_at: null,
    tags: [{ name: "kind", value: "receipt" }],
  });
});

test("attachments of every form that the package takes", async () => {
  const bytes = Buffer.from([0, 1, 2, 250, 255]);
  const { id } = dataOf(
    await resend.emails.send({
      ...letter,
      html: '<img src="cid:logo">',
      scheduledAt: "in 1 hour",
      attachments: [
        { filename: "buffer.bin", content: bytes, contentType: "application/octet-stream" },
        { filename: "base64.bin", content: bytes.toString("base64") },
        { filename: "logo.png", content: bytes, contentType: "image/png", contentId: "logo" },
      ],
    }),
  );
  const raw = await (await daemon.request(`/emails/${id}/raw`)).text();
  const { attachments } = await simpleParser(raw);
  expect(attachments.map((one) => one.filename).sort()).toEqual([
    "base64.bin",
    "buffer.bin",
    "logo.png",
  ]);
  expect(attachments.every(({ content }) => content.equals(bytes))).toBe(true);
  expect(attachments.find((one) => one.contentId === "<logo>")?.related).toBe(true);
});

test("a batch, with attachments and a schedule, strict and permissive", async () => {
  const attachments = [{ filename: "a.txt", content: Buffer.from("hello") }];
  const strict = dataOf(
    await resend.batch.send([
      letter,
      { ...letter, attachments, scheduledAt: "in 10 min" } as never,
    ]),
  );
  expect(strict.data).toHaveLength(2);
  const late = dataOf(await resend.emails.get(strict.data[1]?.id ?? ""));
  expect(late.last_event).toBe("scheduled");
  expect(late.scheduled_at).not.toBeNull();
  const refused = await resend.batch.send([letter, { ...letter, to: "nobody" }]);
  expect(refused.error).toMatchObject({ name: "validation_error", statusCode: 422 });
  const some = dataOf(
    await resend.batch.send([{ ...letter, to: "nobody" }, letter], {
      batchValidation: "permissive",
    }),
  );
  expect(some.data).toHaveLength(1);
  expect(some.errors).toMatchObject([{ index: 0, message: expect.stringContaining("nobody") }]);
});

test("a scheduled message is moved and canceled", async () => {
  const { id } = dataOf(await resend.emails.send({ ...letter, scheduledAt: "in 2 hours" }));
  const at = new Date(Date.now() + 7_200_000).toISOString();
  expect(dataOf(await resend.emails.update({ id, scheduledAt: at }))).toEqual({
    object: "email",
    id,
  });
  expect(dataOf(await resend.emails.get(id)).scheduled_at).toBe(at);
  expect(dataOf(await resend.emails.cancel(id))).toMatchObject({ object: "email", id });
  await becomes(id, "canceled");
  const gone = dataOf(await resend.emails.send(letter));
  await becomes(gone.id, "delivered");
  const late = await resend.emails.cancel(gone.id);
  expect(late.error).toMatchObject({ name: "not_cancelable", statusCode: 409 });
});

test("the list goes on page by page, newest first", async () => {
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) ids.unshift(dataOf(await resend.emails.send(letter)).id);
  const first = dataOf(await resend.emails.list({ limit: 3 }));
  expect(first).toMatchObject({ object: "list", has_more: true });
  expect(first.data.map(({ id }) => id)).toEqual(ids.slice(0, 3));
  const next = dataOf(await resend.emails.list({ limit: 2, after: ids[2] ?? "" }));
  expect(next.data.map(({ id }) => id)).toEqual(ids.slice(3));
  const back = dataOf(await resend.emails.list({ limit: 2, before: ids[3] ?? "" }));
  expect(back.data.map(({ id }) => id)).toEqual(ids.slice(1, 3));
});

test("an idempotency key: the first answer again, and words for what is not the same", async () => {
  const options = { idempotencyKey: "order-17" };
  const first = dataOf(await resend.emails.send(letter, options));
  expect(dataOf(await resend.emails.send(letter, options))).toEqual(first);
  const other = await resend.emails.send({ ...letter, subject: "other" }, options);
  expect(other.error).toMatchObject({ name: "invalid_idempotent_request", statusCode: 409 });
  const batch = dataOf(await resend.batch.send([letter, letter], { idempotencyKey: "all" }));
  expect(dataOf(await resend.batch.send([letter, letter], { idempotencyKey: "all" }))).toEqual(
    batch,
  );
});

test("faults are shown in their own words", async () => {
  const wrong = await resend.emails.send({ ...letter, to: ["nobody"] });
  expect(wrong.error).toMatchObject({
    name: "validation_error",
    statusCode: 422,
    message: expect.stringContaining("to[0]"),
  });
  const unknown = await resend.emails.get("4ef9a417-02e9-4d39-ad75-9611e0fcc33c");
  expect(unknown.error).toMatchObject({ name: "not_found", statusCode: 404 });
  const stranger = await new Resend("re_nobody").emails.send(letter);
  expect(stranger.error).toMatchObject({ name: "invalid_api_key", statusCode: 403 });
  const template = await resend.emails.send({
    from: letter.from,
    to,
    template: { id: "welcome", variables: {} },
  });
  expect(template.error).toMatchObject({ statusCode: 422 });
  expect(template.error?.message).toContain("template");
});
