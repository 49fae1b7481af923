// Bad input: each fault has its place, its code and a remedy, all are told at once, and nothing reaches the queue.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type Fixture, createFixture, message, problemOf } from "./doorFixture.ts";

let fixture: Fixture;
beforeEach(() => void (fixture = createFixture()));
afterEach(() => {
  fixture.close();
});

/** What a body is refused with, as `pointer code`. */
async function refusal(body: unknown, status = 422) {
  const response = await fixture.post("/send", body);
  const problem = await problemOf(response);
  expect({ status: response.status, body: problem.status }).toEqual({ status, body: status });
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(fixture.calls).toEqual([]);
  return {
    name: problem.name,
    detail: problem.detail,
    faults: problem.errors?.map(({ pointer, code }) => `${pointer} ${code}`) ?? [],
  };
}

test("a member of the wrong type hides no other fault of its field", async () => {
  const { faults } = await refusal({
    ...message,
    headers: { "X-A": "a\r\nb", "X-B": 5, From: "x@example.com", Date: "never" },
    metadata: { "a\n": "1", b: 2 },
    attachments: [
      { filename: "a.txt", content: "###", content_type: 5 },
      7,
      { filename: 5, content: "aGk=", content_id: "<a b>" },
    ],
    dsn: { ret: "all", notify: ["never", "success"], envid: "a b" },
  });
  expect(faults.sort()).toEqual(
    [
      "/headers/X-A invalid_header",
      "/headers/X-B invalid_type",
      "/headers/From invalid_header",
      "/headers/Date invalid_header",
      "/metadata/a\n invalid_value",
      "/metadata/b invalid_type",
      "/attachments/0/content invalid_attachment",
      "/attachments/0/content_type invalid_type",
      "/attachments/1 invalid_type",
      "/attachments/2/content_id invalid_attachment",
      "/attachments/2/filename invalid_type",
      "/dsn/ret invalid_value",
      "/dsn/notify conflict",
      "/dsn/envid invalid_value",
    ].sort(),
  );
});

test("all faults of a body are told at once", async () => {
  const { name, faults } = await refusal({
    from: "nobody",
    to: ["ada@example.org", "not an address"],
    text: 5,
    replyTo: "x@example.com",
    priority: "p9",
    attachments: [{ filename: "a.txt", content: "###" }],
    expires_in: "soon",
    tags: [{ name: "a b", value: "x" }],
  });
  expect(name).toBe("validation_error");
  expect(faults.sort()).toEqual(
    [
      "/attachments/0/content invalid_attachment",
      "/expires_in invalid_time",
      "/from invalid_address",
      "/priority invalid_value",
      "/replyTo unknown_field",
      "/subject missing_required_field",
      "/tags/0/name invalid_value",
      "/text invalid_type",
      "/to/1 invalid_address",
    ].sort(),
  );
});

test("a problem carries Resend's members and a request id", async () => {
  const response = await fixture.post("/send", { ...message, foo: 1 });
  expect(await response.json()).toMatchObject({
    type: "/docs#validation_error",
    title: "Validation failed",
    status: 422,
    instance: "/send",
    request_id: expect.stringMatching(/^req_[\w-]{12}$/),
    name: "validation_error",
    message: '"foo" is no known field. Remove it.',
    statusCode: 422,
    errors: [
      { pointer: "/foo", code: "unknown_field", detail: '"foo" is no known field. Remove it.' },
    ],
  });
});

describe("bodies that cannot be read", () => {
  test.each([
    ["a cut-off object", '{"from":'],
    ["no JSON at all", "hello"],
    ["bytes that are not UTF-8", Buffer.from([0x22, 0xff, 0xfe, 0x22])],
    ["a lone bracket a million times", "[".repeat(1_000_000)],
  ])("%s", async (_what, body) => {
    expect((await refusal(body, 400)).name).toBe("invalid_json");
  });

  test("an empty body counts as an empty object", async () => {
    const { name, faults } = await refusal("");
    expect(name).toBe("missing_required_field");
    expect(faults).toContain("/from missing_required_field");
  });

  test.each([["[]"], ["null"], ["5"], ['"text"'], ["true"]])("%s is no message", async (body) => {
    expect((await refusal(body)).faults).toContain(" invalid_type");
  });

  test("JSON nested 10,000 deep is refused before anything recurses over it", async () => {
    const deep = `{"from":${"[".repeat(10_000)}${"]".repeat(10_000)}}`;
    expect((await refusal(deep)).detail).toContain("nested deeper than 32");
  });

  test("__proto__ is a field like any other: unknown", async () => {
    const { faults } = await refusal('{"headers":{"__proto__":"x"},"from":"a@example.com"}');
    expect(faults).toEqual(["/headers/__proto__ unknown_field"]);
  });

  test("a content type that is not known names those that are", async () => {
    const response = await fixture.post("/send", "from=x", {
      "content-type": "application/x-www-form-urlencoded",
    });
    const problem = await problemOf(response);
    expect([response.status, problem.name]).toEqual([415, "unsupported_media_type"]);
    expect(problem.detail).toContain("application/json");
  });
});

describe("fields", () => {
  const one = async (change: Record<string, unknown>) =>
    (await refusal({ ...message, ...change })).faults;

  test.each([
    ["carriage return", "ada@example.org\r\nBcc: eve@example.net"],
    ["line feed in the name", "Ada\nX: y <ada@example.org>"],
    ["NUL", "ada\0@example.org"],
    ["two addresses", "ada@example.org, eve@example.net"],
    ["nothing", ""],
  ])("an address with a %s is refused", async (_what, to) => {
    expect(await one({ to })).toEqual(["/to invalid_address"]);
    expect(await one({ to: [to] })).toEqual(["/to/0 invalid_address"]);
  });

  test("a subject with a line break is refused, and one too long", async () => {
    expect(await one({ subject: "a\r\nBcc: x@example.net" })).toEqual(["/subject invalid_value"]);
    expect(await one({ subject: "a".repeat(999) })).toEqual(["/subject too_long"]);
  });

  test("half of a surrogate pair is refused wherever text is taken", async () => {
    const body = JSON.stringify(message).replace("It is on its way.", "broken \\ud83d smile");
    expect((await refusal(body)).faults).toEqual(["/text invalid_value"]);
    expect(await one({ subject: "\ud83d" })).toEqual(["/subject invalid_value"]);
  });

  test("a message needs text or html", async () => {
    const { text: _, ...rest } = message;
    expect(await refusal(rest)).toMatchObject({
      name: "missing_required_field",
      faults: ["/text missing_required_field"],
    });
  });

  test("more than 50 recipients in a field are refused, and an empty list", async () => {
    const to = Array.from({ length: 51 }, (_, i) => `a${i}@example.org`);
    expect(await one({ to })).toEqual(["/to too_many"]);
    expect(await one({ to: [] })).toEqual(["/to invalid_value"]);
  });

  test("an empty list of others says nothing, as programs write that have none", async () => {
    const none = { ...message, cc: [], bcc: [], reply_to: [], attachments: [], tags: [] };
    const response = await fixture.post("/emails", none);
    expect(response.status).toBe(200);
    const submission = fixture.taken.at(-1);
    expect(Buffer.from(submission?.body ?? []).toString()).not.toMatch(/^(?:Cc|Bcc|Reply-To):/im);
  });

  test.each([
    "From",
    "Resent-Bcc",
    "Idempotency-Key",
    "resend-idempotency-key",
    "X-Postrider-Priority",
    "x-postrider-else",
    "bcc",
    "RECEIVED",
    "Return-Path",
    "DKIM-Signature",
    "Authentication-Results",
    "MIME-Version",
    "Content-Type",
  ])("the header %s may not be set", async (name) => {
    expect(await one({ headers: { [name]: "x" } })).toEqual([`/headers/${name} invalid_header`]);
  });

  test("headers with line breaks or names beyond ASCII are refused", async () => {
    expect(await one({ headers: { "X-A": "1\r\nBcc: x@example.net" } })).toEqual([
      "/headers/X-A invalid_header",
    ]);
    expect(await one({ headers: { "X: y\r\nBcc": "1" } })).toHaveLength(1);
    expect(await one({ headers: { Über: "1" } })).toHaveLength(1);
  });

  test("10 MB of headers are refused with both numbers", async () => {
    const headers: Record<string, string> = {};
    for (let i = 0; i < 1000; i++) headers[`X-${i}`] = "y".repeat(10_000);
    const { faults, detail } = await refusal({ ...message, headers });
    expect(faults).toEqual(["/headers invalid_header"]);
    expect(detail).toContain("65536");
  });

  test("fields that this version cannot honour are refused by name", async () => {
    const refused = await refusal({
      ...message,
      attachments: [{ filename: "a", path: "https://example.com/a" }],
    });
    expect(refused.name).toBe("unsupported_field");
    expect(refused.faults.sort()).toEqual(["/attachments/0/path unsupported_field"]);
  });

  test("a camel-case name is told what it should be", async () => {
    const { detail } = await refusal({ ...message, replyTo: "a@example.com" });
    expect(detail).toContain('Did you mean "reply_to"?');
  });

  test("times that make no sense together are refused", async () => {
    const [past, future] = ["2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"];
    expect(await one({ expires_at: past })).toEqual(["/expires_at invalid_time"]);
    expect(await one({ scheduled_at: future })).toEqual(["/scheduled_at invalid_time"]);
    expect(await one({ scheduled_at: "soon" })).toEqual(["/scheduled_at invalid_time"]);
    const soon = new Date(Date.now() + 60_000).toISOString();
    expect(await one({ expires_at: soon, expires_in: "5m" })).toEqual(["/expires_in conflict"]);
  });

  test("attachments: bad base64, bad type and a bad filename are told each", async () => {
    const attachments = [
      { filename: "a\r\nb", content: "QQ==" },
      { filename: "b", content: "QQ==", content_type: "text" },
      { filename: "c", content: { type: "Buffer", data: [256] } },
      { filename: "d", content: 5 },
      { filename: "e", content: "Q" },
      { filename: "f", content: [1, -1] },
      { filename: "g", content: [1, "2"] },
    ];
    expect(await refusal({ ...message, attachments })).toMatchObject({
      name: "invalid_attachment",
      faults: [
        "/attachments/0/filename invalid_attachment",
        "/attachments/1/content_type invalid_attachment",
        "/attachments/2/content invalid_attachment",
        "/attachments/3/content invalid_attachment",
        "/attachments/4/content invalid_attachment",
        "/attachments/5/content invalid_attachment",
        "/attachments/6/content invalid_attachment",
      ],
    });
  });

  test("a hundred faults are told of a thousand", async () => {
    const body = JSON.stringify(
      Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`x${i}`, 1])),
    );
    expect((await refusal(body)).faults).toHaveLength(100);
  });
});
