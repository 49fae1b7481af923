// What a person should look at: one case for each alert, and that none of them is without a remedy.
import { expect, test } from "bun:test";
import { createProgram } from "../../src/commands/cli.ts";
import { alertsOf, type HealthFacts, statusOf } from "../../src/report/health.ts";
import { createBox } from "../commands/setup.ts";

const now = Date.UTC(2026, 10, 23, 12);
const since = new Date(now - 60_000).toISOString();

const calm: HealthFacts = {
  now,
  measuring: true,
  uplink: { state: "up", since: null, detail: null },
  refusing: null,
  survey: { alerts: [], paused: [] },
  gauge: () => null,
  threads: [{ thread: "door", lag_ms: 2 }],
  oldest: { p0: null, p1: 90_000, p2: null },
};

const gauges = (values: Readonly<Record<string, number>>): Partial<HealthFacts> => ({
  gauge: (name) => values[name] ?? null,
});

const cases: readonly (readonly [string, "warn" | "bad", Partial<HealthFacts>, string])[] = [
  [
    "uplink_down",
    "bad",
    { uplink: { state: "down", since, detail: "no resolver answers." } },
    "Our own line is down: no resolver answers.",
  ],
  [
    "port25_blocked",
    "bad",
    { uplink: { state: "port25_blocked", since, detail: null } },
    "Nobody is reached on port 25.",
  ],
  [
    "paused",
    "warn",
    { survey: { alerts: [], paused: [{ kind: "all", name: "", since }] } },
    "An operator paused everything.",
  ],
  ["disk_low", "bad", { refusing: "disk_low" }, "The disk is full"],
  ["queue_full", "bad", { refusing: "queue_full" }, "The queue is full"],
  ["memory_low", "bad", { refusing: "memory_low" }, "Memory is short"],
  ["draining", "bad", { refusing: "draining" }, "The daemon is stopping"],
  ["something_new", "bad", { refusing: "something_new" }, "No mail is taken (something_new)."],
  [
    "disk_near_full",
    "warn",
    gauges({ postrider_disk_free_bytes: 600e6, postrider_disk_reserve_bytes: 512e6 }),
    "The disk has 0.6 GB left; below 0.5 GB no mail is taken.",
  ],
  [
    "relay.login",
    "warn",
    {
      survey: {
        paused: [],
        alerts: [
          {
            site: "relay.test:587",
            class: "relay",
            rule: "relay.login",
            text: "535 no",
            at: since,
          },
        ],
      },
    },
    "relay.test:587 says: 535 no",
  ],
  [
    "dkim.fail",
    "warn",
    {
      survey: {
        paused: [],
        alerts: [
          {
            site: "mx.test",
            class: "policy",
            rule: "dkim.fail",
            text: "550 5.7.1 DKIM",
            at: since,
          },
        ],
      },
    },
    "mx.test says: 550 5.7.1 DKIM",
  ],
  [
    "reload_failed",
    "warn",
    gauges({ postrider_config_last_reload_successful: 0 }),
    "The settings could not be read anew",
  ],
  ["dkim_unusable", "warn", gauges({ postrider_dkim_keys_unusable: 2 }), "2 DKIM keys"],
  ["clock_doubted", "warn", gauges({ postrider_clock_doubted: 1 }), "Most certificates"],
  [
    "certificate_ends",
    "warn",
    gauges({ postrider_tls_cert_expiry_timestamp_seconds: now / 1000 + 86_400 }),
    "The certificate of this daemon ends at 2026-11-24T12:00:00.000Z.",
  ],
  [
    "urgent_waits",
    "warn",
    { oldest: { p0: 720, p1: null, p2: null } },
    "Urgent mail (p0) waits for 12 minutes.",
  ],
  [
    "thread_late",
    "warn",
    { threads: [{ thread: "queue", lag_ms: 2340 }] },
    "The thread queue is 2.3 s late.",
  ],
  ["metrics_off", "warn", { measuring: false }, "Nothing is counted"],
  ["search_lags", "warn", gauges({ postrider_search_lag_events: 200_000 }), "Lists and searches"],
  ["webhooks_lag", "warn", gauges({ postrider_webhook_pending_events: 20_000 }), "Webhooks have"],
];

for (const [code, level, change, text] of cases)
  test(`${code}: ${text}`, () => {
    const alerts = alertsOf({ ...calm, ...change });
    expect(alerts.map((one) => [one.code, one.level])).toEqual([[code, level]]);
    expect(alerts[0]?.text).toStartWith(text);
    expect(alerts[0]?.remedy).toMatch(/^[A-Z].*\.$/);
    expect(statusOf(alerts)).toBe(level);
  });

test("a remedy names only commands that there are", () => {
  const program = createProgram(createBox().deps, { end: () => {}, complain: () => {} });
  const remedies = cases.flatMap(([, , change]) => alertsOf({ ...calm, ...change }));
  const named = remedies.flatMap(({ remedy }) => [
    ...remedy.matchAll(/postrider (\w+)(?: (\w+))?/g),
  ]);
  expect(named.length).toBeGreaterThan(3);
  for (const [, group, verb] of named) {
    const command = program.commands.find((one) => one.name() === group);
    expect([group, command?.name()]).toEqual([group, group]);
    const verbs = command?.commands.map((one) => one.name()) ?? [];
    if (verbs.length > 0) expect(verbs).toContain(verb ?? "");
  }
});

test("nothing is wrong when nothing is wrong", () => {
  expect(alertsOf(calm)).toEqual([]);
  expect(alertsOf({ ...calm, survey: null })).toEqual([]);
  expect(statusOf([])).toBe("ok");
});

test("the worst stands first", () => {
  const alerts = alertsOf({
    ...calm,
    refusing: "disk_low",
    threads: [{ thread: "a", lag_ms: 5000 }],
  });
  expect(alerts.map(({ level }) => level)).toEqual(["bad", "warn"]);
});
