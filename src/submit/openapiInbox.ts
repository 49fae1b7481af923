// The built-in inbox's part of /openapi.json.
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Shapes } from "./openapiOperate.ts";

type Registry = OpenAPIHono["openAPIRegistry"];

const item = {
  object: z.literal("inbox_message"),
  id: z.uuid(),
  received_at: z.iso.datetime(),
  envelope: z.object({ from: z.string(), to: z.array(z.string()) }),
  message_id: z.string().nullable(),
  from: z.string().nullable(),
  to: z.array(z.string()),
  subject: z.string(),
  size_bytes: z.int(),
};
const attachment = z.object({
  filename: z.string().nullable(),
  content_type: z.string(),
  content_id: z.string().nullable(),
  disposition: z.string().nullable(),
  size_bytes: z.int(),
});
const view = z
  .object({
    ...item,
    cc: z.array(z.string()),
    reply_to: z.array(z.string()),
    headers: z.array(z.object({ name: z.string(), value: z.string() })),
    text: z.string().nullable(),
    html: z.string().nullable(),
    attachments: z.array(attachment),
    header_only: z.boolean().meta({ description: "Too large to be taken apart here." }),
  })
  .meta({ id: "InboxMessage" });

const filter = z.object({
  to: z.string().optional().meta({ description: "A recipient of the envelope." }),
  from: z.string().optional().meta({ description: "The envelope's sender, or a part of From." }),
  subject: z.string().optional().meta({ description: "A part of it." }),
  limit: z.string().optional(),
  after: z.uuid().optional(),
  before: z.uuid().optional(),
});
const prefer = z.object({
  prefer: z.string().optional().meta({
    description: "`wait=10`: answer once there is such a message, or after so many seconds.",
  }),
});

export function addInbox(registry: Registry, { security, json, problems }: Shapes): void {
  const params = z.object({ id: z.uuid() });
  const list = z.object({
    object: z.literal("list"),
    has_more: z.boolean(),
    data: z.array(z.object(item)),
  });
  const deleted = z.literal(true);
  registry.registerPath({
    ...{ method: "get", path: "/inbox", security },
    summary: "What `capture` and `*@postrider.test` took, newest first.",
    request: { query: filter, headers: prefer },
    responses: { 200: json("Found.", list), ...problems },
  });
  registry.registerPath({
    ...{ method: "get", path: "/inbox/{id}", security, request: { params } },
    summary: "One message of the inbox, taken apart.",
    responses: { 200: json("Found.", view), ...problems },
  });
  registry.registerPath({
    ...{ method: "get", path: "/inbox/{id}/raw", security, request: { params } },
    summary: "Its source (RFC 5322), to the octet.",
    responses: {
      200: { description: "Found.", content: { "message/rfc822": { schema: z.any() } } },
      ...problems,
    },
  });
  registry.registerPath({
    ...{ method: "delete", path: "/inbox/{id}", security, request: { params } },
    summary: "Remove one message of the inbox.",
    responses: {
      200: json("Removed.", z.object({ object: item.object, id: item.id, deleted })),
      ...problems,
    },
  });
  registry.registerPath({
    ...{ method: "delete", path: "/inbox", security },
    summary: "Empty the inbox.",
    responses: {
      200: json("Removed.", z.object({ object: z.literal("inbox"), count: z.int(), deleted })),
      ...problems,
    },
  });
}
