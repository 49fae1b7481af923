// Events by HTTP: pages, and streams that go on where they were, stop with their reader and with the daemon, and hold nothing for the slow.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";
import { createMeter } from "../../src/base/meter.ts";
import type { Feed, FeedEvent, FeedPage } from "../../src/mail/eventView.ts";
import { boundsOf } from "../../src/mail/metrics.ts";
import { type ApiKey, digestOf } from "../../src/submit/auth.ts";
import { createFixture, type Fixture } from "./doorFixture.ts";

const event = (id: number, more: Partial<FeedEvent> = {}): FeedEvent => ({
  ...{ id, type: "email.sent", email_id: "m", to: ["ann@example.com"], body: `{"id":${id}}` },
  ...more,
});

let pages: FeedPage[];
let nexts: number[];
let end: number | null;
let open: Set<AbortSignal>;
let fixture: Fixture;

const feed: Feed = {
  end: async () => end,
  next(after, signal) {
    nexts.push(after);
    const page = pages.shift();
    if (page !== undefined) return Promise.resolve(page);
    open.add(signal);
    return new Promise((resolve) =>
      signal.addEventListener("abort", () => {
        open.delete(signal);
        resolve(null);
      }),
    );
  },
};

beforeEach(() => {
  pages = [];
  nexts = [];
  end = 100;
  open = new Set();
  fixture = createFixture({ feed, meter: createMeter(boundsOf) });
});
afterEach(() => fixture.close());

const page = (events: readonly FeedEvent[], next: number, forgotten = 0): FeedPage => ({
  ...{ events, next, more: false, forgotten },
});

async function read(response: Response, end: string): Promise<string> {
  const reader = response.body!.getReader();
  let text = "";
  while (!text.includes(end)) {
    const { value, done } = await reader.read();
    if (done) return `${text}[end]`;
    text += new TextDecoder().decode(value);
  }
  await reader.cancel();
  return text;
}

test("a stream begins now, or behind the id that a client saw last", async () => {
  for (const [path, headers, from] of [
    ["/events/stream", {}, 100],
    ["/events/stream?after=7", {}, 7],
    ["/events/stream?after=7", { "last-event-id": "9" }, 9],
    // From before a backup was brought back.
    ["/events/stream?after=5000", {}, 100],
  ] as const) {
    pages = [page([event(101)], 101)];
    const response = await fixture.get(path, headers);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const text = await read(response, "101");
    expect(text).toStartWith(`retry: 1000\n: from ${from} on\n\n`);
    expect(text).toEndWith('id: 101\ndata: {"id":101}\n\n');
    expect(nexts.shift()).toBe(from);
    nexts = [];
  }
});

test("only what was asked for is told, and the place moves on all the same", async () => {
  pages = [
    page([event(3, { type: "email.bounced" }), event(5)], 5),
    page([event(7, { to: ["bob@Other.example"] })], 7),
    page([event(9, { email_id: "n" })], 9),
    page([event(11)], 11),
  ];
  const query = "after=1&type=sent&domain=example.com&email_id=M&to=ANN@example.com";
  const text = await read(await fixture.get(`/events/stream?${query}`), "id: 11");
  expect([...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))).toEqual([5, 11]);
  expect(nexts).toEqual([1, 5, 7, 9]);
});

test("a recipient is told in each spelling of the domain", async () => {
  pages = [page([event(3), event(5, { to: ["Ann@xn--mnchen-3ya.example"] })], 5)];
  const stream = await fixture.get("/events/stream?after=1&to=ann@M%C3%BCnchen.example");
  const text = await read(stream, "id: 5");
  expect([...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))).toEqual([5]);
});

test("what is no longer kept is said", async () => {
  pages = [page([event(33)], 33, 30)];
  const text = await read(await fixture.get("/events/stream?after=3"), "id: 33");
  expect(text).toContain(": events up to 30 are gone\n\n");
});

test("a reader that leaves, or takes nothing, holds nothing but its place", async () => {
  const response = await fixture.get("/events/stream?after=1");
  const reader = response.body!.getReader();
  await reader.read();
  const pending = reader.read();
  while (open.size === 0) await Promise.resolve();
  await reader.cancel();
  await pending;
  expect(open.size).toBe(0);
  pages = Array.from({ length: 1000 }, (_, i) => page([event(i * 2 + 3)], i * 2 + 3));
  nexts = [];
  const slow = await fixture.get("/events/stream?after=1");
  const slowly = slow.body!.getReader();
  await slowly.read();
  for (let i = 0; i < 1000; i++) await Promise.resolve();
  expect(nexts.length).toBeLessThan(5);
  await slowly.cancel();
});

test("a client that takes nothing for a minute is cut, and its place is free again", async () => {
  const timers: { ms: number; run: () => void }[] = [];
  const clock = {
    ...systemClock,
    after(ms: number, run: () => void) {
      const timer = { ms, run };
      timers.push(timer);
      return { cancel: () => void timers.splice(timers.indexOf(timer) >>> 0, 1) };
    },
  };
  const own = createFixture({ feed, clock });
  const response = await own.get("/events/stream?after=1");
  const reader = response.body!.getReader();
  await reader.read();
  timers.find(({ ms }) => ms === 60_000)?.run();
  await expect(reader.read()).rejects.toThrow("takes nothing");
  expect(timers).toEqual([]);
  own.close();
});

test("a stream ends with its key: revoked, expired, or bound to less", async () => {
  const caller = { key: 7, scopes: new Set(["read"] as const), domains: null, capture: false };
  const live = { id: "k", digest: digestOf("pr_reader"), caller, expiresAt: null };
  const narrow = { ...live, caller: { ...caller, scopes: new Set(["send"] as const) } };
  for (const later of [[], [{ ...live, expiresAt: 1 }], [narrow], [{ ...live }]]) {
    let keys: readonly ApiKey[] = [live];
    const own = createFixture({ feed, keys: () => keys });
    pages = [page([event(3)], 3)];
    const headers = { authorization: "Bearer pr_reader" };
    const response = await own.get("/events/stream?after=1", headers);
    const reader = response.body!.getReader();
    await reader.read();
    keys = later;
    pages = [page([event(5)], 5)];
    const { done, value } = await reader.read();
    const stays = later.length === 1 && later[0]?.expiresAt === null && later[0] !== narrow;
    expect([done, new TextDecoder().decode(value).includes("id: 5")]).toEqual([!stays, stays]);
    await reader.cancel();
    own.close();
  }
});

test("a client that left before its answer was there holds no place", async () => {
  const leaving = new AbortController();
  const headers = { authorization: "Bearer pr_test_key" };
  const peer = { caller: null, addressOf: () => null };
  for (let i = 0; i < 200; i++) {
    const request = new Request("http://x/events/stream", { headers, signal: leaving.signal });
    const answer = fixture.door.fetch(request, peer);
    leaving.abort();
    expect((await answer).status).toBe(200);
  }
});

test("a silent stream, or one that tells nothing of what comes, says that it lives and where it is", async () => {
  let nowMs = 0;
  const clock = { ...systemClock, monotonicMs: () => (nowMs += 2000) };
  const own = createFixture({ feed, clock });
  for (const told of [[], [event(9)]]) {
    pages = Array.from({ length: 20 }, () => page(told, told.length === 0 ? 7 : 9));
    const text = await read(await own.get("/events/stream?after=7&type=bounced"), "still here");
    expect(text).toEndWith(`: still here\nid: ${told.length === 0 ? 7 : 9}\n\n`);
  }
  own.close();
});

test("streams are bounded, and end when the daemon does", async () => {
  const asked = await Promise.all(
    Array.from({ length: 105 }, () => fixture.get("/events/stream?after=1")),
  );
  const streams = asked.filter(({ status }) => status === 200);
  expect(streams).toHaveLength(100);
  const refused = await fixture.get("/events/stream");
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "5"]);
  const readers = streams.map((one) => one.body!.getReader());
  await Promise.all(readers.map((one) => one.read()));
  const last = readers[0]!.read();
  while (open.size === 0) await Promise.resolve();
  // The daemon closes its feed: everybody's wait comes to nothing.
  feedEnds();
  expect((await last).done).toBe(true);
  await Promise.all(readers.slice(1).map((one) => one.cancel()));
  const again = await fixture.get("/events/stream?after=1");
  expect(again.status).toBe(200);
  await again.body!.cancel();
});

test("a stream that could not be begun takes no place", async () => {
  end = null;
  for (let i = 0; i < 100; i++)
    expect((await fixture.get("/events/stream?after=1")).status).toBe(503);
  end = 100;
  const begun = await fixture.get("/events/stream?after=1");
  expect(begun.status).toBe(200);
  await begun.body!.cancel();
});

function feedEnds(): void {
  for (const signal of [...open]) signal.dispatchEvent(new Event("abort"));
}

test("a page is asked for by place, by time or from the end, and tells how to go on", async () => {
  fixture.reply = { kind: "found", view: { ...page([event(3)], 3), more: true } };
  const ask = async (query: string) => (await fixture.get(`/events${query}`)).json();
  expect(await ask("?after=1&type=bounced,email.sent&limit=1")).toEqual({
    ...{ object: "list", has_more: true, data: [{ id: 3 }], next: 3 },
  });
  expect(await ask("")).toMatchObject({ previous: 3 });
  await ask("?since=2026-01-01T00:00:00Z");
  await ask("?before=9");
  expect(fixture.asked.map((query) => query.ask === "feed" && query.feed)).toEqual([
    { after: 1, limit: 1, types: ["email.bounced", "email.sent"] },
    { limit: 20 },
    { limit: 20, since: Date.UTC(2026, 0, 1) },
    { limit: 20, before: 9 },
  ]);
});

test("parameters that mean nothing are refused by name", async () => {
  for (const [path, name] of [
    ["/events?afer=1", "afer"],
    ["/events?after=1e3", "after"],
    ["/events?after=1&since=2026-01-01T00:00:00Z", "since"],
    ["/events?since=yesterday", "since"],
    ["/events?since=5", "since"],
    ["/events?limit=101", "limit"],
    ["/events?type=email.opened", "type"],
    [`/events?after=${"9".repeat(16)}`, "after"],
    ["/events/stream?limit=1", "limit"],
    ["/events/stream?after=x", "after"],
    ["/events/stream?domain=a%20b", "domain"],
  ] as const) {
    const response = await fixture.get(path);
    const body = (await response.json()) as { detail: string };
    expect([path, response.status]).toEqual([path, 422]);
    expect(body.detail).toContain(`"${name}"`);
  }
  const header = await fixture.get("/events/stream", { "last-event-id": "abc" });
  expect(header.status).toBe(422);
});

test("a reader that does not answer is told as busy", async () => {
  end = null;
  fixture.reply = { kind: "busy" };
  expect((await fixture.get("/events/stream")).status).toBe(503);
  expect((await fixture.get("/events")).status).toBe(503);
});
