// Resend's dialect: its routes, its statuses and the shapes that its packages of all ages send.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { type Fixture, createFixture, message, problemOf } from "./doorFixture.ts";

let fixture: Fixture;
beforeEach(() => void (fixture = createFixture()));
afterEach(() => fixture.close());

const file = Buffer.from("a,b\n");

test("a message is answered with its id alone and 200", async () => {
  const response = await fixture.post("/emails", message);
  expect(response.status).toBe(200);
  const body = (await response.json()) as { id: string };
  expect(body).toEqual({ id: expect.any(String) });
  expect(response.headers.get("location")).toBe(`/emails/${body.id}`);
});

test("a batch is answered with its ids and 200", async () => {
  const attachments = [{ filename: "a.csv", content: file.toString("base64") }];
  const response = await fixture.post("/emails/batch", [message, { ...message, attachments }]);
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({
    data: [{ id: expect.any(String) }, { id: expect.any(String) }],
  });
  expect(Buffer.from(fixture.taken[1]?.body ?? []).toString()).toContain(file.toString("base64"));
});

test("a permissive batch tells what was wrong with whom", async () => {
  const headers = { "x-batch-validation": "permissive" };
  const response = await fixture.post("/emails/batch", [{ from: "x" }, message], headers);
  expect(await response.json()).toMatchObject({
    data: [{ id: expect.any(String) }],
    errors: [{ index: 0, message: expect.stringContaining("no valid address") }],
  });
});

test.each([
  ["base64", { content: file.toString("base64"), content_type: "text/csv" }],
  ["a Buffer in JSON, as older packages send it", { content: file, contentType: "text/csv" }],
  ["a list of numbers, as the packages for Python, Go and Ruby send it", { content: [...file] }],
  ["an empty path beside it", { content: file.toString("base64"), path: "" }],
  ["nulls for what is not given", { content: file.toString("base64"), content_id: null }],
])("an attachment as %s", async (_, attachment) => {
  const attachments = [{ filename: "a.csv", ...attachment }];
  const response = await fixture.post("/emails", { ...message, cc: null, attachments });
  expect(response.status).toBe(200);
  const source = Buffer.from(fixture.taken[0]?.body ?? []).toString();
  expect(source).toContain(file.toString("base64"));
});

test.each(["content_id", "contentId", "inlineContentId", "inline_content_id"])(
  "an inline image by %s",
  async (name) => {
    const attachments = [{ filename: "a.png", content: file, [name]: "logo" }];
    const response = await fixture.post("/emails", { ...message, html: "<p>x</p>", attachments });
    expect(response.status).toBe(200);
    expect(Buffer.from(fixture.taken[0]?.body ?? []).toString()).toContain("<logo>");
  },
);

test.each(["template", "topic_id"])("%s is refused as not supported", async (name) => {
  const response = await fixture.post("/emails", { ...message, [name]: "x" });
  const problem = await problemOf(response);
  expect([response.status, problem.name]).toEqual([422, "unsupported_field"]);
  expect(problem.errors?.[0]?.pointer).toBe(`/${name}`);
});

test("beside what a template would have brought, the sentence is about the template", async () => {
  const { from, to } = message;
  const response = await fixture.post("/emails", { from, to, template: { id: "welcome" } });
  expect((await problemOf(response)).detail).toContain('"template" is not supported');
});

test("our own dialect takes no null and no other spelling", async () => {
  const response = await fixture.post("/send", { ...message, cc: null });
  expect(response.status).toBe(422);
});
