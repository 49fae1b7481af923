// GET /figures joins what threads report with what the door and the queue thread know; alerts keep the instant at which they began.
import { expect, test } from "bun:test";
import { busy, type CommandAnswer, done } from "../../src/mail/command.ts";
import type { UplinkView } from "../../src/mail/query.ts";
import { createFigures } from "../../src/report/figures.ts";
import { createFiguresDesk } from "../../src/roles/figures.ts";
import type { Health } from "../../src/submit/door.ts";
import { createSimClock } from "../sim/time.ts";

const START = Date.UTC(2026, 10, 23, 12);
const empty = { sites: [], alerts: [], paused: [], domains: {} };

function stage() {
  const clock = createSimClock(START);
  const figures = createFigures({ clock });
  const world = {
    health: { kind: "accepting" } as Health,
    uplink: { state: "up", since: null, detail: null } as UplinkView,
    said: done(empty) as CommandAnswer,
    surveys: 0,
  };
  const desk = createFiguresDesk({
    ...{ figures, clock, version: "1.2.3", startedAt: START },
    order: async () => {
      world.surveys++;
      return world.said;
    },
    uplink: () => world.uplink,
    health: () => world.health,
    config: () => ({
      ...{ hostname: "mail.test", memoryLimitBytes: 512e6, diskReserveBytes: 1e6, metrics: true },
    }),
    residentBytes: () => 77e6,
    sites: async () => [],
  });
  const pass = (ms: number): void => {
    const until = clock.monotonicMs() + ms;
    while (clock.step(until));
  };
  return { world, desk, pass, figures };
}

test("a healthy daemon says who it is and that nothing is wrong", async () => {
  const { desk, pass } = stage();
  expect((await desk.view()).now).toBeNull();
  pass(5000);
  expect(await desk.view()).toMatchObject({
    version: "1.2.3",
    hostname: "mail.test",
    started_at: "2026-11-23T12:00:00.000Z",
    uptime_seconds: 5,
    measuring: true,
    health: {
      ...{ status: "ok", refusing: null, alerts: [], paused: [] },
      memory: { resident_bytes: 77e6, limit_bytes: 512e6 },
    },
  });
});

test("an alert keeps the instant at which it began, and begins anew after it was over", async () => {
  const { desk, world, pass } = stage();
  const sinceOf = async (): Promise<string | undefined> =>
    (await desk.view()).health.alerts.find(({ code }) => code === "queue_full")?.since;
  world.health = { kind: "refusing", why: "queue_full", retryAfterS: 5 };
  const first = await sinceOf();
  pass(60_000);
  expect(await sinceOf()).toBe(first as string);
  expect((await desk.view()).health).toMatchObject({
    status: "bad",
    refusing: { why: "queue_full", retry_after_seconds: 5 },
  });
  world.health = { kind: "accepting" };
  expect(await sinceOf()).toBeUndefined();
  world.health = { kind: "refusing", why: "queue_full", retryAfterS: 5 };
  expect(await sinceOf()).not.toBe(first);
});

test("our own line is told by the alert and by its state", async () => {
  const { desk, world } = stage();
  world.uplink = { state: "port25_blocked", since: "2026-11-23T11:00:00.000Z", detail: "so" };
  const { health } = await desk.view();
  expect([health.port25_blocked, health.alerts[0]?.since]).toEqual([
    true,
    "2026-11-23T11:00:00.000Z",
  ]);
});

test("the queue thread is asked seldom, and what it said last holds while it is busy", async () => {
  const { desk, world, pass } = stage();
  const paused = [{ kind: "site", name: "a.test", since: "2026-11-23T11:00:00.000Z" }] as const;
  world.said = done({ ...empty, paused });
  for (let i = 0; i < 20; i++) await desk.view();
  expect(world.surveys).toBe(1);
  pass(2000);
  world.said = busy;
  expect((await desk.view()).health.paused).toEqual(paused);
  expect(world.surveys).toBe(2);
});

test("whoever waits for a point hears of it, leaves when it wants, and hears of the end", async () => {
  const { desk, pass, figures } = stage();
  const gone = new AbortController();
  const [one, two] = [desk.nextPoint(new AbortController().signal), desk.nextPoint(gone.signal)];
  gone.abort();
  expect(await two).toBe(false);
  pass(2000);
  expect(await one).toBe(true);
  expect(await desk.nextPoint(gone.signal)).toBe(false);
  const last = desk.nextPoint(new AbortController().signal);
  figures.stop();
  expect(await last).toBe(false);
  expect(await desk.nextPoint(new AbortController().signal)).toBe(false);
});
