// `Prefer: wait`: an answer that waits for the end of its message, and what it costs whoever does not ask for it.
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { Clock } from "../../src/base/clock.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { Answer, Query, SettledView } from "../../src/mail/query.ts";
import { preferredWait } from "../../src/submit/wait.ts";
import { type Fixture, createFixture, KEY, message, network } from "./doorFixture.ts";

let fixture: Fixture;
let settled: Set<string>;
let asked: (readonly string[])[];
let timers: { readonly inMs: number; run: () => void }[];
let nowMs: number;

/** Time stands still until a test runs what waits for it. */
const clock: Clock = {
  ...systemClock,
  monotonicMs: () => nowMs,
  after(inMs, run) {
    const timer = { inMs, run };
    timers.push(timer);
    return { cancel: () => void (timers = timers.filter((one) => one !== timer)) };
  },
};

const ask = async (query: Query): Promise<Answer> => {
  if (query.ask !== "settled") return { kind: "missing" };
  asked.push(query.ids);
  const view = query.ids.filter((id) => settled.has(id)).map(delivered);
  return { kind: "found", view };
};

const delivered = (id: string): SettledView => ({
  id,
  status: "delivered",
  recipients: [{ address: "ada@example.org", status: "delivered", last: "250 ok" }],
});

beforeEach(() => {
  settled = new Set();
  asked = [];
  timers = [];
  nowMs = 0;
  fixture = createFixture({ ask, clock });
});
afterEach(() => fixture.close());

const post = (path = "/send", signal?: AbortSignal): Promise<Response> =>
  Promise.resolve(
    fixture.door.fetch(
      new Request(`http://door.test${path}`, {
        method: "POST",
        headers: { authorization: `Bearer ${KEY}`, prefer: "wait=10" },
        body: JSON.stringify(message),
        ...(signal === undefined ? {} : { signal }),
      }),
      network,
    ),
  );

/** Runs what waits, as if its time had come, and lets what follows happen. */
async function pass(byMs: number): Promise<void> {
  await turns();
  nowMs += byMs;
  for (const timer of timers.splice(0)) timer.run();
  await turns();
}

async function turns(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

test("the answer comes with the final states once every recipient has one", async () => {
  const answer = post();
  await pass(20);
  expect(asked).toHaveLength(1);
  settled.add(asked[0]?.[0] ?? "");
  await pass(20);
  const response = await answer;
  expect(response.status).toBe(200);
  expect(response.headers.get("preference-applied")).toBe("wait=10");
  expect(await response.json()).toEqual({
    object: "email",
    id: asked[0]?.[0],
    status: "delivered",
    recipients: [{ address: "ada@example.org", status: "delivered", last: "250 ok" }],
    warnings: expect.any(Array),
  });
  expect(timers).toEqual([]);
});

test("when the time is up it is the answer that would have come at once", async () => {
  const answer = post();
  await pass(20);
  await pass(10_000);
  const response = await answer;
  expect(response.status).toBe(202);
  expect(response.headers.get("preference-applied")).toBe("wait=10");
  expect(await response.json()).toMatchObject({ status: "queued" });
  expect(timers).toEqual([]);
});

test("many who wait are one question", async () => {
  const answers = Array.from({ length: 50 }, () => post());
  await pass(20);
  expect(asked.map((ids) => ids.length)).toEqual([50]);
  for (const id of asked[0] ?? []) settled.add(id);
  await pass(20);
  expect((await Promise.all(answers)).every(({ status }) => status === 200)).toBe(true);
});

test("no more than a thousand wait: one more is answered at once", async () => {
  const answers = Array.from({ length: 1000 }, () => post());
  await turns();
  const response = await post();
  expect(response.status).toBe(202);
  expect(response.headers.get("preference-applied")).toBeNull();
  await pass(10_000);
  await Promise.all(answers);
});

test("who goes away cancels nothing and is waited for no longer", async () => {
  const gone = new AbortController();
  void post("/send", gone.signal);
  await pass(20);
  gone.abort();
  await pass(20);
  expect(fixture.taken).toHaveLength(1);
  expect(timers).toEqual([]);
  expect(asked).toHaveLength(1);
});

test("a reader that is busy makes nobody give up", async () => {
  let busy = true;
  const late = createFixture({
    clock,
    ask: async (query) => (busy ? { kind: "busy" } : ask(query)),
  });
  const answer = late.post("/send", message, { prefer: "wait=5" });
  await pass(20);
  busy = false;
  await pass(20);
  settled.add(asked[0]?.[0] ?? "");
  await pass(20);
  expect((await answer).status).toBe(200);
  late.close();
});

test("a daemon that ends lets nobody wait: the message is stored, and that is said", async () => {
  const answer = post();
  await pass(20);
  fixture.health = { kind: "refusing", why: "draining", retryAfterS: 10 };
  await pass(20);
  expect((await answer).status).toBe(202);
});

test("Resend's dialect waits too and keeps its shape", async () => {
  const answer = post("/emails");
  await pass(20);
  settled.add(asked[0]?.[0] ?? "");
  await pass(20);
  const response = await answer;
  expect([response.status, await response.json()]).toEqual([200, { id: asked[0]?.[0] }]);
});

test("whoever does not ask is never waited for", async () => {
  expect((await fixture.post("/send", message)).status).toBe(202);
  expect(timers).toEqual([]);
});

test.each([
  ["wait=10", 10],
  ["respond-async, wait=7", 7],
  ['Wait = "5"', 5],
  ["wait=3; foo=bar", 3],
  ["wait=100000", 60],
  ["wait=0", 0],
  ["wait=-1", 0],
  ["wait=1e3", 0],
  ["wait", 0],
  ["", 0],
])("Prefer: %s waits %d s", (prefer, seconds) => {
  expect(preferredWait(prefer)).toBe(seconds);
});
