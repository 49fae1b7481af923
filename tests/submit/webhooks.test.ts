// /webhooks at the door: what is asked of the queue and of the reader, and what may be an endpoint.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseCidrList } from "../../src/base/cidr.ts";
import type { HookPending, WebhookRecord } from "../../src/mail/webhook.ts";
import { digestOf } from "../../src/submit/auth.ts";
import { owner, type Scope } from "../../src/submit/caller.ts";
import { createFixture, type Fixture, KEY, network, tag } from "./doorFixture.ts";

const record = (number: number): WebhookRecord => ({
  number,
  id: `00000000-0000-7000-8000-00000000000${number}`,
  endpoint: `https://${number}.example.com/`,
  events: null,
  enabled: true,
  secrets: [{ secret: `whsec_${number}`, until: null }],
  cursor: 0,
  failingSince: number === 2 ? 0 : null,
  disabledWhy: null,
  createdAt: 0,
});

let fixture: Fixture;
let records: WebhookRecord[];
let opened: string;
let replays: (readonly [number, HookPending])[];
beforeEach(() => {
  records = [record(1), record(2), record(3)];
  opened = "none";
  replays = [];
  const reader = { key: 7, scopes: new Set<Scope>(["read"]), domains: null, capture: false };
  fixture = createFixture({
    keys: () => [
      { id: "first", digest: digestOf(KEY), caller: owner },
      { id: "reader", digest: digestOf("reader"), caller: reader },
    ],
    webhooks: {
      records: () => records,
      pending: (number) => number * 10,
      mayReplay: (_, event) => event !== 11,
      replay: (number, pending) => void replays.push([number, pending]),
      opened() {
        const parsed = parseCidrList(opened);
        return parsed.kind === "parsed" ? parsed.value : [];
      },
    },
  });
});
afterEach(() => fixture.close());

const ask = (method: string, path: string, body?: unknown, key = KEY) =>
  fixture.door.fetch(
    new Request(`http://door.test${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
    network,
  );
const json = async (answer: Response | Promise<Response>) => {
  const { status, ...response } = {
    status: (await answer).status,
    body: await (await answer).json(),
  };
  return { status, body: response.body as Record<string, unknown> };
};
const path = (number: number, rest = ""): string => `/webhooks/${record(number).id}${rest}`;

test("one is made with a secret of its own, and told of what will never come", async () => {
  const events = ["email.delivered", "email.opened", "email.delivered"];
  const made = await json(
    ask("POST", "/webhooks", { endpoint: "https://example.com/in?a=b", events }),
  );
  expect(made.status).toBe(201);
  const [command] = fixture.ordered;
  if (command?.do !== "webhook.create") throw new Error("nothing was made");
  const { id, secret, endpoint, enabled } = command.webhook;
  expect([endpoint, enabled]).toEqual(["https://example.com/in?a=b", true]);
  expect(command.webhook.events).toEqual(["email.delivered", "email.opened"]);
  expect(Buffer.from(secret.slice("whsec_".length), "base64")).toHaveLength(32);
  expect(made.body).toMatchObject({ object: "webhook", id, signing_secret: secret });
  expect(JSON.stringify(made.body["warnings"])).toContain("email.opened");
  const all = await json(ask("POST", "/webhooks", { endpoint: "https://example.com/" }));
  expect(all.body["warnings"]).toBeUndefined();
});

test("an endpoint is a public https:// address, or one in a range that was opened", async () => {
  const refused = async (endpoint: unknown): Promise<string> => {
    const { status, body } = await json(ask("POST", "/webhooks", { endpoint }));
    return status === 422 ? String(body["detail"]) : "";
  };
  for (const endpoint of [
    "http://example.com/",
    "https://127.0.0.1/",
    "https://[::ffff:10.0.0.1]/",
    "https://0x7f.1/",
    "https://169.254.169.254/latest",
    "https://u:p@example.com/",
    "ftp://example.com/",
    "example.com",
    `https://example.com/${"a".repeat(3000)}`,
    "https://exa mple.com/",
    7,
  ])
    expect([endpoint, await refused(endpoint)]).toEqual([
      endpoint,
      expect.stringContaining("endpoint"),
    ]);
  expect(fixture.ordered).toEqual([]);
  opened = "127.0.0.0/8";
  expect(await refused("http://10.0.0.1/")).toContain("webhook_allow");
  expect(await refused("http://8.8.8.8/")).toContain("https://");
  for (const endpoint of ["http://127.0.0.1:8080/", "http://inner.example/", "https://8.8.8.8/"])
    expect([endpoint, await refused(endpoint)]).toEqual([endpoint, ""]);
});

test("events are types that there are, in a list", async () => {
  for (const events of [[], ["email.sent", "x"], [7], "email.sent", {}]) {
    const { status } = await json(
      ask("POST", "/webhooks", { endpoint: "https://a.example/", events }),
    );
    expect([events, status]).toEqual([events, 422]);
  }
  const nowhere = await json(ask("POST", "/webhooks", { events: null }));
  expect(nowhere.body["name"]).toBe("missing_required_field");
});

test("every type that the resend package knows is taken", async () => {
  const types = join(import.meta.dir, "..", "..", "node_modules", "resend", "dist", "index.d.mts");
  const union = /^type WebhookEvent = (.*);$/m.exec(readFileSync(types, "utf8"))?.[1] ?? "";
  const events = union.split(" | ").map((one) => one.slice(1, -1));
  expect(events.length).toBeGreaterThan(30);
  const made = await json(ask("POST", "/webhooks", { endpoint: "https://a.example/", events }));
  expect(made.status).toBe(201);
  expect(JSON.stringify(made.body["warnings"])).not.toContain("email.bounced");
});

test("they are listed newest first, without their secrets, by pages", async () => {
  const page = async (query: string) => {
    const { body } = await json(ask("GET", `/webhooks${query}`));
    const data = body["data"] as { id: string }[];
    return [data.map(({ id }) => Number(id.at(-1))), body["has_more"]];
  };
  expect(await page("")).toEqual([[3, 2, 1], false]);
  expect(await page("?limit=2")).toEqual([[3, 2], true]);
  expect(await page(`?limit=1&after=${record(3).id}`)).toEqual([[2], true]);
  expect(await page(`?limit=1&before=${record(1).id}`)).toEqual([[2], true]);
  expect(await page(`?before=${record(3).id}`)).toEqual([[], false]);
  // One that is gone has left its place.
  records = records.filter(({ number }) => number !== 2);
  expect(await page(`?after=${record(2).id}`)).toEqual([[1], false]);
  expect(await page(`?before=${record(2).id}`)).toEqual([[3], false]);
  expect(await page(`?after=${record(0).id}`)).toEqual([[], false]);
  expect((await ask("GET", "/webhooks?after=x")).status).toBe(422);
  expect((await ask("GET", "/webhooks?limit=0")).status).toBe(422);
  expect(await (await ask("GET", "/webhooks")).text()).not.toContain("whsec_");
});

test("the secret is shown only to a key that could make another", async () => {
  const one = await json(ask("GET", path(2)));
  expect(one.body).toMatchObject({
    ...{ object: "webhook", id: record(2).id, status: "enabled", signing_secret: "whsec_2" },
    ...{ endpoint: "https://2.example.com/", events: null, disabled_reason: null },
    pending_events: 20,
    ...{ created_at: "1970-01-01T00:00:00.000Z", failing_since: "1970-01-01T00:00:00.000Z" },
  });
  const seen = await json(ask("GET", path(2), undefined, "reader"));
  expect([seen.status, seen.body["signing_secret"]]).toEqual([200, undefined]);
  expect((await ask("DELETE", path(2), undefined, "reader")).status).toBe(401);
  expect((await ask("GET", "/webhooks/nothing")).status).toBe(404);
});

test("one is changed, gets another secret, and is removed", async () => {
  const changed = await json(ask("PATCH", path(1), { status: "disabled", events: ["email.sent"] }));
  expect(changed).toEqual({ status: 200, body: { object: "webhook", id: record(1).id } });
  const rotated = await json(ask("POST", path(1, "/signing-secret/rotate")));
  const removed = await json(ask("DELETE", path(1)));
  expect(removed.body).toEqual({ object: "webhook", id: record(1).id, deleted: true });
  const { id } = record(1);
  expect(fixture.ordered).toEqual([
    {
      do: "webhook.update",
      id,
      // What nobody asked for stays as it is by then.
      change: { events: ["email.sent"], enabled: false },
    },
    { do: "webhook.rotate", id, secret: rotated.body["signing_secret"] as string },
    { do: "webhook.remove", id },
  ]);
  for (const body of [{ status: "paused" }, { endpoint: "http://a.example/" }, { why: 1 }])
    expect((await ask("PATCH", path(1), body)).status).toBe(422);
});

test("the log is asked of the reader, by either id of an event", async () => {
  fixture.reply = { kind: "found", view: { object: "list", has_more: false, data: [] } };
  await ask("GET", path(2, `/events?limit=5&after=evt_9_${tag}`));
  await ask("GET", path(2, `/events/evt_9_${tag}`));
  await ask("GET", path(2, "/events/9/attempts"));
  expect(fixture.asked).toEqual([
    { ask: "webhookEvents", filter: { webhook: 2, limit: 5, after: 9 } },
    { ask: "webhookEvent", webhook: 2, event: 9 },
    { ask: "webhookAttempts", webhook: 2, event: 9 },
  ]);
  expect((await ask("GET", path(2, "/events?after=x"))).status).toBe(422);
  expect((await ask("GET", path(2, "/events/x"))).status).toBe(404);
});

test("an event is sent again if it is kept and the webhook is on", async () => {
  const event = { id: 9, type: "email.sent", email_id: "m", to: [], body: "{}" };
  fixture.reply = { kind: "found", view: { events: [event], next: 9, more: false, forgotten: 0 } };
  const pending = { event: 9, type: "email.sent", email: "m", dueAt: 0, tries: 0 };
  const again = await json(ask("POST", path(2, "/events/9/replay")));
  expect(again).toEqual({ status: 200, body: { object: "webhook_event", id: `evt_9_${tag}` } });
  expect(fixture.ordered).toEqual([{ do: "webhook.replay", id: record(2).id, pending }]);
  expect(replays).toEqual([[2, pending]]);
  expect((await ask("POST", path(2, "/events/8/replay"))).status).toBe(404);
  expect((await ask("POST", path(2, "/events/note_8/replay"))).status).toBe(404);
  fixture.reply = {
    ...{ kind: "found" },
    view: { events: [{ ...event, id: 11 }], next: 11, more: false, forgotten: 0 },
  };
  const full = await ask("POST", path(2, "/events/11/replay"));
  expect([full.status, full.headers.get("retry-after")]).toEqual([503, "5"]);
  records = [{ ...record(2), enabled: false }];
  expect((await ask("POST", path(2, "/events/9/replay"))).status).toBe(409);
  expect(replays).toHaveLength(1);
});
