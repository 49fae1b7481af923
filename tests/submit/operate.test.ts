// The operator's verbs by HTTP: what becomes of each request, and how each answer of the queue is told.
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { CommandAnswer } from "../../src/mail/command.ts";
import { idOf, uuidOf } from "../../src/mail/id.ts";
import { createFixture, type Fixture, KEY, network, problemOf, tag } from "./doorFixture.ts";

const MESSAGE = 1_800_000_000_000 * 4096 + 7;
const ID = uuidOf(MESSAGE, tag);

let fixture: Fixture;
beforeEach(() => void (fixture = createFixture()));
afterEach(() => fixture.close());

async function patch(id: string, body: unknown): Promise<Response> {
  return fixture.door.fetch(
    new Request(`http://door.test/emails/${id}`, {
      method: "PATCH",
      headers: { authorization: `Bearer ${KEY}` },
      body: JSON.stringify(body),
    }),
    network,
  );
}

test("each verb of a message becomes its command", async () => {
  expect(idOf(ID, tag)).toBe(MESSAGE);
  for (const path of [`/emails/${ID}/cancel`, `/emails/${ID}/retry`])
    expect((await fixture.post(path, {})).status).toBe(200);
  expect((await fixture.post(`/emails/${ID}/cancel`, "")).status).toBe(200);
  expect((await patch(ID, { scheduled_at: "2027-01-01T00:00:00Z" })).status).toBe(200);
  expect(fixture.ordered).toEqual([
    { do: "queue.cancel", message: MESSAGE },
    { do: "queue.retry", message: MESSAGE },
    { do: "queue.cancel", message: MESSAGE },
    { do: "queue.reschedule", message: MESSAGE, dueAt: Date.UTC(2027, 0, 1) },
  ]);
});

test("a time that has just passed is now: mail is not dated back, nor is its life over sooner", async () => {
  const before = Date.now();
  const scheduled_at = new Date(before - 20 * 3_600_000).toISOString();
  expect((await patch(ID, { scheduled_at })).status).toBe(200);
  const [command] = fixture.ordered;
  expect((command as { readonly dueAt: number }).dueAt).toBeGreaterThanOrEqual(before);
});

test("each verb of the queue becomes its command, for whatever it names", async () => {
  await fixture.post("/queue/pause", { domain: "Bücher.example." });
  await fixture.post("/queue/resume", { site: "google.com" });
  await fixture.post("/queue/flush", { all: true });
  await fixture.post("/queue/hold", { id: ID });
  await fixture.post("/queue/release", { domain: "[192.0.2.1]" });
  expect(fixture.ordered).toEqual([
    { do: "queue.pause", span: { by: "domain", name: "xn--bcher-kva.example" } },
    { do: "queue.resume", span: { by: "site", name: "google.com" } },
    { do: "queue.flush", which: { by: "all" } },
    { do: "queue.hold", which: { by: "message", message: MESSAGE } },
    { do: "queue.release", which: { by: "domain", name: "[192.0.2.1]" } },
  ]);
});

test("a verb that names nothing, two things or a wrong thing does nothing", async () => {
  const bodies = [
    {},
    { domain: "a.example", site: "b" },
    { all: false },
    { domain: "" },
    { domain: "a b" },
    { site: 7 },
    { sites: "x" },
    { id: ID },
  ];
  for (const body of bodies)
    expect([body, (await fixture.post("/queue/pause", body)).status]).toEqual([body, 422]);
  expect((await fixture.post("/queue/hold", { id: "no-id" })).status).toBe(404);
  expect((await fixture.post("/emails/no-id/cancel", {})).status).toBe(404);
  expect((await fixture.post(`/emails/${ID}/cancel`, { now: 1 })).status).toBe(422);
  expect((await patch(ID, { scheduled_at: "soon" })).status).toBe(422);
  expect((await patch(ID, { scheduled_at: "2999-01-01T00:00:00Z" })).status).toBe(422);
  expect((await fixture.post("/queue/pause", "[")).status).toBe(400);
  expect(fixture.ordered).toEqual([]);
});

test("a verb without a key is refused before it is read", async () => {
  const request = new Request("http://door.test/queue/pause", { method: "POST", body: "{}" });
  expect((await fixture.door.fetch(request, network)).status).toBe(401);
  expect(fixture.ordered).toEqual([]);
});

const told: readonly (readonly [CommandAnswer, number, string])[] = [
  [{ kind: "missing", detail: "It is not there." }, 404, "not_found"],
  [{ kind: "conflict", name: "not_cancelable", detail: "It is delivered." }, 409, "not_cancelable"],
  [{ kind: "conflict", name: "not_retryable", detail: "It is sending." }, 409, "not_retryable"],
  [{ kind: "invalid", field: "site", detail: "No." }, 422, "validation_error"],
  [{ kind: "later", why: "disk_low" }, 503, "disk_low"],
  [{ kind: "later", why: "busy" }, 503, "busy"],
];

test.each(told)("the queue's answer %o is told as a problem", async (answer, status, name) => {
  fixture.told = answer;
  const response = await fixture.post(`/emails/${ID}/cancel`, {});
  expect(response.status).toBe(status);
  expect(response.headers.get("retry-after") !== null).toBe(status === 503);
  const problem = await problemOf(response);
  expect(problem.name).toBe(name);
  if ("detail" in answer) expect(problem.detail).toContain(answer.detail);
});

test("every field that a command does not know is told, each with its place", async () => {
  const response = await fixture.post("/queue/pause", { all: true, "a/b": 1, until: 2 });
  expect((await problemOf(response)).errors).toMatchObject([
    { pointer: "/a~1b", code: "unknown_field" },
    { pointer: "/until", code: "unknown_field" },
  ]);
});
