// `message show`: a message is found by whatever one has of it, and its road is told so that a person reads it at a glance.
import { expect, test } from "bun:test";
import type { ConversationView, EventDetail } from "../../src/mail/eventView.ts";
import { createBox, type FakeDaemon, fakeDaemon } from "./setup.ts";

const ID = "0199aa00-0000-7000-8000-000000000000";
const OTHER = "0199aa00-0001-7000-8000-000000000000";
const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";

const email = (id: string) => ({
  object: "email",
  ...{ id, message_id: `<${id}@one.test>`, from: "a@one.test", to: ["ann@example.com"] },
  ...{ subject: "Your \u001b[31morder", created_at: "2026-11-23T13:00:00.000Z", priority: "p1" },
  ...{ last_event: "delivery_delayed", reference: "R-7", scheduled_at: null },
  recipients: [
    {
      ...{ address: "ann@example.com", state: "deferred", attempts: 2 },
      ...{ next_attempt_at: "2999-01-01T00:00:00.000Z", last: "451 later" },
    },
  ],
});

const attempt = {
  ...{ recipient: "ann@example.com", origin: "attempt", via: "mx", site: "example.com" },
  ...{ host: "mx.example.com", address: "192.0.2.1", source: "198.51.100.7", session_id: "a1b2" },
  ...{ phase: "rcpt", code: 451, enhanced: "4.7.1", text: "Greylisted", class: "greylist" },
  ...{ duration_ms: 45, doubt: false, tls: null, next_attempt_at: null, trace_id: TRACE },
} satisfies Partial<EventDetail>;

const said: ConversationView = {
  ...{ session: "a1b2", host: "mx.example.com", address: "192.0.2.1", source: "198.51.100.7" },
  ...{ at: "2026-11-23T13:06:00.000Z", reused: false, dropped: 1 },
  exchanges: [
    exchange("connect", 12, "", null, "connected to 192.0.2.1"),
    exchange("auth", 3, "AUTH PLAIN ***", 235, "2.7.0 fine"),
    exchange("rcpt", 30, "RCPT TO:<ann@example.com>", 451, "4.7.1 Greylisted"),
  ],
};

function exchange(
  phase: string,
  took_ms: number,
  sent: string,
  code: number | null,
  reply: string,
) {
  return { phase, sent_ms: 0, took_ms, sent, code, reply };
}

const at = (time: string): object => ({ created_at: `2026-11-23T${time}Z` });
const whole = {
  recipient: null,
  origin: "queue",
  code: null,
  class: null,
  phase: null,
  text: null,
};
const event = (id: number, type: string, time: string, detail: object): object => ({
  ...{ id, type, ...at(time) },
  data: { postrider: { enhanced: null, next_attempt_at: null, doubt: false, ...detail } },
});

const events = [
  event(1, "email.sent", "13:00:00.000", { ...whole, trace_id: TRACE }),
  event(2, "email.attempted", "13:00:00.100", { ...attempt, attempt: 1, smtp: [said] }),
  event(3, "email.delivery_delayed", "13:00:00.100", { ...attempt, attempt: 1 }),
  event(4, "email.attempted", "13:06:00.100", { ...attempt, attempt: 2, smtp: [said] }),
  event(5, "email.delivery_delayed", "13:06:00.100", {
    ...{ ...attempt, attempt: 2, doubt: true },
    waited: [
      {
        ...{ from: "2026-11-23T13:01:00.000Z", until: "2026-11-23T13:06:00.000Z" },
        why: "the site rested",
      },
    ],
    next_attempt_at: "2999-01-01T00:00:00.000Z",
  }),
];

function daemonWith(found: readonly string[] = [ID]): FakeDaemon {
  return fakeDaemon(({ path }) => {
    if (path.startsWith("/emails?")) {
      const data = found.map(email);
      return { body: { object: "list", has_more: false, data } };
    }
    if (path.includes("/events"))
      return { body: { object: "list", has_more: false, data: events } };
    if (path.startsWith("/explain/")) return { body: { reasons: ["The site rests for a while."] } };
    return { body: email(ID) };
  });
}

async function show(daemon: FakeDaemon, ...args: string[]) {
  return createBox().run(["message", "show", ...args, "--data-dir", daemon.dataDir]);
}

test("the road is told step by step, with waits, and the last attempt that failed word by word", async () => {
  await using daemon = daemonWith();
  const { code, out } = await show(daemon, ID);
  expect(code).toBe(0);
  const lines = out.split("\n");
  const find = (text: string): number => lines.findIndex((line) => line.includes(text));
  const order = [
    `trace       ${TRACE}`,
    "ann@example.com  deferred, 2 attempts, next in",
    "13:00:00.000  accepted",
    "13:00:00.100  deferred at attempt 1 in 45ms: 451 4.7.1 Greylisted (greylist, at rcpt)",
    "mx.example.com [192.0.2.1] from 198.51.100.7, no TLS, session a1b2",
    "waited 5m 59s",
    "2026-11-23 13:01:00.000 to 2026-11-23 13:06:00.000: the site rested",
    "13:06:00.100  deferred at attempt 2",
    "doubt: the server may have taken it",
    "new connection, session a1b2",
    "connect: connected to 192.0.2.1  12 ms",
    "→ AUTH PLAIN ***",
    "→ RCPT TO:<ann@example.com>",
    "← 451 4.7.1 Greylisted  30 ms",
    "1 more lines are left out",
    "The site rests for a while.",
  ].map(find);
  expect(order).not.toContain(-1);
  expect(order).toEqual([...order].sort((a, b) => a - b));
  expect(out.match(/→ RCPT/g)).toHaveLength(1);
  expect(out).not.toContain("\u001b");
});

test("--smtp tells all attempts, --no-smtp none, and JSON only what was asked for", async () => {
  await using daemon = daemonWith();
  expect((await show(daemon, ID, "--smtp")).out).toContain("said as above");
  expect((await show(daemon, ID, "--no-smtp")).out).not.toContain("RCPT");
  const asked = (): readonly string[] =>
    daemon.seen.splice(0).flatMap(({ path }) => (path.includes("/events") ? path.slice(44) : []));
  expect(asked()).toEqual(["/events?smtp=1", "/events"]);
  const { out } = await show(daemon, ID, "--json");
  expect(JSON.parse(out)).toMatchObject({ id: ID, events: [{ id: 1 }, {}, {}, {}, {}] });
  await show(daemon, ID, "--json", "--smtp");
  expect(asked()).toEqual(["/events", "/events?smtp=1"]);
});

test.each([
  [["<order-7@shop.example>"], "message_id=%3Corder-7%40shop.example%3E"],
  [["order-7@shop.example"], "message_id=%3Corder-7%40shop.example%3E"],
  [["--reference", "R 7"], "reference=R+7"],
  [["--recipient", "ann@example.com"], "to=ann%40example.com"],
  [["--trace", TRACE], `trace=${TRACE}`],
])("a message is found by %p", async (args, query) => {
  await using daemon = daemonWith();
  expect((await show(daemon, ...args)).code).toBe(0);
  expect(daemon.seen[0]?.path).toBe(`/emails?limit=10&${query}`);
  expect(daemon.seen[1]?.path).toBe(`/emails/${ID}`);
});

test("of several the candidates are listed, and the id is asked for", async () => {
  await using daemon = daemonWith([OTHER, ID]);
  const { code, out, err } = await show(daemon, "--recipient", "ann@example.com");
  expect(code).toBe(1);
  expect(
    out
      .trim()
      .split("\n")
      .map((line) => line.slice(0, 36)),
  ).toEqual([OTHER, ID]);
  expect(err).toContain("2 messages fit, newest first: give the id");
});

test("none, nothing to look for, and too much of it are said", async () => {
  await using daemon = daemonWith([]);
  expect(await show(daemon, "--reference", "x")).toMatchObject({ code: 1, out: "" });
  expect((await show(daemon)).code).toBe(64);
  expect((await show(daemon, ID, "--reference", "x")).code).toBe(64);
});
