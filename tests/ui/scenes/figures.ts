// The figures of a bad afternoon, and of one on which nothing happens.
import type { FigurePoint, FiguresView } from "../../../src/mail/figures.ts";
import { at } from "./instants.ts";

const POINTS = 150;

function point(i: number): FigurePoint {
  // One wave with a dent where a destination stopped; no randomness, so that pictures stay alike.
  const wave = 900 + 260 * Math.sin(i / 11) + 90 * Math.sin(i / 3.1);
  const isDent = i > 96 && i < 118;
  return {
    id: 1000 + i,
    at: at((POINTS - 1 - i) * 2),
    accepted_per_second: Math.round(wave),
    delivered_per_second: Math.round(isDent ? wave * 0.35 : wave * 0.97),
    deferred_per_second: isDent ? 140 + (i % 7) * 9 : 3 + (i % 3),
    bounced_per_second: i % 4,
    refused_per_second: 0,
    accept_p50_ms: 2.1 + (i % 5) * 0.2,
    accept_p99_ms: 9 + (i % 7),
    delivery_p50_ms: isDent ? 420 + i : 34 + (i % 6),
    delivery_p99_ms: isDent ? 5200 + i * 20 : 180 + (i % 9) * 11,
    queued: 1240,
  };
}

const points = Array.from({ length: POINTS }, (_, i) => point(i));

export const figures: FiguresView = {
  object: "figures",
  version: "0.1.0",
  hostname: "mail.example.com",
  started_at: at(3 * 86_400),
  uptime_seconds: 3 * 86_400,
  measuring: true,
  now: points.at(-1) ?? null,
  history: points,
  totals: {
    ...{ accepted: 48_211_903, delivered: 48_190_220, bounced: 18_412, expired: 231 },
    ...{ deferrals: 91_022, doubts: 4 },
  },
  queue: {
    recipients: 41_240,
    states: [
      { state: "scheduled", p0: 0, p1: 120, p2: 0 },
      { state: "queued", p0: 3, p1: 611, p2: 38_200 },
      { state: "held", p0: 0, p1: 2, p2: 0 },
      { state: "sending", p0: 4, p1: 60, p2: 40 },
      { state: "deferred", p0: 12, p1: 1980, p2: 208 },
    ],
    oldest_age_seconds: { p0: 312, p1: 45_900, p2: 7205 },
    ages: [
      { up_to_seconds: 60, messages: 1240 },
      { up_to_seconds: 300, messages: 8021 },
      { up_to_seconds: 900, messages: 22_004 },
      { up_to_seconds: 3600, messages: 8102 },
      { up_to_seconds: 21_600, messages: 1730 },
      { up_to_seconds: 86_400, messages: 143 },
      { up_to_seconds: 259_200, messages: 0 },
      { up_to_seconds: null, messages: 0 },
    ],
  },
  health: {
    status: "bad",
    uplink: { state: "port25_blocked", since: at(1260), detail: "every connect to port 25 fails" },
    port25_blocked: true,
    refusing: null,
    disk: {
      ...{ free_bytes: 3_100_000_000, reserve_bytes: 512_000_000 },
      ...{ wal_bytes: 4_100_000, history_bytes: 1_900_000_000 },
    },
    memory: { resident_bytes: 143_000_000, limit_bytes: 512_000_000 },
    threads: [
      { thread: "door", lag_ms: 0.4 },
      { thread: "queue", lag_ms: 1.2 },
      { thread: "reader", lag_ms: 0.2 },
      { thread: "sender-1", lag_ms: 0.9 },
    ],
    paused: [{ kind: "site", name: "mx.slow.example", since: at(240) }],
    search_lag_events: 12,
    webhook_pending_events: 381,
    alerts: [
      {
        ...{ code: "port25_blocked", level: "bad", since: at(1260), site: null },
        text: "Every connection to port 25 fails, while the DNS answers.",
        remedy: "Ask the provider of this host to open port 25, or set relay to a smarthost.",
      },
      {
        ...{ code: "relay.login", level: "warn", since: at(5400), site: "smtp.relay.example" },
        text: "smtp.relay.example refuses the password (535 5.7.8).",
        remedy: "Correct the setting relay and run postrider reload.",
      },
    ],
  },
};

export const calmFigures: FiguresView = {
  ...figures,
  measuring: false,
  now: null,
  history: [],
  queue: {
    recipients: 0,
    states: [],
    oldest_age_seconds: { p0: null, p1: null, p2: null },
    ages: figures.queue.ages.map((one) => ({ ...one, messages: 0 })),
  },
  health: {
    ...figures.health,
    status: "ok",
    uplink: { state: "up", since: null, detail: null },
    port25_blocked: false,
    paused: [],
    alerts: [],
    webhook_pending_events: 0,
    search_lag_events: 0,
  },
};
