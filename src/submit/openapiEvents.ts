// The events' part of /openapi.json: what happened, who gets no mail, and reports that came back.
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { eventTypes } from "../mail/event.ts";
import { suppressionOrigins } from "../mail/suppression.ts";
import type { Shapes } from "./openapiOperate.ts";
import { RAW_TYPE } from "./answer.ts";

type Registry = OpenAPIHono["openAPIRegistry"];

const origin = z.enum(suppressionOrigins);
const suppression = z.object({
  object: z.literal("suppression"),
  id: z.uuid(),
  email: z.string(),
  origin,
  source_id: z.uuid().nullable().meta({ description: "The message that brought it." }),
  reason: z.string().nullable(),
  created_at: z.iso.datetime(),
});
const added = { added: z.boolean().meta({ description: "False: it was there already." }) };
const list = (item: z.ZodType) =>
  z.object({ object: z.literal("list"), has_more: z.boolean(), data: z.array(item) });
const which = z.object({
  which: z.string().meta({ description: "An address, or an id of the list." }),
});
const gone = z.object({
  object: z.literal("suppression"),
  id: z.uuid(),
  email: z.string(),
  deleted: z.literal(true),
});
const each = z.object({
  ...{ object: z.literal("suppression"), id: z.uuid(), email: z.string() },
  ...added,
});
const many = z.array(z.string()).min(1).max(1000);
const body = (schema: z.ZodType) => ({
  body: { required: true, content: { "application/json": { schema } } },
});
const types = z
  .string()
  .optional()
  .meta({ description: `Some of ${eventTypes.join(", ")}, with commas between.` });
const event = z
  .object({
    id: z.int().meta({ description: "A sequence number." }),
    type: z.enum(eventTypes),
    created_at: z.iso.datetime(),
    timestamp: z.iso.datetime(),
    data: z.record(z.string(), z.any()),
  })
  .loose();
const result = z.object({
  recipient: z.string().nullable(),
  email_id: z.uuid().nullable(),
  result: z.string(),
  suppressed: z.boolean(),
});

export function addEvents(registry: Registry, { security, json, problems }: Shapes): void {
  const path = "/suppressions";
  registry.registerPath({
    ...{ method: "get", path, security },
    summary: "Addresses that get no mail, newest first.",
    request: {
      query: z.object({
        origin: origin.optional(),
        limit: z.int().min(1).max(100).default(20).optional(),
        after: z.uuid().optional(),
        before: z.uuid().optional(),
      }),
    },
    responses: { 200: json("A page.", list(suppression)), ...problems },
  });
  registry.registerPath({
    ...{ method: "post", path, security, summary: "No mail to this address from now on." },
    request: body(z.object({ email: z.string(), reason: z.string().max(300).optional() })),
    responses: {
      200: json("It was there already, as shown.", suppression.extend(added)),
      201: json("Added.", suppression.extend(added)),
      ...problems,
    },
  });
  const one = { path: "/suppressions/{which}", security, request: { params: which } };
  registry.registerPath({
    ...{ method: "get", ...one, summary: "Whether and why an address gets no mail." },
    responses: { 200: json("It gets none.", suppression), ...problems },
  });
  registry.registerPath({
    ...{ method: "delete", ...one, summary: "Mail goes to it again." },
    responses: { 200: json("Removed.", gone), ...problems },
  });
  addBatches(registry, { security, json, problems });
  addFeed(registry, { security, json, problems });
}

function addBatches(registry: Registry, { security, json, problems }: Shapes): void {
  registry.registerPath({
    ...{ method: "post", path: "/suppressions/batch/add", security },
    summary: "No mail to these addresses from now on.",
    request: body(z.object({ emails: many, reason: z.string().max(300).optional() })),
    responses: { 201: json("Each of them.", z.object({ data: z.array(each) })), ...problems },
  });
  registry.registerPath({
    ...{ method: "post", path: "/suppressions/batch/remove", security },
    summary: "Mail goes to them again. One of emails and ids.",
    request: body(z.object({ emails: many.optional(), ids: many.optional() })),
    responses: {
      200: json("Those that were there.", z.object({ data: z.array(gone) })),
      ...problems,
    },
  });
}

function addFeed(registry: Registry, { security, json, problems }: Shapes): void {
  const id = z.int().optional();
  registry.registerPath({
    ...{ method: "get", path: "/events", security },
    summary: "What happened, oldest first: the last ones, or those behind an id or a time.",
    request: {
      query: z.object({
        after: id,
        before: id,
        since: z.iso.datetime().optional(),
        type: types,
        limit: z.int().min(1).max(100).default(20).optional(),
      }),
    },
    responses: { 200: json("A page.", list(event).loose()), ...problems },
  });
  registry.registerPath({
    ...{ method: "get", path: "/events/stream", security },
    summary: "What happens, as it happens. Goes on behind Last-Event-ID.",
    request: {
      headers: z.object({ "last-event-id": z.string().optional() }),
      query: z.object({
        after: id,
        type: types,
        email_id: z.uuid().optional(),
        to: z.string().optional(),
        domain: z.string().optional(),
      }),
    },
    responses: {
      200: {
        description: "Server-sent events; `id` is the event's, `data` the event.",
        content: { "text/event-stream": { schema: z.string() } },
      },
      ...problems,
    },
  });
  registry.registerPath({
    ...{ method: "post", path: "/reports", security },
    summary: "A bounce (RFC 3464) or a complaint (RFC 5965) that came back by mail.",
    request: {
      query: z.object({
        to: z.string().optional().meta({ description: "Whom the report was sent to." }),
      }),
      body: { required: true, content: { [RAW_TYPE]: { schema: z.string() } } },
    },
    responses: {
      200: json(
        "What was made of it.",
        z.object({ object: z.literal("report"), kind: z.string(), results: z.array(result) }),
      ),
      ...problems,
    },
  });
}
