// Why a site is slow: one case for each reason that there is, and the order in which they count.
import { expect, test } from "bun:test";
import type { SenderSiteView, SiteHealthView } from "../../src/mail/explain.ts";
import type { PhaseFigure } from "../../src/mail/figures.ts";
import { slowCauses, type SlowFacts, whySlow } from "../../src/mail/slow.ts";

const now = Date.UTC(2026, 10, 23, 12);
const soon = new Date(now + 90_000).toISOString();
const past = new Date(now - 90_000).toISOString();

const calm: SlowFacts = {
  site: "mx.example",
  now,
  paused: null,
  uplink: { state: "up", since: null, detail: null },
  waiting: 0,
  scheduled: 0,
  nextAttemptAt: null,
  lastError: null,
  health: null,
  sender: null,
  phases: [],
};
const busy: SlowFacts = { ...calm, waiting: 40, nextAttemptAt: past };

function health(change: Partial<SiteHealthView>): SiteHealthView {
  return {
    site: "mx.example",
    leased: 0,
    paused_until: null,
    paused_by: null,
    pauses: 0,
    failures: 0,
    last_failure: null,
    ...change,
  };
}

function resting(by: string, trouble: string, phase = "connect"): SiteHealthView {
  const said = { at: past, host: "mx1.example", code: 0, enhanced: "", text: "no route to host" };
  const last_failure = { ...said, class: trouble, phase };
  return health({ paused_until: soon, paused_by: by, pauses: 1, failures: 3, last_failure });
}

function sender(change: Partial<SenderSiteView>): SenderSiteView {
  return {
    connections: 4,
    idle: 0,
    opening: 0,
    running: 4,
    waiting: 40,
    concurrency: 4,
    ceiling: null,
    limits: { connections: 10 },
    from: { connections: "general", connectRate: "general", messageRate: "own" },
    connect_wait_ms: 0,
    message_wait_ms: 0,
    ...change,
  };
}

const phase = (name: string, p50_ms: number, p95_ms: number): PhaseFigure => ({
  ...{ phase: name, replies: 100, p50_ms, p95_ms },
});

const cases: readonly (readonly [string, Partial<SlowFacts>, string])[] = [
  [
    "operator",
    { ...busy, paused: { kind: "site", since: past } },
    "An operator paused this site at 2026-11-23 11:58:30 UTC.",
  ],
  [
    "uplink",
    { ...busy, uplink: { state: "down", since: past, detail: "no resolver answers" } },
    "Our own line is down: no resolver answers.",
  ],
  [
    "port25",
    { ...busy, uplink: { state: "port25_blocked", since: past, detail: null } },
    "Nobody can be reached on port 25.",
  ],
  [
    "no_route",
    { ...busy, site: "", lastError: "SERVFAIL" },
    "The DNS has not said yet where this mail goes. Last: SERVFAIL",
  ],
  [
    "scheduled",
    { ...busy, site: "", scheduled: 40, nextAttemptAt: soon },
    "It is scheduled, the first of it for 2026-11-23 12:01:30 UTC.",
  ],
  ["no_route", { ...busy, site: "", scheduled: 39, nextAttemptAt: soon }, "Where this mail goes"],
  ["no_route", { ...busy, site: "", scheduled: 40 }, "Where this mail goes is looked up"],
  ["no_route", { ...busy, site: "" }, "Where this mail goes is looked up when its turn comes."],
  [
    "provider_pause",
    { ...busy, health: resting("google.rate", "rate", "rcpt") },
    "It asked for a pause (google.rate) until 2026-11-23 12:01:30 UTC. Last: no route to host",
  ],
  [
    "greylist",
    { ...busy, health: resting("backoff", "greylist", "rcpt") },
    "It greylists us: the next probe goes out at",
  ],
  [
    "greylist",
    { ...calm, waiting: 4, nextAttemptAt: soon, lastError: "450 4.2.0 Greylisted, come again" },
    "It greylists us; the next attempt is due at 2026-11-23 12:01:30 UTC.",
  ],
  [
    "unreachable",
    { ...busy, health: resting("backoff", "network") },
    "None of its addresses can be connected to: the next probe",
  ],
  [
    "unreachable",
    { ...busy, health: resting("backoff", "network", "greeting") },
    "Its connections break (greeting): the next probe",
  ],
  [
    "tls_broken",
    { ...busy, health: resting("backoff", "tls", "starttls") },
    "No connection can be encrypted as it must be",
  ],
  ["backoff", { ...busy, health: resting("backoff", "protocol") }, "It rests after failures"],
  [
    "warmup",
    { ...busy, health: health({ closed_until: soon }) },
    "Each of our addresses has sent there what it may today",
  ],
  [
    "message_rate",
    { ...busy, sender: sender({ message_wait_ms: 300 }) },
    "Messages a second are limited (the table [sites] says so).",
  ],
  [
    "connect_rate",
    { ...busy, sender: sender({ connect_wait_ms: 300, running: 2 }) },
    "New connections are limited (the setting site_connect_rate).",
  ],
  [
    "concurrency",
    { ...busy, sender: sender({ ceiling: 4 }) },
    "It refuses more than 4 connections at once, of 10 that it might have: 40 jobs wait.",
  ],
  [
    "server_slow",
    { ...busy, sender: sender({ waiting: 0, waits: { phase: "rcpt", ms: 12_340 } }) },
    "Its server is slow: RCPT has been waited for 12.3 s.",
  ],
  [
    "network_slow",
    { ...busy, sender: sender({ connections: 0, running: 0, opening: 2 }) },
    "Connections are being opened, and none stands yet.",
  ],
  [
    "network_slow",
    { ...busy, phases: [phase("dot", 320, 900), phase("connect", 150, 200)] },
    "The way there is long: a round trip takes 150 ms.",
  ],
  [
    "network_slow",
    { ...busy, phases: [phase("connect", 60, 3100), phase("dot", 200, 300)] },
    "Connecting takes 60 ms, and up to 3.1 s for 19 of 20.",
  ],
  [
    "tls_slow",
    { ...busy, phases: [phase("tls", 1500, 2500)] },
    "TLS handshakes take 1.5 s, and up to 2.5 s for 19 of 20.",
  ],
  [
    "server_slow",
    { ...busy, phases: [phase("rcpt", 900, 5200), phase("connect", 20, 30)] },
    "Its server is slow: RCPT takes 900 ms, and up to 5.2 s for 19 of 20.",
  ],
  [
    "limit",
    { ...busy, sender: sender({ running: 10, concurrency: 10 }) },
    "10 connections work and 40 jobs wait: the setting site_connections.",
  ],
  [
    "limit",
    { ...busy, sender: sender({}) },
    "4 connections work and 40 jobs wait: more are opened as it proves to bear them, up to 10.",
  ],
  [
    "deferred",
    { ...calm, waiting: 4, nextAttemptAt: soon, lastError: "452 4.2.2 Mailbox full" },
    "What waits is not due before 2026-11-23 12:01:30 UTC. Last: 452 4.2.2 Mailbox full",
  ],
  ["none", {}, "Nothing waits for it."],
  ["none", { ...busy, sender: sender({ waiting: 0 }) }, "Nothing holds it up."],
];

for (const [cause, change, text] of cases)
  test(`${cause}: ${text}`, () => {
    const slow = whySlow({ ...calm, ...change });
    expect(slow.cause).toBe(cause as typeof slow.cause);
    expect(slow.text).toStartWith(text);
    expect(slow.text).toMatch(/^[A-Z0-9]/);
  });

test("every reason that there is has a case", () => {
  expect([...new Set(cases.map(([cause]) => cause))].sort()).toEqual([...slowCauses].sort());
});

test("what stops a site altogether goes before what slows it", () => {
  const all: SlowFacts = {
    ...busy,
    paused: { kind: "all", since: past },
    uplink: { state: "down", since: past, detail: null },
    health: resting("backoff", "network"),
    sender: sender({ ceiling: 4, message_wait_ms: 5 }),
    phases: [phase("rcpt", 5000, 9000)],
  };
  const order: string[] = [];
  let facts = all;
  for (const lift of [
    { paused: null },
    { uplink: calm.uplink },
    { health: null },
    { sender: sender({ ceiling: 4 }) },
    { sender: sender({}) },
    { phases: [] },
  ] as const) {
    order.push(whySlow(facts).cause);
    facts = { ...facts, ...lift };
  }
  order.push(whySlow(facts).cause);
  const expected = ["operator", "uplink", "unreachable", "message_rate", "concurrency"];
  expect(order).toEqual([...expected, "server_slow", "limit"]);
});

test("what a server said is told as its words, and what nobody said is not", () => {
  const rests = resting("google.rate", "rate", "rcpt");
  const code = { ...rests, last_failure: { ...rests.last_failure!, code: 421, text: "Slow down" } };
  expect(whySlow({ ...busy, health: code }).text).toEndWith("It said: 421 Slow down");
});

test("a rest that is over says nothing, and a server's words are cut", () => {
  const over = { ...resting("google.rate", "rate"), paused_until: past };
  expect(whySlow({ ...busy, health: over }).cause).toBe("none");
  const long = "x".repeat(5000);
  const told = whySlow({ ...calm, waiting: 1, nextAttemptAt: soon, lastError: long });
  expect(told.text.length).toBeLessThan(300);
});
