// POST /send with message/rfc822: streamed, with its envelope from the query or from its header.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { MessageFacts } from "../../src/mail/message.ts";
import {
  type Fixture,
  KEY,
  createFixture,
  defaultLimits,
  network,
  problemOf,
} from "./doorFixture.ts";

let fixture: Fixture;
beforeEach(() => void (fixture = createFixture()));
afterEach(() => fixture.close());

const source = [
  "From: Shop <shop@example.com>",
  "To: Ada <ada@example.org>",
  "Bcc: eve@example.net",
  "Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=",
  "X-Postrider-Priority: p0",
  "X-Postrider-Tag: campaign=spring",
  "",
  "Hello",
  "",
].join("\r\n");

const raw = { "content-type": "message/rfc822" };

test("the envelope comes from the header, and Bcc is removed", async () => {
  const response = await fixture.post("/send", source, raw);
  expect(response.status).toBe(202);
  const [taken] = fixture.taken;
  expect(taken?.head).toMatchObject({
    from: "shop@example.com",
    recipients: ["ada@example.org", "eve@example.net"],
    priority: 0,
  });
  const text = Buffer.from(taken?.body ?? []).toString();
  expect(text).not.toMatch(/eve@|x-postrider/i);
  expect(text).toMatch(/^Received: by mail\.example\.com\s+with HTTP id\s/);
  expect(text).toEndWith("\r\n\r\nHello\r\n");
  expect(JSON.parse(taken?.head.facts ?? "") as MessageFacts).toMatchObject({
    subject: "Grüße",
    bcc: ["eve@example.net"],
    tags: [{ name: "campaign", value: "spring" }],
  });
});

test("the envelope of the query wins, and may be the null path", async () => {
  const path = "/send?from=&to=bob%40example.org&to=bob@EXAMPLE.org";
  expect((await fixture.post(path, source, raw)).status).toBe(202);
  expect(fixture.taken[0]?.head).toMatchObject({ from: "", recipients: ["bob@example.org"] });
});

test("a part of sendmail's has as many recipients as sendmail puts into one", async () => {
  fixture.close();
  fixture = createFixture({ limits: { ...defaultLimits, recipientsPerField: 2 } });
  const to = Array.from({ length: 50 }, (_, i) => `to=u${i}@example.org`).join("&");
  const key = `sendmail-${"0".repeat(12)}-${"a".repeat(32)}-0`;
  const send = (idempotencyKey: string): Promise<Response> =>
    fixture.post(`/send?${to}`, source, { ...raw, "idempotency-key": idempotencyKey });
  expect((await send("another")).status).toBe(422);
  expect((await send(key)).status).toBe(202);
  expect(fixture.taken[0]?.head.recipients).toHaveLength(50);
});

describe("refused", () => {
  test.each([
    ["a bad address in the query", "/send?to=nobody", source],
    ["a parameter that is not known", "/send?cc=a@example.org", source],
    ["no From", "/send", "To: a@example.org\r\n\r\nx\r\n"],
    ["nobody to send it to", "/send", "From: a@example.org\r\n\r\nx\r\n"],
    ["nothing", "/send", ""],
    ["no mail", "/send", "just some text without a header\r\n"],
    ["a line of 2 MB", "/send", `${source}${"x".repeat(2_000_000)}`],
    ["10 MB of header", "/send", `${"X-A: yyyyyyyy\r\n".repeat(700_000)}${source}`],
    ["a priority that is not known", "/send", source.replace("p0", "p7")],
  ])("%s", async (_what, path, body) => {
    const response = await fixture.post(path, body, raw);
    expect(response.status).toBe(422);
    expect((await problemOf(response)).errors?.length).toBeGreaterThan(0);
    expect(fixture.calls).toEqual([]);
    expect(readdirSync(fixture.spoolFolder)).toEqual([]);
  });
});

/** A body of unknown length, made while it is read. */
function stream(chunks: number, chunk: Uint8Array): ReadableStream<Uint8Array> {
  let left = chunks;
  return new ReadableStream({
    pull(controller) {
      if (left === chunks) controller.enqueue(Buffer.from(source));
      if (left-- === 0) controller.close();
      else controller.enqueue(new Uint8Array(chunk));
    },
  });
}

const send = (body: ReadableStream<Uint8Array>) =>
  fixture.door.fetch(
    new Request("http://door.test/send", {
      method: "POST",
      headers: { authorization: `Bearer ${KEY}`, ...raw },
      body,
    }),
    network,
  );

const lines = Buffer.from("A line of text in a message.\r\n".repeat(2000));

test("a large one goes to the spool as it comes, and its sum is right", async () => {
  expect((await send(stream(100, lines))).status).toBe(202);
  const { head, body } = fixture.taken[0] ?? {};
  expect(body).toBeNull();
  if (head?.body.kind !== "spool") throw new Error("it should be spooled");
  const bytes = readFileSync(join(fixture.spoolFolder, head.body.file));
  expect(bytes.length).toBe(head.sizeBytes);
  expect(createHash("sha256").update(bytes).digest("base64url")).toBe(head.sha256);
});

test("one that grows beyond the limit is refused and leaves no file", async () => {
  const response = await send(stream(700, lines));
  expect([response.status, (await problemOf(response)).name]).toEqual([413, "message_too_large"]);
  expect(readdirSync(fixture.spoolFolder)).toEqual([]);
});
