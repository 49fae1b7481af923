// The road of one message with two recipients, with the dialogues of its attempts.
import type { EventDetail, EventView } from "../../../src/mail/eventView.ts";
import type { ExplainView } from "../../../src/mail/explain.ts";
import { at } from "./instants.ts";
import { email, MESSAGE, TRACE } from "./messages.ts";

const nothing: EventDetail = {
  ...{ recipient: null, state: "queued", reference: "order-4711", metadata: null, origin: "queue" },
  ...{ attempt: null, via: null, site: null, host: null, address: null, source: null },
  ...{ session_id: null, phase: null, command: null, code: null, enhanced: null, text: null },
  ...{ class: null, duration_ms: null, doubt: false, tls: null, signed_by: [] },
  ...{ next_attempt_at: null, trace_id: TRACE, warnings: [] },
};

let eventId = 8000;

function event(
  type: EventView["type"],
  secondsAgo: number,
  detail: Partial<EventDetail>,
): EventView {
  const created = at(secondsAgo);
  const to = detail.recipient == null ? email.to : [detail.recipient];
  return {
    ...{ id: ++eventId, type, created_at: created, timestamp: created },
    data: {
      ...{ email_id: MESSAGE, message_id: email.message_id, from: email.from, to },
      ...{ subject: email.subject, tags: { campaign: "orders" }, created_at: email.created_at },
      postrider: { ...nothing, ...detail },
    },
  };
}

const tls: EventDetail["tls"] = {
  ...{ version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384", verified: true, unproven: null },
  ...{ policy: "mta-sts", resumed: false, handshake_ms: 38, verify_ms: 1 },
};

const toAnn: Partial<EventDetail> = {
  ...{ recipient: "ann@example.org", origin: "attempt", via: "mx", site: "mx.example.org", tls },
  ...{ host: "mx1.example.org", address: "192.0.2.25", source: "198.51.100.7" },
  ...{ phase: "rcpt", command: "RCPT TO", code: 451, enhanced: "4.7.1", class: "greylist" },
  text: "Greylisted, try again in 5 minutes",
  signed_by: ["shop.example/pr202611"],
};

const opening = [
  ["connect", 0, 28, "", null, "connected"],
  ["greeting", 28, 41, "", 220, "mx1.example.org ESMTP ready"],
  ["ehlo", 70, 24, "EHLO mail.example.com", 250, "mx1.example.org | PIPELINING | STARTTLS"],
  ["starttls", 95, 22, "STARTTLS", 220, "2.0.0 Ready to start TLS"],
  ["tls", 117, 38, "", null, "TLSv1.3 TLS_AES_256_GCM_SHA384"],
  ["ehlo", 156, 23, "EHLO mail.example.com", 250, "mx1.example.org | PIPELINING | SIZE 52428800"],
  ["mail", 180, 26, "MAIL FROM:<orders@shop.example> SIZE=5120", 250, "2.1.0 Ok"],
] as const;

function conversation(
  session: string,
  secondsAgo: number,
  last: readonly (typeof opening)[number][],
) {
  return {
    ...{ session, host: "mx1.example.org", address: "192.0.2.25", source: "198.51.100.7" },
    ...{ at: at(secondsAgo), reused: false, dropped: 0 },
    exchanges: last.map(([phase, sent_ms, took_ms, sent, code, reply]) => ({
      ...{ phase, sent_ms, took_ms, sent, code, reply },
    })),
  };
}

const greylisted = [
  ...opening,
  ["rcpt", 180, 4102, "RCPT TO:<ann@example.org>", 451, "4.7.1 Greylisted, try again in 5 minutes"],
] as unknown as typeof opening;

export const events: readonly EventView[] = [
  event("email.sent", 620, { warnings: ["no_text_part"] }),
  event("email.attempted", 619.8, {
    ...toAnn,
    ...{
      recipient: "bert@example.net",
      host: "mx.example.net",
      address: "203.0.113.9",
      attempt: 1,
    },
    ...{ state: "sending", phase: "dot", command: ".", code: 250, enhanced: "2.0.0", class: null },
    ...{ text: "Ok: queued as 4XyZ12", duration_ms: 160, session_id: "s-71", smtp: null },
  }),
  event("email.delivered", 619.8, {
    ...toAnn,
    ...{
      recipient: "bert@example.net",
      host: "mx.example.net",
      address: "203.0.113.9",
      attempt: 1,
    },
    ...{
      state: "delivered",
      phase: "dot",
      command: ".",
      code: 250,
      enhanced: "2.0.0",
      class: null,
    },
    ...{ text: "Ok: queued as 4XyZ12", duration_ms: 160, session_id: "s-71" },
  }),
  event("email.attempted", 615, {
    ...{ ...toAnn, attempt: 1, state: "sending", duration_ms: 4282, session_id: "s-72" },
    smtp: [conversation("s-72", 619.3, greylisted)],
  }),
  event("email.delivery_delayed", 615, {
    ...{ ...toAnn, attempt: 1, state: "deferred", duration_ms: 4282, session_id: "s-72" },
  }),
  event("email.attempted", 310, {
    ...{ ...toAnn, attempt: 2, state: "sending", duration_ms: 190, session_id: "s-90" },
    smtp: [conversation("s-90", 310.2, greylisted)],
  }),
  event("email.delivery_delayed", 310, {
    ...{ ...toAnn, attempt: 2, state: "deferred", duration_ms: 190, session_id: "s-90" },
    next_attempt_at: at(-211),
    waited: [{ from: at(560), until: at(330), why: "the site was at rest: it greylists us" }],
  }),
];

export const annsRoad: Pick<ExplainView, "reasons" | "route"> = {
  route: {
    ...{ result: "route", site: "mx.example.org", via: "mx", port: 25, fresh_until: at(-900) },
  },
  reasons: [`The site rests until ${at(-211)}, after failures; one probe goes first.`],
};

export const raw = [
  "From: Example Shop <orders@shop.example>",
  "To: ann@example.org, bert@example.net",
  "Subject: Your order 4711 is on its way",
  "",
  "Dear Ann,",
  "it is on its way.",
  "",
].join("\r\n");
