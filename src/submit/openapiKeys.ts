// The API keys' part of /openapi.json.
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { scopes } from "../mail/apiKey.ts";
import type { Shapes } from "./openapiOperate.ts";

type Registry = OpenAPIHono["openAPIRegistry"];

const scope = z.enum(scopes);
const limits = {
  domains: z
    .array(z.string())
    .nullable()
    .meta({ description: "It may send from these domains and those below them; null: from all." }),
  rate: z
    .string()
    .nullable()
    .meta({ description: "Requests, such as 5/s or 100/m; null: `key_rate` of the settings." }),
  burst: z.int().min(1).nullable().meta({ description: "Requests at once." }),
  daily_quota: z.int().min(1).nullable().meta({ description: "Recipients in a day of UTC." }),
  queue_max: z.int().min(1).nullable().meta({ description: "Recipients in the queue at a time." }),
};

const fields = z.object({
  name: z.string().min(1).max(60),
  permission: z.enum(["full_access", "sending_access"]).optional(),
  domain_id: z.string().optional().meta({ description: "A domain's id or its name." }),
  scopes: z.array(scope).min(1).optional(),
  domains: limits.domains.optional(),
  rate: limits.rate.optional(),
  burst: limits.burst.optional(),
  daily_quota: limits.daily_quota.optional(),
  queue_max: limits.queue_max.optional(),
  expires_at: z.iso.datetime().nullable().optional(),
  expires_in: z.string().optional().meta({ description: "A duration such as 12h or 90d." }),
  capture: z.boolean().optional().meta({ description: "Nothing that it sends leaves the host." }),
});

const view = z
  .object({
    object: z.literal("api_key"),
    id: z.uuid(),
    name: z.string(),
    permission: z.enum(["full_access", "sending_access"]).nullable(),
    scopes: z.array(scope),
    ...limits,
    used_today: z.int().nullable(),
    capture: z.boolean(),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime().nullable(),
    expired: z.boolean(),
    last_used_at: z.iso.datetime().nullable().meta({ description: "To the hour." }),
  })
  .meta({ id: "ApiKey" });

export function addKeys(registry: Registry, { security, json, problems }: Shapes): void {
  const params = z.object({ id: z.uuid() });
  const body = (schema: z.ZodType) => ({
    required: true,
    content: { "application/json": { schema } },
  });
  const deleted = { object: z.literal("api_key"), id: z.uuid(), deleted: z.literal(true) };
  const page = z.object({
    limit: z.string().optional(),
    after: z.uuid().optional(),
    before: z.uuid().optional(),
  });
  const list = z.object({
    object: z.literal("list"),
    has_more: z.boolean(),
    data: z.array(view),
  });
  registry.registerPath({
    ...{ method: "post", path: "/api-keys", security },
    summary: "Make an API key. The token is in this answer and nowhere else.",
    request: { body: body(fields.meta({ id: "NewApiKey" })) },
    responses: { 201: json("Made.", view.extend({ token: z.string() })), ...problems },
  });
  registry.registerPath({
    ...{ method: "get", path: "/api-keys", security },
    summary: "All keys but the first, which the settings hold; newest first.",
    request: { query: page },
    responses: { 200: json("Found.", list), ...problems },
  });
  registry.registerPath({
    ...{ method: "get", path: "/api-keys/{id}", security, request: { params } },
    summary: "One key.",
    responses: { 200: json("Found.", view), ...problems },
  });
  registry.registerPath({
    ...{ method: "patch", path: "/api-keys/{id}", security },
    summary: "Change what a key may do, from the next request on.",
    request: { params, body: body(fields.partial()) },
    responses: { 200: json("Changed.", view), ...problems },
  });
  registry.registerPath({
    ...{ method: "delete", path: "/api-keys/{id}", security, request: { params } },
    summary: "Revoke a key, at once.",
    responses: { 200: json("Revoked.", z.object(deleted)), ...problems },
  });
}
