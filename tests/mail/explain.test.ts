// The reasons why mail is slow, in words, from what the threads know.
import { expect, test } from "bun:test";
import {
  type ExplainView,
  reasonsOf,
  type SenderSiteView,
  withoutReason,
} from "../../src/mail/explain.ts";

const now = Date.parse("2026-01-01T00:00:00.000Z");

const calm: Omit<ExplainView, "object" | "reasons"> = {
  domain: "example.com",
  route: { result: "route", site: "example.com", via: "mx", port: 25, fresh_until: null },
  mx: null,
  hosts: [],
  tls: null,
  site: null,
  sources: [],
  paused: [],
  uplink: { state: "up", since: null, detail: null },
  senders: [],
  lines: [],
};
const sender: SenderSiteView = {
  ...{ connections: 2, idle: 0, opening: 0, running: 2, waiting: 40, concurrency: 2 },
  ...{ ceiling: 2, limits: {}, connect_wait_ms: 0, message_wait_ms: 0 },
  from: { connectRate: "shipped", messageRate: "own" },
};

test("mail that nothing holds up has no reason to be slow", () => {
  expect(reasonsOf(calm)).toEqual([]);
  expect(reasonsOf({ ...calm, senders: [{ ...sender, waiting: 0 }] })).toEqual([]);
});

test("addresses that rest are told, and when all of them have had what they may", () => {
  const full = { sent: 50, cap: 50 };
  const one = { address: "192.0.2.1", ehlo: null, weight: 1, rests_until: null, warmup: full };
  const two = { ...one, address: "192.0.2.2", warmup: null };
  const resting = { ...two, rests_until: "2026-01-01T00:00:00.000Z" };
  expect(reasonsOf({ ...calm, sources: [one, two] })).toEqual([]);
  expect(reasonsOf({ ...calm, sources: [one, resting] })).toEqual([
    "192.0.2.2 rests until 2026-01-01T00:00:00.000Z: its connections fail, or this host has it not.",
  ]);
  expect(reasonsOf({ ...calm, sources: [one] })).toEqual([
    "Each address has sent there what it may today, since all of them warm up.",
  ]);
});

test("each thing that holds mail up is told, the operator's own doing first", () => {
  const host = {
    host: "mx.example.com",
    policy: "dane",
    why: "no TLSA record fits",
    usable: false,
  };
  const reasons = reasonsOf({
    ...calm,
    paused: [{ kind: "domain", since: "2026-01-01T00:00:00.000Z" }],
    uplink: { state: "down", since: null, detail: "the resolver is silent" },
    tls: { tls: "opportunistic", setting: "tls_policy", mta_sts: "", dane: "on", hosts: [host] },
    site: {
      ...{ site: "example.com", leased: 1, pauses: 2, failures: 3 },
      paused_until: "2026-01-01T00:15:00.000Z",
      paused_by: "google.rate",
      last_failure: {
        ...{ at: "", class: "rate", host: "mx", phase: "mail", enhanced: "4.7.28" },
        ...{ code: 421, text: "unusual rate of mail" },
      },
    },
    senders: [{ ...sender, connect_wait_ms: 500, message_wait_ms: 20 }],
  });
  expect(reasons.map((one) => one.split(" ").slice(0, 3).join(" "))).toEqual([
    "An operator paused",
    "Our own line",
    "mx.example.com may not",
    "The site rests",
    "The next connection",
    "The next message",
    "40 jobs wait",
  ]);
  expect(reasons[3]).toContain("421 unusual rate of mail");
});

test("why a site rests is told as its words only where it said something", () => {
  const last = { at: "", class: "network", host: "mx", phase: "rcpt", enhanced: "" };
  const site = {
    ...{ site: "example.com", leased: 0, pauses: 0, failures: 1 },
    ...{ paused_until: "2026-01-01T00:15:00.000Z", paused_by: "backoff" },
  };
  const reasons = (text: string, code: number): string | undefined =>
    reasonsOf({ ...calm, site: { ...site, last_failure: { ...last, code, text } } })[0];
  expect(reasons("closed: gone", 0)).toEndWith("Last: closed: gone");
  expect(reasons("later", 451)).toEndWith("It said: 451 later");
});

test("who waits for his next attempt is not told that nothing holds him up", () => {
  const line = {
    ...{ site: "example.com", waiting: 3, oldest_age_seconds: 60, last_error: "451 later" },
    next_attempt_at: "2026-01-01T00:05:00.000Z",
  };
  expect(reasonsOf({ ...calm, lines: [line] })).toEqual([]);
  expect(withoutReason({ ...calm, lines: [line] }, now)).toBe(
    "What waits is not due before 2026-01-01 00:05:00 UTC. Last: 451 later",
  );
  const due = { ...line, next_attempt_at: "2025-12-31T23:59:00.000Z" };
  expect(withoutReason({ ...calm, lines: [due, { ...line, site: "" }] }, now)).toBe(
    "Nothing holds it up.",
  );
  expect(withoutReason(calm, now)).toBe("Nothing holds it up.");
});

test("a reply that is waited for now is a reason before it has come", () => {
  const waits = { phase: "rcpt", ms: 42_000 };
  expect(reasonsOf({ ...calm, senders: [{ ...sender, waiting: 0, waits }] })).toEqual([
    "Its server is slow: RCPT has been waited for 42 s.",
  ]);
});

test("a domain that has no road says why", () => {
  const text = "the domain does not exist";
  const refused = { result: "refused", enhanced: "5.1.2", text } as const;
  expect(reasonsOf({ ...calm, route: refused })[0]).toContain(text);
  expect(reasonsOf({ ...calm, route: { result: "unknown", text: "timeout" } })[0]).toContain(
    "No way there is known for now: timeout",
  );
});
