// Attachments by URL: where they may come from, what becomes of them, and what a caller is told when they do not come.
import { afterEach, expect, test } from "bun:test";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { simpleParser } from "mailparser";
import { type AttachmentUrls, type FetchAttachment, parseRemote } from "../../src/submit/remote.ts";
import { type Fixture, createFixture, defaultLimits, message, problemOf } from "./doorFixture.ts";

let fixture: Fixture;
afterEach(() => fixture.close());

const url = "https://cdn.example.com/files/na%C3%AFve%20plan.pdf?v=2";

function open(fetchAttachment: FetchAttachment, attachmentUrls: AttachmentUrls = "on"): Fixture {
  fixture = createFixture({ fetchAttachment, limits: { ...defaultLimits, attachmentUrls } });
  return fixture;
}

const send = (...attachments: object[]): Promise<Response> =>
  fixture.post("/send", { ...message, attachments });

test.each([
  [{ content: "aGk=", path: url }, "/attachments/0/path", "conflict"],
  [{ path: "file:///etc/passwd" }, "/attachments/0/path", "invalid_attachment"],
  [{ path: "/etc/passwd" }, "/attachments/0/path", "invalid_attachment"],
  [{ path: "https://a.example/\r\nX: y" }, "/attachments/0/path", "invalid_attachment"],
  [{ path: "https://other.example/a" }, "/attachments/0/path", "invalid_attachment"],
  [{ path: "https://cdn.example.com.evil.example/a" }, "/attachments/0/path", "invalid_attachment"],
])("%j is refused before anything is fetched", async (attachment, pointer, code) => {
  open(() => Promise.reject(new Error("nothing is fetched")), ["cdn.example.com"]);
  const { errors } = await problemOf(await send(attachment));
  expect(errors).toMatchObject([{ pointer, code }]);
});

test("a host may be named, or all below a domain", () => {
  fixture = createFixture();
  const allows = (rule: string, host: string): boolean =>
    parseRemote([rule], `https://${host}/a`).kind === "ok";
  expect(allows("cdn.example.com", "CDN.example.com")).toBe(true);
  expect(allows("*.example.com", "a.b.example.com")).toBe(true);
  expect(allows("*.example.com", "example.com")).toBe(false);
  expect(allows("*.example.com", "badexample.com")).toBe(false);
  expect(allows("cdn.example.com", "a.cdn.example.com")).toBe(false);
});

test("what is fetched is attached, under the name that the URL gives it", async () => {
  const large = Buffer.alloc(400_000, "0123456789");
  open(async ({ url: asked, take }) => {
    const isLarge = asked !== url;
    for (let at = 0; at < (isLarge ? large.length : 5); at += 70_000)
      await take(isLarge ? large.subarray(at, at + 70_000) : Buffer.from("%PDF-"));
    return { kind: "fetched", type: isLarge ? "image/webp; q=1" : "text/evil" };
  });
  const answer = await send(
    { path: url },
    { path: "https://cdn.example.com/download", filename: "picture", content_id: "pic" },
    { filename: "a.txt", content: "aGk=" },
  );
  expect(answer.status).toBe(202);
  const { head } = fixture.taken[0] ?? {};
  if (head?.body.kind !== "spool") throw new Error("it is large");
  const mail = await simpleParser(readFileSync(join(fixture.spoolFolder, head.body.file)));
  expect(mail.attachments.map((one) => [one.filename, one.contentType, one.size])).toEqual([
    ["naïve plan.pdf", "application/pdf", 5],
    ["picture", "image/webp", 400_000],
    ["a.txt", "text/plain", 2],
  ]);
  expect(mail.attachments[1]?.content.equals(large)).toBe(true);
  expect(readdirSync(fixture.spoolFolder)).toHaveLength(1);
});

test("what does not come is told at its place, and nothing is stored", async () => {
  open(async ({ url: asked, take }) => {
    await take(Buffer.alloc(300_000));
    if (asked.endsWith("a")) return { kind: "fetched", type: null };
    return { kind: "refused", why: "The server answered 404." };
  });
  const answer = await send({ path: "https://a.example/a" }, { path: "https://a.example/b" });
  const problem = await problemOf(answer);
  expect([problem.status, problem.name]).toEqual([422, "invalid_attachment"]);
  expect(problem.errors).toMatchObject([{ pointer: "/attachments/1/path" }]);
  expect(problem.detail).toContain("404");
  expect([fixture.taken.length, readdirSync(fixture.spoolFolder)]).toEqual([0, []]);
});

test("all attachments together are fetched up to the size of a message, and no longer than it takes", async () => {
  const asked: (readonly [number, number])[] = [];
  open(async ({ bytesMax, timeoutMs, take }) => {
    asked.push([bytesMax, Math.round(timeoutMs / 10_000)]);
    await take(Buffer.alloc(1000));
    return { kind: "fetched", type: null };
  });
  await send({ path: "https://a.example/a" }, { path: "https://a.example/b" });
  expect(asked).toEqual([
    [40_000_000, 3],
    [39_999_000, 3],
  ]);
});

test("in a batch an attachment that does not come is told at its place, and refuses others in strict mode alone", async () => {
  open(() => Promise.resolve({ kind: "refused", why: "The server said 404." }));
  const list = [message, { ...message, attachments: [{ path: url }] }];
  const strict = await problemOf(await fixture.post("/send/batch", list));
  expect([strict.name, strict.errors?.[0]?.pointer]).toEqual([
    "invalid_attachment",
    "/1/attachments/0/path",
  ]);
  expect(fixture.calls).toEqual([]);
  const permissive = { "x-batch-validation": "permissive" };
  const answer = await fixture.post("/send/batch", list, permissive);
  expect(await answer.json()).toMatchObject({
    data: [{ id: expect.any(String) }],
    errors: [{ index: 1, errors: [{ pointer: "/1/attachments/0/path" }] }],
  });
  expect([answer.status, fixture.taken.length]).toEqual([202, 1]);
});
