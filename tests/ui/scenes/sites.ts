// Destinations: a slow one, a paused one, one that the provider holds back, and one that is well.
import type { SiteFigure } from "../../../src/mail/figures.ts";
import { at } from "./instants.ts";

const quiet: SiteFigure = {
  object: "site",
  site: "",
  domains: 1,
  connections: { open: 0, idle: 0, opening: 0 },
  concurrency: { now: 2, limit: 10 },
  backlog: {
    ...{ waiting: 0, at_least: false, queued: 0, scheduled: 0, deferred: 0, sending: 0 },
    ...{ oldest_age_seconds: null, next_attempt_at: null },
  },
  rates: { delivered_per_second: 0, deferred_per_second: 0, failed_per_second: 0 },
  pause: null,
  last_error: null,
  phases: [],
  slowest: null,
  cause: "none",
  reason: "",
};

const slowRcpt = [
  { phase: "rcpt", replies: 300, p50_ms: 4100, p95_ms: 9300 },
  { phase: "dot", replies: 288, p50_ms: 310, p95_ms: 702 },
  { phase: "tls", replies: 24, p50_ms: 41, p95_ms: 96 },
  { phase: "connect", replies: 24, p50_ms: 28, p95_ms: 44 },
  { phase: "mail", replies: 300, p50_ms: 26, p95_ms: 31 },
] as const;

export const sites: readonly SiteFigure[] = [
  {
    ...quiet,
    site: "google.com",
    domains: 412,
    connections: { open: 10, idle: 0, opening: 0 },
    concurrency: { now: 10, limit: 10 },
    backlog: {
      ...{ waiting: 20_000, at_least: true, queued: null, scheduled: null, deferred: null },
      ...{ sending: 64, oldest_age_seconds: 7205, next_attempt_at: at(-2) },
    },
    rates: { delivered_per_second: 31, deferred_per_second: 0.2, failed_per_second: 0 },
    phases: slowRcpt,
    slowest: slowRcpt[0],
    cause: "server_slow",
    reason: "It answers RCPT TO after 9.3 s (p95), and all 10 connections work.",
  },
  {
    ...quiet,
    site: "mx.slow.example",
    backlog: {
      ...{ waiting: 812, at_least: false, queued: 804, scheduled: 0, deferred: 8, sending: 0 },
      ...{ oldest_age_seconds: 960, next_attempt_at: null },
    },
    pause: { rule: "operator", text: "An operator paused it.", until: null },
    cause: "operator",
    reason: "An operator paused it 4 minutes ago.",
  },
  {
    ...quiet,
    site: "outlook.com",
    domains: 96,
    connections: { open: 1, idle: 0, opening: 0 },
    concurrency: { now: 1, limit: 20 },
    backlog: {
      ...{ waiting: 96, at_least: false, queued: 12, scheduled: 0, deferred: 84, sending: 1 },
      ...{ oldest_age_seconds: 45_900, next_attempt_at: at(-611) },
    },
    rates: { delivered_per_second: 0, deferred_per_second: 0.4, failed_per_second: 0 },
    pause: { rule: "outlook_throttle", text: "The provider asked for it.", until: at(-611) },
    last_error: {
      ...{ at: at(290), class: "throttled", host: "outlook-com.olc.protection.outlook.com" },
      ...{ phase: "mail", code: 451, enhanced: "4.7.650" },
      text: "The mail server [198.51.100.7] has been temporarily rate limited due to IP reputation.",
    },
    phases: [{ phase: "mail", replies: 40, p50_ms: 88, p95_ms: 140 }],
    slowest: { phase: "mail", replies: 40, p50_ms: 88, p95_ms: 140 },
    cause: "provider_pause",
    reason: "It rests for 10 m, since the provider asked for it (outlook_throttle).",
  },
  {
    ...quiet,
    site: "mx.example.org",
    connections: { open: 2, idle: 1, opening: 0 },
    backlog: { ...quiet.backlog, waiting: 3, queued: 3, sending: 1, oldest_age_seconds: 4 },
    rates: { delivered_per_second: 12.4, deferred_per_second: 0, failed_per_second: 0 },
    phases: [{ phase: "dot", replies: 120, p50_ms: 12, p95_ms: 22 }],
    slowest: { phase: "dot", replies: 120, p50_ms: 12, p95_ms: 22 },
  },
];
