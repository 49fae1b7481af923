// When events are sent again, what replies mean, and what leaves: pure, in simulated time.
import { expect, test } from "bun:test";
import { Resend } from "resend";
import { Webhook } from "standardwebhooks";
import type { EventView } from "../../src/mail/eventView.ts";
import { hookEventId, hookEventOf } from "../../src/mail/webhook.ts";
import { fitBody } from "../../src/report/webhookBody.ts";
import { outcomeOf, wordsOf } from "../../src/report/webhookOutcome.ts";
import { isHopeless, nextAttemptAt } from "../../src/report/webhookSchedule.ts";
import { signedHeaders } from "../../src/report/webhookSigning.ts";
import type { WebReply } from "../../src/web/client.ts";

const H = 3_600_000;
const reply = (status: number, retryAfter?: string): WebReply => ({
  kind: "reply",
  status,
  headers: new Map(retryAfter === undefined ? [] : [["retry-after", retryAfter]]),
  body: Buffer.from("words"),
  address: "192.0.2.1",
});

test("ten attempts over three days, each a little later than its step says, and then no more", () => {
  const waits = (roll: number): (number | undefined)[] =>
    Array.from({ length: 10 }, (_, i) =>
      nextAttemptAt({ tries: i + 1, now: 0, roll, retryAfterMs: 0 }),
    );
  const steps = [5000, 300_000, H / 2, 2 * H, 5 * H, 10 * H, 14 * H, 20 * H, 24 * H, undefined];
  expect(waits(0)).toEqual(steps);
  expect(waits(0.999).slice(0, 2)).toEqual([5500, 329_970]);
});

test("a receiver that asks for a pause gets it, for a day at most", () => {
  const asked = (retryAfterMs: number) =>
    nextAttemptAt({ tries: 1, now: 0, roll: 0, retryAfterMs });
  expect(asked(60_000)).toBe(60_000);
  expect(asked(1000)).toBe(5000);
  expect(asked(900 * H)).toBe(24 * H);
});

test("an endpoint is hopeless after days and many attempts, not after a leap of the clock", () => {
  expect(isHopeless(0, 9, 71 * H)).toBe(false);
  expect(isHopeless(0, 9, 72 * H)).toBe(true);
  expect(isHopeless(0, 3, 9000 * H)).toBe(false);
});

test("only 2xx takes an event, 410 ends it, and whoever is overrun may say for how long", () => {
  const failed = (retryAfterMs = 0) => ({ kind: "failed" as const, retryAfterMs });
  for (const status of [200, 202, 204, 299])
    expect(outcomeOf(reply(status), 0)).toEqual({ kind: "taken" });
  for (const status of [301, 302, 307, 308, 400, 401, 404, 409, 500])
    expect(outcomeOf(reply(status, "60"), 0)).toEqual(failed());
  expect(outcomeOf(reply(410), 0)).toEqual({ kind: "gone" });
  for (const status of [429, 502, 503, 504]) {
    expect(outcomeOf(reply(status, "60"), 0)).toEqual(failed(60_000));
    expect(outcomeOf(reply(status, "Thu, 01 Jan 1970 00:02:00 GMT"), 60_000)).toEqual(
      failed(60_000),
    );
    expect(outcomeOf(reply(status, "soon"), 0)).toEqual(failed());
    expect(outcomeOf(reply(status), 0)).toEqual(failed());
  }
  const broken: WebReply = { kind: "failed", why: "tls", text: "no." };
  expect([outcomeOf(broken, 0), wordsOf(broken), wordsOf(reply(200))]).toEqual([
    failed(),
    "no.",
    "words",
  ]);
});

test("a signature is believed by standardwebhooks and by resend, with each secret that is live", () => {
  const of = (byte: number) => `whsec_${Buffer.alloc(32, byte).toString("base64")}`;
  const now = Date.now();
  const secrets = [
    { secret: of(1), until: null },
    { secret: of(2), until: now + 1000 },
    { secret: of(3), until: now - 1000 },
  ];
  const body = JSON.stringify({ type: "email.sent", data: { subject: "Grüße ✓" } });
  const headers = signedHeaders("evt_3_x", body, secrets, now);
  for (const byte of [1, 2])
    expect(new Webhook(of(byte)).verify(body, headers)).toEqual(JSON.parse(body));
  expect(() => new Webhook(of(3)).verify(body, headers)).toThrow("No matching signature");
  expect(() => new Webhook(of(1)).verify(`${body} `, headers)).toThrow("No matching signature");
  const { webhooks } = new Resend("re_x");
  const svix = {
    id: headers["svix-id"] ?? "",
    timestamp: headers["svix-timestamp"] ?? "",
    signature: headers["svix-signature"] ?? "",
  };
  const verified: unknown = webhooks.verify({ payload: body, headers: svix, webhookSecret: of(1) });
  expect(verified).toEqual(JSON.parse(body));
});

test("a body stays below 20 kB, and what was cut is said", () => {
  const view = (recipients: number): EventView =>
    ({
      id: 3,
      type: "email.sent",
      created_at: "x",
      timestamp: "x",
      data: {
        ...{ email_id: "e", message_id: "<m>", from: "a@b.example", subject: "ü".repeat(900) },
        to: Array.from({ length: recipients }, (_, i) => `${"a".repeat(60)}${i}@example.com`),
        ...{ tags: { a: "b" }, created_at: "x" },
        postrider: { recipient: null, metadata: { k: "v".repeat(5000) }, text: "t".repeat(9000) },
      },
    }) as unknown as EventView;
  const small = JSON.stringify(view(3));
  expect(fitBody(small)).toBe(small);
  const large = fitBody(JSON.stringify(view(500)));
  expect(Buffer.byteLength(large)).toBeLessThan(20_000);
  const { data } = JSON.parse(large) as EventView;
  expect(data.to).toHaveLength(20);
  expect(data.postrider as object).toMatchObject({ truncated: true, recipients: 500 });
});

test("an event is found by the id that its receiver saw, and by the one in its body", () => {
  expect(hookEventId(12, "8000000000000001")).toBe("evt_12_8000000000000001");
  expect(hookEventOf("evt_12_8000000000000001")).toBe(12);
  expect(hookEventOf("12")).toBe(12);
  expect(hookEventOf(hookEventId(-5, ""))).toBe(-5);
  for (const text of ["", "-5", "evt_", "evt_1_", "1e3", "0x10", "evt_1_8000000000000001/x"])
    expect(hookEventOf(text)).toBeUndefined();
});
