// Figures of a daemon that never was, for the picture of `top`.
import type { FigurePoint, FiguresView, SiteFigure } from "../../src/mail/figures.ts";

export const NOW = Date.parse("2026-11-23T03:00:12.000Z");

function point(id: number): FigurePoint {
  return {
    ...{ id, at: new Date(NOW - (10 - id) * 2000).toISOString() },
    accepted_per_second: id * 130.4,
    delivered_per_second: id % 3 === 0 ? 0 : 1198,
    ...{ deferred_per_second: 2.25, bounced_per_second: 0.04, refused_per_second: 0 },
    ...{ accept_p50_ms: 3.2, accept_p99_ms: 12, delivery_p50_ms: 41, delivery_p99_ms: 2210 },
    queued: 12_345,
  };
}

const history = Array.from({ length: 10 }, (_, i) => point(i + 1));

export function figures(change: Partial<FiguresView> = {}): FiguresView {
  return {
    object: "figures",
    ...{ version: "0.1.0", hostname: "mail.example.com", measuring: true },
    ...{ started_at: "2026-11-19T22:00:00.000Z", uptime_seconds: 277_212 },
    now: history.at(-1) ?? null,
    history,
    totals: { accepted: 9, delivered: 8, bounced: 1, expired: 0, deferrals: 3, doubts: 0 },
    queue: {
      recipients: 12_345,
      states: [
        { state: "queued", p0: 1, p1: 200, p2: 0 },
        { state: "sending", p0: 0, p1: 100, p2: 0 },
        { state: "deferred", p0: 0, p1: 44, p2: 12_000 },
      ],
      oldest_age_seconds: { p0: 2, p1: 3720, p2: 400_000 },
      ages: [],
    },
    health: {
      status: "ok",
      uplink: { state: "up", since: null, detail: null },
      ...{ port25_blocked: false, refusing: null, paused: [], alerts: [] },
      disk: { free_bytes: 1, reserve_bytes: 1, wal_bytes: 1, history_bytes: 1 },
      memory: { resident_bytes: 1, limit_bytes: null },
      threads: [],
      ...{ search_lag_events: 0, webhook_pending_events: 0 },
    },
    ...change,
  };
}

export function site(name: string, change: Partial<SiteFigure> = {}): SiteFigure {
  return {
    object: "site",
    ...{ site: name, domains: 1 },
    connections: { open: 10, idle: 1, opening: 0 },
    concurrency: { now: 8, limit: 10 },
    backlog: {
      ...{ waiting: 20_000, at_least: true, queued: null, scheduled: null, deferred: null },
      ...{ sending: 100, oldest_age_seconds: 3720, next_attempt_at: null },
    },
    rates: { delivered_per_second: 401.2, deferred_per_second: 0, failed_per_second: 0 },
    ...{ pause: null, last_error: null, phases: [], slowest: null },
    ...{ cause: "none", reason: "Nothing holds it up." },
    ...change,
  };
}

export const slow: SiteFigure = site("mx.example.org", {
  connections: { open: 1, idle: 0, opening: 0 },
  concurrency: { now: 1, limit: 10 },
  backlog: {
    ...{ waiting: 300, at_least: false, queued: 0, scheduled: 0, deferred: 300 },
    ...{ sending: 0, oldest_age_seconds: 86_500 },
    next_attempt_at: "2026-11-23T03:10:00.000Z",
  },
  rates: null,
  pause: {
    rule: "google.rate",
    text: "It asked for less mail.",
    until: "2026-11-23T03:10:00.000Z",
  },
  last_error: {
    ...{ at: "2026-11-23T02:59:58.000Z", class: "rate", host: "mx1.example.org", phase: "rcpt" },
    ...{ code: 450, enhanced: "4.7.1", text: "4.7.1 slow \u001b[31mdown\u202e" },
  },
  phases: [
    { phase: "rcpt", replies: 40, p50_ms: 5100, p95_ms: 9876 },
    { phase: "dot", replies: 2, p50_ms: 20, p95_ms: 31 },
  ],
  slowest: { phase: "rcpt", replies: 40, p50_ms: 5100, p95_ms: 9876 },
  cause: "provider_pause",
  reason: "It rests since its provider asked for it (google.rate).",
});
