// The webhooks' part of /openapi.json.
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { eventTypes } from "../mail/event.ts";
import { hookStatuses } from "../mail/webhook.ts";
import type { Shapes } from "./openapiOperate.ts";

type Registry = OpenAPIHono["openAPIRegistry"];

const types = z
  .array(z.string())
  .min(1)
  .nullable()
  .meta({
    description: `Null: all. Types: ${eventTypes.join(", ")}. Types of Resend that never occur here are accepted with a warning.`,
  });
const endpoint = z.url().meta({ description: "https://, or http:// within `webhook_allow`." });
const status = z.enum(["enabled", "disabled"]);
const secret = z.string().meta({ description: "whsec_ and base64, as Standard Webhooks has it." });
const warnings = z
  .array(z.object({ code: z.literal("event_never_emitted"), detail: z.string() }))
  .optional();

const view = z
  .object({
    object: z.literal("webhook"),
    id: z.uuid(),
    endpoint,
    events: types,
    status,
    created_at: z.iso.datetime(),
    failing_since: z.iso.datetime().nullable(),
    disabled_reason: z.string().nullable(),
  })
  .meta({ id: "Webhook" });

const event = z
  .object({
    id: z.string(),
    type: z.string(),
    email_id: z.string().nullable(),
    created_at: z.iso.datetime(),
    status: z.enum(hookStatuses),
    attempts: z.int(),
    next_attempt_at: z.iso.datetime().nullable(),
  })
  .meta({ id: "WebhookEvent" });

const attempt = z.object({
  id: z.string(),
  http_status_code: z.int().meta({ description: "0: there was no reply." }),
  response: z.string().meta({ description: "How it begins, or why there was none." }),
  sent_at: z.iso.datetime(),
  duration_ms: z.int(),
});

const ref = z.object({ object: z.literal("webhook"), id: z.uuid() });
const list = (item: z.ZodType) =>
  z.object({ object: z.literal("list"), has_more: z.boolean(), data: z.array(item) });
const page = z.object({ limit: z.string().optional(), after: z.string().optional() });
const ofWebhook = z.object({ id: z.uuid() });
const ofEvent = z.object({ id: z.uuid(), event: z.string() });
const body = (schema: z.ZodType) => ({
  required: true,
  content: { "application/json": { schema } },
});

export function addWebhooks(registry: Registry, { security, json, problems }: Shapes): void {
  registry.registerPath({
    ...{ method: "post", path: "/webhooks", security },
    summary: "Tell an endpoint what happens from now on (Standard Webhooks).",
    request: {
      body: body(z.object({ endpoint, events: types.optional() }).meta({ id: "NewWebhook" })),
    },
    responses: {
      201: json("Made.", ref.extend({ signing_secret: secret, warnings })),
      ...problems,
    },
  });
  registry.registerPath({
    ...{ method: "get", path: "/webhooks", security },
    summary: "All webhooks, newest first.",
    request: { query: page.extend({ before: z.uuid().optional() }) },
    responses: { 200: json("Found.", list(view)), ...problems },
  });
  const whole = view.extend({ pending_events: z.int(), signing_secret: secret.optional() });
  registry.registerPath({
    ...{ method: "get", path: "/webhooks/{id}", security, request: { params: ofWebhook } },
    summary: "One webhook; with its secret for a key that may manage.",
    responses: {
      200: json("Found.", whole),
      ...problems,
    },
  });
  const change = z.object({
    endpoint: endpoint.optional(),
    events: types.optional(),
    status: status.optional(),
  });
  registry.registerPath({
    ...{ method: "patch", path: "/webhooks/{id}", security },
    summary: "Change it; one that was disabled goes on where it stopped.",
    request: { params: ofWebhook, body: body(change) },
    responses: { 200: json("Changed.", ref.extend({ warnings })), ...problems },
  });
  registry.registerPath({
    ...{ method: "delete", path: "/webhooks/{id}", security, request: { params: ofWebhook } },
    summary: "Remove it with its log.",
    responses: { 200: json("Removed.", ref.extend({ deleted: z.literal(true) })), ...problems },
  });
  registry.registerPath({
    ...{ method: "post", path: "/webhooks/{id}/signing-secret/rotate", security },
    summary: "Make a new secret. The old one signs too for 24 hours.",
    request: { params: ofWebhook },
    responses: { 200: json("Made.", ref.extend({ signing_secret: secret })), ...problems },
  });
  addLog(registry, { security, json, problems });
}

function addLog(registry: Registry, { security, json, problems }: Shapes): void {
  const payload = z.record(z.string(), z.any()).nullable();
  const whole = event.extend({ object: z.literal("webhook_event"), payload });
  registry.registerPath({
    ...{ method: "get", path: "/webhooks/{id}/events", security },
    summary: "Its delivery log: what waits for its next attempt and what was sent last.",
    request: { params: ofWebhook, query: page },
    responses: { 200: json("Found.", list(event)), ...problems },
  });
  registry.registerPath({
    ...{ method: "get", path: "/webhooks/{id}/events/{event}", security },
    summary: "One event of the log, with what is sent.",
    request: { params: ofEvent },
    responses: { 200: json("Found.", whole), ...problems },
  });
  registry.registerPath({
    ...{ method: "get", path: "/webhooks/{id}/events/{event}/attempts", security },
    summary: "Its last attempts, newest first.",
    request: { params: ofEvent },
    responses: { 200: json("Found.", list(attempt)), ...problems },
  });
  const again = z.object({ object: z.literal("webhook_event"), id: z.string() });
  registry.registerPath({
    ...{ method: "post", path: "/webhooks/{id}/events/{event}/replay", security },
    summary: "Send an event once more, at once.",
    request: { params: ofEvent },
    responses: { 200: json("It waits for its turn.", again), ...problems },
  });
}
