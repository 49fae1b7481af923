// GET /sites puts together what three kinds of threads know, asks them once however many look, and says so when one does not answer.
import { expect, test } from "bun:test";
import { busy, type Command, type CommandAnswer, done } from "../../src/mail/command.ts";
import type { SiteHealthView, SurveyView } from "../../src/mail/explain.ts";
import type { Answer, SiteBacklog } from "../../src/mail/query.ts";
import { createSites } from "../../src/roles/sites.ts";
import { createSimClock } from "../sim/time.ts";

const START = Date.UTC(2026, 10, 23, 12);
const since = "2026-11-23T11:00:00.000Z";

function backlogOf(site: string, waiting: number): SiteBacklog {
  return {
    ...{ site, waiting, oldest_age_seconds: 60, next_attempt_at: since, last_error: null },
    ...{ at_least: false, states: { queued: waiting, scheduled: 0, deferred: 0 } },
  };
}
function healthOf(site: string, leased: number): SiteHealthView {
  return {
    ...{ site, leased, paused_until: null, paused_by: null, pauses: 0, failures: 0 },
    last_failure: null,
  };
}
function senderOf(site: string, running: number): object {
  return {
    ...{ site, connections: 5, idle: 1, opening: 0, running, waiting: 30, concurrency: 4 },
    ...{ ceiling: null, limits: { connections: 10 }, from: {} },
    ...{ connect_wait_ms: 0, message_wait_ms: 0 },
    phases: [{ phase: "rcpt", replies: 9, p50_ms: 4, p95_ms: 7 }],
  };
}

function stage() {
  const clock = createSimClock(START);
  const survey: SurveyView = { sites: [], alerts: [], paused: [], domains: {} };
  const world = {
    clock,
    asked: [] as string[],
    backlog: { kind: "found", view: [] } as Answer,
    senders: [] as CommandAnswer[],
    survey,
    said: undefined as CommandAnswer | undefined,
  };
  const sites = createSites({
    clock,
    uplink: () => ({ state: "up", since: null, detail: null }),
    rates: () => null,
    async ask({ ask }) {
      world.asked.push(ask);
      return world.backlog;
    },
    askSenders: async ({ do: what }) => {
      world.asked.push(what);
      return world.senders;
    },
    async order(command: Command) {
      world.asked.push(command.do);
      return world.said ?? done(world.survey);
    },
  });
  return { world, sites };
}

test("what waits, what is sent and how it stands come together, the largest first", async () => {
  const { world, sites } = stage();
  world.backlog = { kind: "found", view: [backlogOf("a.test", 3), backlogOf("b.test", 40)] };
  world.senders = [done([senderOf("b.test", 4)]), done([])];
  world.survey = {
    ...world.survey,
    sites: [healthOf("b.test", 12), healthOf("c.test", 0)],
    domains: { "b.test": 7, "a.test": 0 },
  };
  const found = await sites();
  expect(found?.map(({ site }) => site)).toEqual(["b.test", "a.test", "c.test"]);
  expect(found?.[0]).toMatchObject({
    object: "site",
    domains: 7,
    connections: { open: 5, idle: 1, opening: 0 },
    concurrency: { now: 4, limit: 10 },
    backlog: { waiting: 40, queued: 40, sending: 12 },
    slowest: { phase: "rcpt", p95_ms: 7 },
    cause: "limit",
    pause: null,
  });
  expect(found?.[1]).toMatchObject({ domains: null, concurrency: null, phases: [], slowest: null });
});

test("mail that only waits for its own time is no trouble", async () => {
  const { world, sites } = stage();
  const states = { queued: 0, scheduled: 3, deferred: 0 };
  const next_attempt_at = new Date(START + 60_000).toISOString();
  const later = { ...backlogOf("", 3), states, next_attempt_at };
  world.backlog = { kind: "found", view: [later, backlogOf("a.test", 3)] };
  expect((await sites())?.map(({ site, cause }) => [site, cause])).toEqual([
    ["", "scheduled"],
    ["a.test", "none"],
  ]);
});

test("what an operator paused is shown, also with nothing waiting, and says so", async () => {
  const { world, sites } = stage();
  world.survey = {
    ...world.survey,
    paused: [
      { kind: "site", name: "a.test", since },
      { kind: "domain", name: "b.test", since },
    ],
  };
  const found = await sites();
  expect(found?.map(({ site, cause }) => [site, cause])).toEqual([
    ["a.test", "operator"],
    ["domain:b.test", "operator"],
  ]);
  expect(found?.[0]?.pause).toMatchObject({ rule: "operator", until: null });
});

test("while everything is paused, every site is", async () => {
  const { world, sites } = stage();
  world.backlog = { kind: "found", view: [backlogOf("a.test", 3)] };
  world.survey = { ...world.survey, paused: [{ kind: "all", name: "", since }] };
  expect((await sites())?.map(({ pause }) => pause?.rule)).toEqual(["operator"]);
});

test("a provider's pause is told with its rule and its end, until it is over", async () => {
  const { world, sites } = stage();
  const until = new Date(START + 60_000).toISOString();
  const rests = { ...healthOf("a.test", 0), paused_until: until, paused_by: "google.rate" };
  world.survey = { ...world.survey, sites: [rests] };
  expect((await sites())?.[0]).toMatchObject({
    pause: { rule: "google.rate", until },
  });
});

test("more than can be told apart is said to be so", async () => {
  const { world, sites } = stage();
  const many = { ...backlogOf("a.test", 20_000), at_least: true, states: null };
  world.backlog = { kind: "found", view: [many] };
  expect((await sites())?.[0]?.backlog).toMatchObject({
    ...{ waiting: 20_000, at_least: true, queued: null, scheduled: null, deferred: null },
  });
});

test("however many look, it is asked once; and again when the answer is old", async () => {
  const { world, sites } = stage();
  const [one, two] = await Promise.all([sites(), sites()]);
  expect(one).toBe(two as never);
  await sites();
  expect(world.asked).toEqual(["backlog", "sender.sites", "queue.survey"]);
  world.clock.after(1000, () => {});
  while (world.clock.step(1000));
  await sites();
  expect(world.asked).toHaveLength(6);
});

test("a thread that does not answer is told, and asked anew by whoever comes next", async () => {
  const { world, sites } = stage();
  world.backlog = { kind: "busy" };
  expect(await sites()).toBeNull();
  world.backlog = { kind: "found", view: [] };
  world.said = busy;
  expect(await sites()).toBeNull();
  world.said = undefined;
  expect(await sites()).toEqual([]);
});

test("a sender that does not answer leaves its sites to what the others know", async () => {
  const { world, sites } = stage();
  world.backlog = { kind: "found", view: [backlogOf("a.test", 3)] };
  world.senders = [busy];
  expect((await sites())?.[0]).toMatchObject({ site: "a.test", concurrency: null });
});
