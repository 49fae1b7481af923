// Events as they are told outside (mail/eventView.ts), in /openapi.json: in timelines, lists, streams, and what webhooks are sent.
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { eventTypes } from "../mail/event.ts";
import { recipientStates } from "../mail/state.ts";

type Registry = OpenAPIHono["openAPIRegistry"];

const text = z.string().nullable();

const tls = z.object({
  version: z.string(),
  cipher: z.string(),
  verified: z.boolean(),
  unproven: text,
  policy: z.string(),
  resumed: z.boolean(),
  handshake_ms: z.number(),
  verify_ms: z.number(),
});

const conversation = z.strictObject({
  session: z.string(),
  host: z.string(),
  address: z.string(),
  source: text.meta({ description: "Our own address; null when no connection was made." }),
  at: z.iso.datetime(),
  reused: z.boolean().meta({ description: "It had carried mail before." }),
  exchanges: z.array(
    z.strictObject({
      phase: z.string(),
      sent_ms: z.int().meta({ description: "Since `at`." }),
      took_ms: z.int().meta({ description: "Until the reply was whole, or was given up." }),
      sent: z.string().meta({ description: "Secrets are masked; of the message only its size." }),
      code: z.int().nullable().meta({ description: "Null: no reply; `reply` says what came." }),
      reply: z.string(),
    }),
  ),
  dropped: z
    .int()
    .meta({ description: "Exchanges beyond what is kept, or of many other recipients." }),
});

const detail = z
  .looseObject({
    recipient: text,
    state: z.enum(recipientStates).meta({ description: "The state that the event led to." }),
    reference: text,
    attempt: z.int().nullable(),
    via: z.enum(["mx", "relay", "inbox"]).nullable(),
    site: text,
    host: text,
    address: text,
    source: text,
    session_id: text,
    phase: text,
    code: z.int().nullable(),
    enhanced: text,
    text,
    class: text,
    duration_ms: z.number().nullable(),
    doubt: z.boolean().meta({ description: "It may have been taken although we do not know it." }),
    tls: tls.nullable(),
    next_attempt_at: z.iso.datetime().nullable(),
    warnings: z.array(z.string()),
    waited: z
      .array(z.object({ from: z.iso.datetime(), until: z.iso.datetime(), why: z.string() }))
      .optional()
      .meta({ description: "Of an attempt that something had held up: when and why." }),
    smtp: z.array(conversation).nullable().optional().meta({
      description: "What was said: of `email.attempted`, with `smtp=1`; null: it is not kept.",
    }),
  })
  .meta({ description: "What is ours, beside Resend's members." });

export const event = z
  .object({
    id: z.int().meta({ description: "A sequence number." }),
    type: z.enum(eventTypes),
    created_at: z.iso.datetime(),
    timestamp: z.iso.datetime(),
    data: z.looseObject({
      email_id: z.uuid(),
      message_id: z.string(),
      from: z.string(),
      to: z.array(z.string()),
      subject: z.string(),
      tags: z.record(z.string(), z.string()),
      created_at: z.iso.datetime(),
      bounce: z
        .object({
          type: z.enum(["Permanent", "Transient"]),
          subType: z.string(),
          message: z.string(),
          diagnosticCode: z.array(z.string()),
        })
        .optional(),
      postrider: detail,
    }),
  })
  .meta({ id: "Event" });

const signature = z.object({
  "webhook-id": z.string(),
  "webhook-timestamp": z.string(),
  "webhook-signature": z.string().meta({ description: "Standard Webhooks: `v1,` and base64." }),
  traceparent: z.string().meta({ description: "The message's trace (W3C Trace Context)." }),
});

/** The section `webhooks`: what an endpoint is sent. */
export function addEventShapes(registry: Registry): void {
  for (const type of eventTypes)
    registry.registerWebhook({
      method: "post",
      path: type,
      summary: `Sent to endpoints that want ${type}. Also with \`svix-\` copies of the headers.`,
      security: [],
      request: {
        headers: signature,
        body: {
          required: true,
          content: { "application/json": { schema: event.extend({ type: z.literal(type) }) } },
        },
      },
      responses: { 200: { description: "Any 2xx: it was taken." } },
    });
}
