// The book of webhooks in SQLite, by its commands, and its log as the reader shows it.
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "../../src/base/random.ts";
import type { WebhookCommand } from "../../src/mail/command.ts";
import type { HookAttemptView, HookEventView } from "../../src/mail/webhook.ts";
import {
  type HookEntry,
  type HookPending,
  LOG_EVENTS_MAX,
  type WebhookRecord,
  WEBHOOKS_MAX,
} from "../../src/mail/webhook.ts";
import { openSqliteStore } from "../../src/queue/sqlite.ts";
import { handle } from "../../src/roles/handlers/handle.ts";
import { webhookHandlers } from "../../src/roles/handlers/webhooks.ts";
import { createWebhookViews } from "../../src/search/webhooks.ts";

const HOUR = 3_600_000;
const TAG = "8000000000000001";
type Opened = Extract<ReturnType<typeof openSqliteStore>, { kind: "opened" }>["store"];

let folder: string;
let store: Opened;
let reading: Database;
let now: number;
let told: (readonly WebhookRecord[])[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "postrider-webhooks-"));
  now = 1_800_000_000_000;
  told = [];
  open();
});
afterEach(() => {
  reading.close();
  store.close();
  rmSync(folder, { recursive: true });
});

function open(): void {
  const opened = openSqliteStore({ dataDir: folder, random: seededRandom(1) });
  if (opened.kind !== "opened") throw new Error(opened.text);
  ({ store } = opened);
  reading = new Database(join(folder, "postrider.db"), { readonly: true });
}

function run(command: WebhookCommand) {
  const handlers = webhookHandlers({
    store,
    clock: { now: () => now },
    tell: ({ webhooks }) => void told.push(webhooks),
    fatal: (text) => {
      throw new Error(text);
    },
  });
  return handle<WebhookCommand>(handlers, command);
}

const views = () =>
  createWebhookViews(
    { prepare: (sql: string) => reading.prepare(sql) } as Parameters<typeof createWebhookViews>[0],
    TAG,
    ({ after = 0 }) => ({
      events: [{ id: after + 1, type: "email.sent", email_id: "m", to: [], body: '{"a":1}' }],
      ...{ next: 0, more: false, forgotten: 0 },
    }),
  );

const make = (id: string) =>
  run({
    do: "webhook.create",
    webhook: {
      ...{ id, endpoint: `https://${id}.example/`, events: ["email.sent"], enabled: true },
      ...{ secret: "whsec_a", createdAt: now },
    },
  });
const one = (id = "a") => store.webhooks().find((found) => found.id === id);
const entry = (event: number, change: Partial<HookEntry> = {}): HookEntry => ({
  ...{ event, type: "email.sent", email: "m", status: "success", dueAt: null, tries: 1 },
  attempts: [{ at: now, status: 200, durationMs: 5, text: "ok" }],
  ...change,
});
const progress = (cursor: number, entries: readonly HookEntry[], disable: string | null = null) =>
  run({
    do: "webhook.progress",
    progress: [{ number: 1, cursor, failingSince: null, entries, disable }],
  });
const log = () => {
  const found = views().list({ webhook: 1, limit: 100 });
  if (found.kind !== "found") throw new Error(found.kind);
  return (found.view as { data: HookEventView[] }).data;
};

test("what is made is told before it is answered, and stands after a restart", async () => {
  const answer = await make("a");
  expect(answer).toEqual({ kind: "done", value: one() });
  expect(told).toEqual([store.webhooks()]);
  expect(one()).toMatchObject({
    ...{ number: 1, endpoint: "https://a.example/", events: ["email.sent"], enabled: true },
    ...{ secrets: [{ secret: "whsec_a", until: null }], failingSince: null, disabledWhy: null },
    createdAt: now,
  });
  const before = store.webhooks();
  reading.close();
  store.close();
  open();
  expect(store.webhooks()).toEqual(before);
});

test("there are only so many, and what is not there is missing", async () => {
  for (let i = 0; i < WEBHOOKS_MAX; i++) await make(`n${i}`);
  expect(await make("more")).toMatchObject({ kind: "conflict" });
  expect(await run({ do: "webhook.remove", id: "x" })).toMatchObject({ kind: "missing" });
  expect(await run({ do: "webhook.update", id: "x", change: {} })).toMatchObject({
    kind: "missing",
  });
});

test("a secret signs for a day after it was replaced, and not longer for being replaced twice", async () => {
  await make("a");
  await run({ do: "webhook.rotate", id: "a", secret: "whsec_b" });
  now += HOUR;
  await run({ do: "webhook.rotate", id: "a", secret: "whsec_c" });
  expect(one()?.secrets).toEqual([
    { secret: "whsec_c", until: null },
    { secret: "whsec_b", until: now + 24 * HOUR },
    { secret: "whsec_a", until: now + 23 * HOUR },
  ]);
  now += 23 * HOUR;
  await run({ do: "webhook.rotate", id: "a", secret: "whsec_d" });
  expect(one()?.secrets.map(({ secret }) => secret)).toEqual(["whsec_d", "whsec_c", "whsec_b"]);
});

test("progress moves the cursor forward only, and keeps what waits for the next start", async () => {
  await make("a");
  await progress(9, [entry(9), entry(7, { status: "pending", dueAt: now + HOUR, tries: 2 })]);
  await progress(5, []);
  expect(one()?.cursor).toBe(9);
  const waits: HookPending = {
    ...{ event: 7, type: "email.sent", email: "m", dueAt: now + HOUR, tries: 2 },
  };
  expect(views().pending(1)).toEqual([waits]);
  await progress(9, [entry(7, { tries: 3 })]);
  expect(views().pending(1)).toEqual([]);
});

test("one that is switched off says why, and goes on from the first attempt when it is switched on", async () => {
  await make("a");
  await progress(7, [entry(7, { status: "pending", dueAt: now + HOUR, tries: 8 })], "it is gone");
  expect(one()).toMatchObject({ enabled: false, disabledWhy: "it is gone" });
  expect(told.at(-1)).toEqual(store.webhooks());
  await run({ do: "webhook.update", id: "a", change: { events: ["email.bounced"] } });
  expect(one()).toMatchObject({ enabled: false, disabledWhy: "it is gone" });
  await run({ do: "webhook.update", id: "a", change: { enabled: true } });
  expect(one()).toMatchObject({ enabled: true, disabledWhy: null });
  expect(views().pending(1)).toMatchObject([{ event: 7, dueAt: 0, tries: 0 }]);
});

test("what is asked for again waits with its log before it", async () => {
  await make("a");
  await progress(7, [entry(7)]);
  const pending = { event: 7, type: "email.sent", email: "m", dueAt: 0, tries: 0 };
  await run({ do: "webhook.replay", id: "a", pending });
  expect(views().pending(1)).toEqual([pending]);
  expect(log()[0]).toMatchObject({ status: "pending", attempts: 1 });
});

test("the log shows what was sent, newest first, with the last attempts of each", async () => {
  await make("a");
  await progress(3, [entry(3)]);
  now += 1000;
  const attempts = Array.from({ length: 20 }, (_, i) => ({
    ...{ at: now + i, status: 500, durationMs: 1, text: `try "${i}", and so on` },
  }));
  await progress(5, [entry(5, { status: "failed", tries: 10, attempts })]);
  await progress(5, [entry(-now, { type: "webhook.endpoint_disabled", email: "", attempts: [] })]);
  expect(log().map(({ id, status, attempts: tried }) => [id, status, tried])).toEqual([
    [`evt_5_${TAG}`, "failed", 12],
    [`note_${now}`, "success", 0],
    [`evt_3_${TAG}`, "success", 1],
  ]);
  const tries = views().attempts(1, 5);
  if (tries.kind !== "found") throw new Error(tries.kind);
  const { data } = tries.view as { data: HookAttemptView[] };
  expect(data).toHaveLength(12);
  expect(data[0]).toMatchObject({ http_status_code: 500, response: 'try "19", and so on' });
  expect(views().one(1, 3)).toMatchObject({ view: { object: "webhook_event", payload: { a: 1 } } });
  expect(views().one(1, 4)).toEqual({ kind: "missing" });
  const page = views().list({ webhook: 1, limit: 1, after: 5 });
  expect(page).toMatchObject({
    view: { has_more: true, data: [{ type: "webhook.endpoint_disabled" }] },
  });
  expect(views().list({ webhook: 1, limit: 1, after: 99 })).toMatchObject({ kind: "invalid" });
});

test("the log shows what is new also after a clock that was a year ahead was set right", async () => {
  await make("a");
  now += 365 * 24 * HOUR;
  await progress(
    2 * LOG_EVENTS_MAX,
    Array.from({ length: LOG_EVENTS_MAX }, (_, i) => entry(2 * i + 1)),
  );
  now -= 365 * 24 * HOUR;
  for (let i = 0; i < 300; i++) {
    now += 1000;
    const event = 2 * LOG_EVENTS_MAX + 2 * i + 1;
    await progress(event, [entry(event)]);
  }
  const newest = 2 * LOG_EVENTS_MAX + 2 * 299 + 1;
  expect(log().map(({ id }) => id)).toEqual(
    Array.from({ length: 100 }, (_, i) => `evt_${newest - 2 * i}_${TAG}`),
  );
});

test("the log is bounded, and what waits is no part of it", async () => {
  await make("a");
  await progress(1, [entry(1, { status: "pending", dueAt: now })]);
  for (let batch = 0; batch < 15; batch++) {
    now += 1000;
    await progress(
      2,
      Array.from({ length: 100 }, (_, i) => entry(batch * 100 + i + 2)),
    );
  }
  const [count] = reading.query("SELECT count(*) FROM webhook_event").values()[0] as [number];
  expect(count).toBeWithin(LOG_EVENTS_MAX, LOG_EVENTS_MAX + 205);
  expect(views().pending(1)).toHaveLength(1);
  await run({ do: "webhook.remove", id: "a" });
  expect(reading.query("SELECT count(*) FROM webhook_event").values()).toEqual([[0]]);
  await progress(9, [entry(9)]);
  expect(reading.query("SELECT count(*) FROM webhook_event").values()).toEqual([[0]]);
});
