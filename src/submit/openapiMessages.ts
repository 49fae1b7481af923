// Sending and looking at what was sent, in /openapi.json.
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { recipientStates } from "../mail/state.ts";
import { warnings } from "../mail/warning.ts";
import { event } from "./openapiEventShapes.ts";
import { fault, type Shapes } from "./openapiOperate.ts";
import type { MessageSchema } from "./schema.ts";

type Registry = OpenAPIHono["openAPIRegistry"];

export function addMessages(
  registry: Registry,
  shapes: Shapes,
  options: { readonly message: MessageSchema; readonly batchMax: number },
): void {
  const message = options.message.meta({ id: "Message" });
  const many = z.array(message).min(1).max(options.batchMax);
  addSending(registry, shapes, message);
  addBatches(registry, shapes, many);
  addReading(registry, shapes);
}

const key = {
  "idempotency-key": z.string().min(1).max(256).optional().meta({
    description: "The same request with the same key is stored once, for 24 hours.",
  }),
  traceparent: z.string().optional().meta({
    description: "W3C Trace Context: the message goes on with this trace, `tracestate` included.",
  }),
};
const once = z.object(key);
const replayed = z.object({
  "idempotent-replayed": z.literal("true").optional().meta({
    description: "The request came before, and this is its first answer again.",
  }),
});
const told = replayed.extend({
  location: z.string().meta({ description: "`/emails/ID`." }),
  "preference-applied": z.string().optional().meta({ description: "`wait=10`: it was waited." }),
});
const sending = z.object({
  ...key,
  prefer: z
    .string()
    .optional()
    .meta({
      description:
        "`wait=10` (RFC 7240): answers when all recipients are final, or when so many seconds have " +
        "gone by, at most 60.",
    }),
});

function addSending(registry: Registry, { security, json, problems }: Shapes, message: z.ZodType) {
  const envelope = z.object({
    from: z.string().optional().meta({ description: "Only with message/rfc822: MAIL FROM." }),
    to: z
      .union([z.string(), z.array(z.string())])
      .optional()
      .meta({ description: "Only with message/rfc822: the recipients." }),
    notify: z.string().optional().meta({ description: "As `dsn.notify`, with commas." }),
    ret: z.enum(["full", "headers"]).optional(),
    envid: z.string().optional(),
  });
  const content = {
    "application/json": { schema: message },
    "application/cbor": { schema: message },
    "multipart/form-data": { schema: z.any().meta({ description: "Fields as in JSON; files." }) },
    "message/rfc822": { schema: z.string() },
  };
  registry.registerPath({
    method: "post",
    path: "/send",
    summary: "Send one message. Answered once it is on stable storage.",
    security,
    request: { query: envelope, headers: sending, body: { required: true, content } },
    responses: {
      200: { ...json("With `Prefer: wait`: all recipients are final.", settled), headers: told },
      202: { ...json("Taken.", accepted), headers: told },
      ...problems,
    },
  });
  registry.registerPath({
    method: "post",
    path: "/emails",
    summary: "As /send, in Resend's words.",
    security,
    request: { headers: sending, body: { required: true, content } },
    responses: {
      200: { ...json("Taken.", z.object({ id: z.uuid() })), headers: told },
      ...problems,
    },
  });
}

function addBatches(registry: Registry, { security, json, problems }: Shapes, many: z.ZodType) {
  const headers = once.extend({
    "x-batch-validation": z.enum(["strict", "permissive"]).default("strict"),
  });
  const content = { "application/json": { schema: many }, "application/cbor": { schema: many } };
  for (const [path, status] of [
    ["/send/batch", 202],
    ["/emails/batch", 200],
  ] as const)
    registry.registerPath({
      method: "post",
      path,
      summary: "Send several messages: all or none, unless the validation is permissive.",
      security,
      request: { headers, body: { required: true, content } },
      responses: { [status]: { ...json("Taken.", batch), headers: replayed }, ...problems },
    });
}

function addReading(registry: Registry, { security, json, problems }: Shapes): void {
  for (const [path, summary, schema] of reads)
    registry.registerPath({
      method: "get",
      path,
      summary,
      security,
      request: {
        ...(path.includes("{id}") ? { params: id } : {}),
        ...(queries[path] === undefined ? {} : { query: queries[path] }),
      },
      responses: { 200: schema === null ? raw : json("Found.", schema), ...problems },
    });
}

const id = z.object({ id: z.uuid().meta({ description: "A message id, as /send gave it." }) });

const raw = {
  description: "The source (RFC 5322).",
  content: { "message/rfc822": { schema: z.string() } },
};

// The shapes of answers. Nothing checks them while the daemon runs; tests read real answers by them.

const warning = z.object({
  code: z.enum(Object.keys(warnings) as [keyof typeof warnings]),
  detail: z.string(),
});

export const accepted = z.object({
  object: z.literal("email"),
  id: z.uuid(),
  status: z.enum(["queued", "scheduled"]),
  recipients: z.array(
    z.object({ address: z.string(), status: z.enum(["queued", "scheduled", "suppressed"]) }),
  ),
  warnings: z.array(warning).meta({ description: "Worth knowing; the message was taken." }),
});

const state = z.enum(recipientStates);

export const settled = accepted.extend({
  status: state.meta({ description: "The least advanced recipient's." }),
  recipients: z.array(
    z.object({ address: z.string(), status: state, last: z.string().nullable() }),
  ),
});

const batch = z.object({
  data: z.array(z.object({ id: z.uuid() })),
  errors: z
    .array(z.object({ index: z.int(), message: z.string(), errors: z.array(fault) }))
    .optional()
    .meta({ description: "Only when the validation is permissive." }),
  warnings: z
    .array(warning.extend({ indexes: z.array(z.int()) }))
    .optional()
    .meta({ description: "Each warning once, with the places in `data` that it concerns." }),
});

const addresses = z.array(z.string());
export const email = z
  .strictObject({
    object: z.literal("email"),
    id: z.uuid(),
    message_id: z.string(),
    from: z.string(),
    to: addresses,
    cc: addresses.nullable(),
    bcc: addresses.nullable(),
    reply_to: addresses.nullable(),
    subject: z.string(),
    html: z.string().nullable(),
    text: z.string().nullable(),
    tags: z.array(z.object({ name: z.string(), value: z.string() })),
    created_at: z.iso.datetime(),
    scheduled_at: z.iso.datetime().nullable(),
    last_event: z.string().meta({ description: "The least advanced recipient's." }),
    recipients: z.array(
      z.strictObject({
        address: z.string(),
        state,
        attempts: z.int(),
        next_attempt_at: z.iso.datetime().nullable(),
        last: z.string().nullable().meta({ description: "The server's reply, or our reason." }),
      }),
    ),
    priority: z.enum(["p0", "p1", "p2"]),
    reference: z.string().nullable(),
    metadata: z.record(z.string(), z.string()).nullable(),
    warnings: z.array(z.string()).meta({ description: "Codes, as the answer to the send had." }),
  })
  .meta({ id: "Email" });

const list = (item: z.ZodType) =>
  z.object({ object: z.literal("list"), has_more: z.boolean(), data: z.array(item) });

const filter = z.object({
  status: z
    .enum([...recipientStates, "dead"])
    .optional()
    .meta({ description: "At least one recipient is; `dead`: gave up, and its source is kept." }),
  to: z.string().optional(),
  from: z.string().optional(),
  domain: z.string().optional().meta({ description: "Of a recipient." }),
  tag: z.string().optional().meta({ description: "`name`, or `name=value`." }),
  reference: z.string().optional(),
  message_id: z.string().optional(),
  trace: z.string().optional().meta({ description: "A trace id, 32 hex digits." }),
  since: z.iso.datetime().optional(),
  until: z.iso.datetime().optional(),
  limit: z.int().min(1).max(100).default(20),
  after: z.uuid().optional().meta({ description: "Those behind this message: older ones." }),
  before: z.uuid().optional().meta({ description: "Those before it: newer ones." }),
});

const queries: Readonly<Record<string, z.ZodObject>> = {
  "/emails": filter,
  "/emails/{id}/events": z.object({
    smtp: z.enum(["0", "1"]).optional().meta({ description: "1: with the dialogues." }),
  }),
};

const reads: readonly (readonly [string, string, z.ZodType | null])[] = [
  ["/emails", "Messages, newest first, without their texts.", list(email)],
  ["/emails/{id}", "One message and where each recipient stands.", email],
  ["/emails/{id}/events", "What happened to it, step by step.", list(event)],
  ["/emails/{id}/raw", "Its source, while it is kept.", null],
  ["/queue", "Depth and age by state, priority and site.", z.record(z.string(), z.any())],
];
