// Those who follow the events: one question for all who stand at the same place, none while nobody listens, and nobody is told twice.
import { beforeEach, expect, test } from "bun:test";
import type { FeedEvent, FeedPage } from "../../src/mail/eventView.ts";
import type { Query } from "../../src/mail/query.ts";
import { createFollower, type Follower } from "../../src/report/follow.ts";
import { createSimClock, type SimClock } from "../sim/time.ts";

let clock: SimClock;
let events: FeedEvent[];
let asked: Query[];
let listened: number[];
let busy: boolean;
let follower: Follower;

const event = (id: number): FeedEvent => ({
  ...{ id, type: "email.sent", email_id: "x", to: ["a@b.example"], body: `{"id":${id}}` },
});

beforeEach(() => {
  clock = createSimClock(0);
  events = [];
  asked = [];
  listened = [];
  busy = false;
  follower = createFollower({
    clock,
    listen: (row) => void listened.push(row),
    async ask(query) {
      asked.push(query);
      if (busy) return { kind: "busy" };
      const { after = 0, limit } = (query as Extract<Query, { ask: "feed" }>).feed;
      const last = events.at(-1)?.id ?? 1;
      if (limit === 0) return { kind: "found", view: page([], last) };
      const found = events.filter(({ id }) => id > after);
      return { kind: "found", view: page(found, found.at(-1)?.id ?? after) };
    },
  });
});

const page = (found: readonly FeedEvent[], next: number): FeedPage => ({
  ...{ events: found, next, more: false, forgotten: 0 },
});

const HOUR_MS = 3_600_000;
const forever = new AbortController().signal;
const next = (after: number) => follower.next(after, forever, HOUR_MS);

/** Promises settle between the steps of simulated time. */
async function run(forMs: number): Promise<void> {
  const until = clock.monotonicMs() + forMs;
  do for (let i = 0; i < 20; i++) await Promise.resolve();
  while (clock.step(until));
}

async function settled(promise: Promise<FeedPage | null>): Promise<FeedPage | null | "waits"> {
  return Promise.race([promise, run(0).then(() => "waits" as const)]);
}

test("what is there already is told at once", async () => {
  events = [event(3), event(5)];
  const found = await next(3);
  expect(found).toMatchObject({ events: [{ id: 5 }], next: 5 });
  expect(listened).toEqual([]);
});

test("a hundred who wait at the same place are one question, and one word of the queue wakes them", async () => {
  const waiting = Array.from({ length: 100 }, () => next(5));
  expect(await settled(waiting[0]!)).toBe("waits");
  expect(asked).toHaveLength(1);
  expect(new Set(listened)).toEqual(new Set([2]));
  events = [event(7)];
  follower.moved();
  follower.moved();
  await run(20);
  const found = await Promise.all(waiting);
  expect(found.every((one) => one?.next === 7)).toBe(true);
  expect(asked).toHaveLength(2);
});

test("while nobody listens nobody is asked, whatever the queue says", async () => {
  events = [event(3)];
  await next(0);
  follower.moved();
  await run(60_000);
  expect(asked).toHaveLength(1);
});

test("a word that got lost costs a second, and no event", async () => {
  const waiting = next(1);
  expect(await settled(waiting)).toBe("waits");
  events = [event(3)];
  await run(1000);
  expect((await waiting)?.next).toBe(3);
});

test("a reader that does not answer is asked again, and does not answer for nothing", async () => {
  busy = true;
  const waiting = next(1);
  expect(await follower.end()).toBeNull();
  await run(450);
  expect(await settled(waiting)).toBe("waits");
  expect(asked.length).toBeLessThan(6);
  busy = false;
  events = [event(3)];
  await run(300);
  expect((await waiting)?.next).toBe(3);
});

test("who leaves, and everybody at the end, is told that nothing more comes", async () => {
  const leaving = new AbortController();
  const [first, second] = [follower.next(1, leaving.signal, HOUR_MS), next(1)];
  await run(0);
  leaving.abort();
  expect(await settled(first)).toBeNull();
  expect(await settled(second)).toBe("waits");
  follower.close();
  expect(await settled(second)).toBeNull();
  expect(await settled(next(1))).toBeNull();
  const before = asked.length;
  await run(60_000);
  expect(asked).toHaveLength(before);
});

test("a place behind which only forgotten events lie moves on", async () => {
  const gone = createFollower({
    ...{ clock, listen: () => {} },
    ask: async () => ({ kind: "found", view: page([], 41) }),
  });
  expect((await gone.next(5, forever, HOUR_MS))?.next).toBe(41);
});

test("whoever waits in vain is told so when the time is up, busy reader or not", async () => {
  for (busy of [false, true]) {
    const waiting = follower.next(7, forever, 5000);
    await run(4900);
    expect(await settled(waiting)).toBe("waits");
    await run(200);
    expect(await waiting).toEqual(page([], 7));
  }
});
