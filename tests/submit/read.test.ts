// The reading routes, methods and addresses that are not known, and the document.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Fixture, createFixture, loopback, problemOf } from "./doorFixture.ts";

let fixture: Fixture;
beforeEach(() => void (fixture = createFixture()));
afterEach(() => fixture.close());

test.each([
  ["/emails/abc", { ask: "email", id: "abc" }],
  ["/emails/abc/events", { ask: "events", id: "abc" }],
  ["/emails/abc/events?smtp=0", { ask: "events", id: "abc" }],
  ["/emails/abc/events?smtp=1", { ask: "events", id: "abc", smtp: true }],
  ["/emails/abc/raw", { ask: "raw", id: "abc" }],
  ["/queue", { ask: "queue" }],
  ["/emails", { ask: "list", filter: { limit: 20 } }],
  [
    "/emails?status=deferred&to=a%40example.org&limit=5&since=2026-01-01T00:00:00Z&after=x",
    {
      ask: "list",
      filter: {
        status: "deferred",
        to: "a@example.org",
        limit: 5,
        since: "2026-01-01T00:00:00.000Z",
        after: "x",
      },
    },
  ],
  ...["%3Cown%40id%3E", "own%40id", "+%3Cown%40id%3E"].map(
    (id) =>
      [
        `/emails?message_id=${id}`,
        { ask: "list", filter: { limit: 20, message_id: "<own@id>" } },
      ] as const,
  ),
  [
    "/emails?domain=M%C3%BCnchen.example.",
    { ask: "list", filter: { limit: 20, domain: "xn--mnchen-3ya.example" } },
  ],
] as const)("GET %s asks the reader and gives its answer", async (path, query) => {
  fixture.reply = { kind: "found", view: { object: "x" } };
  const response = await fixture.get(path);
  expect(await response.json()).toEqual({ object: "x" });
  expect(fixture.asked as unknown[]).toEqual([query]);
});

test.each([
  "?to=a&to=b",
  "?since=2026-02-30",
  "?foo=1",
  "?limit=0",
  "?limit=101",
  "?limit=x",
  "?status=lost",
  "?since=yesterday",
  "?domain=a%20b",
])("GET /emails%s is refused and asks nobody", async (search) => {
  const response = await fixture.get(`/emails${search}`);
  expect([response.status, (await problemOf(response)).name]).toEqual([422, "validation_error"]);
  expect(fixture.asked).toEqual([]);
});

test("the source of a message is never shown as a page", async () => {
  fixture.reply = { kind: "bytes", bytes: Buffer.from("From: a@example.org\r\n\r\n<script>") };
  const response = await fixture.get("/emails/abc/raw");
  expect(response.headers.get("content-type")).toBe("message/rfc822");
  expect(response.headers.get("content-disposition")).toBe("attachment");
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
});

test("the source of a large message is streamed from its file, and gone with it", async () => {
  const bytes = Buffer.from("From: a@example.org\r\n\r\n" + "0123456789abcde\n".repeat(20_000));
  writeFileSync(join(fixture.spoolFolder, "large.eml"), bytes);
  fixture.reply = { kind: "spooled", file: "large.eml", sizeBytes: bytes.length };
  const response = await fixture.get("/emails/abc/raw");
  expect(response.headers.get("content-length")).toBe(String(bytes.length));
  expect(response.headers.get("content-disposition")).toBe("attachment");
  expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true);
  const given = await fixture.get("/emails/abc/raw");
  await given.body?.cancel();
  rmSync(join(fixture.spoolFolder, "large.eml"));
  expect((await fixture.get("/emails/abc/raw")).status).toBe(410);
});

test.each([
  ["missing", 404],
  ["gone", 410],
  ["busy", 503],
] as const)("an answer that is %s is %i", async (kind, status) => {
  fixture.reply = { kind };
  expect((await fixture.get("/emails/abc")).status).toBe(status);
});

describe("addresses and methods", () => {
  test("an unknown address is 404, also one that a later version may know", async () => {
    for (const path of ["/nothing", "/templates", "/emails/a/b/c", "/send/"])
      expect((await fixture.get(path)).status).toBe(404);
  });

  test("a known address with another method is 405 and names those that are taken", async () => {
    const response = await fixture.get("/send");
    expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
    const posted = await fixture.post("/queue", {});
    expect([posted.status, posted.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  });

  test("every route that reads needs a key", async () => {
    for (const path of ["/emails", "/emails/x", "/emails/x/events", "/emails/x/raw", "/queue"]) {
      const response = await fixture.door.fetch(new Request(`http://door.test${path}`), loopback);
      expect(response.status).toBe(401);
    }
    expect(fixture.asked).toEqual([]);
  });
});

test("who guesses keys is told to wait, and the right key still opens", async () => {
  const guess = () => fixture.get("/queue", { authorization: "Bearer wrong" });
  for (let i = 0; i < 20; i++) expect((await guess()).status).toBe(403);
  const response = await guess();
  expect([response.status, (await problemOf(response)).name]).toEqual([429, "rate_limit_exceeded"]);
  expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
  fixture.reply = { kind: "found", view: {} };
  expect((await fixture.get("/queue")).status).toBe(200);
});
