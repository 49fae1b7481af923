// The part of /openapi.json that tells how mail flows: figures, their stream, and sites.
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { slowCauses } from "../mail/slow.ts";
import type { Shapes } from "./openapiOperate.ts";

type Registry = OpenAPIHono["openAPIRegistry"];

const rate = z.number().meta({ description: "A second." });
const ms = z.number().nullable();
const count = z.int();
const point = z
  .object({
    id: z.int().meta({ description: "Grows by one with each point." }),
    at: z.iso.datetime(),
    accepted_per_second: rate,
    delivered_per_second: rate,
    deferred_per_second: rate,
    bounced_per_second: rate,
    refused_per_second: rate,
    accept_p50_ms: ms,
    accept_p99_ms: ms,
    delivery_p50_ms: ms,
    delivery_p99_ms: ms,
    queued: count,
  })
  .meta({ id: "FigurePoint" });
const byPriority = z.object({ p0: count.nullable(), p1: count.nullable(), p2: count.nullable() });
const alert = z.object({
  code: z.string(),
  level: z.enum(["warn", "bad"]),
  since: z.iso.datetime(),
  site: z.string().nullable(),
  text: z.string(),
  remedy: z.string(),
});
const figures = z
  .object({
    object: z.literal("figures"),
    version: z.string(),
    hostname: z.string(),
    started_at: z.iso.datetime(),
    uptime_seconds: count,
    measuring: z.boolean().meta({ description: "False: the setting `metrics` is off." }),
    now: point.nullable(),
    history: z.array(point).meta({ description: "Five minutes, oldest first." }),
    totals: z.record(z.string(), count).meta({ description: "Since the start." }),
    queue: z.object({
      recipients: count,
      states: z.array(z.object({ state: z.string(), p0: count, p1: count, p2: count })),
      oldest_age_seconds: byPriority,
      ages: z.array(z.object({ up_to_seconds: count.nullable(), messages: count })),
    }),
    health: z.object({ status: z.enum(["ok", "warn", "bad"]), alerts: z.array(alert) }).loose(),
  })
  .meta({ id: "Figures" });
const phase = z.object({
  phase: z.string(),
  replies: count,
  p50_ms: z.number(),
  p95_ms: z.number(),
});
const site = z
  .object({
    object: z.literal("site"),
    site: z.string(),
    domains: count.nullable(),
    connections: z.object({ open: count, idle: count, opening: count }),
    concurrency: z.object({ now: count, limit: count }).nullable(),
    backlog: z.object({ waiting: count, at_least: z.boolean(), sending: count }).loose(),
    rates: z.record(z.string(), rate).nullable(),
    pause: z
      .object({ rule: z.string(), text: z.string(), until: z.iso.datetime().nullable() })
      .nullable(),
    last_error: z.record(z.string(), z.any()).nullable(),
    phases: z.array(phase),
    slowest: phase.nullable(),
    cause: z.enum(slowCauses),
    reason: z.string().meta({ description: "Why it is slow, in one sentence." }),
  })
  .meta({ id: "Site" });

export function addFigures(registry: Registry, { security, json, problems }: Shapes): void {
  registry.registerPath({
    ...{ method: "get", path: "/figures", security },
    summary: "How mail flows now and in the last minutes, what waits, and what is wrong.",
    responses: { 200: json("As it is.", figures), ...problems },
  });
  registry.registerPath({
    ...{ method: "get", path: "/figures/stream", security },
    summary: "The same as server-sent events, one every two seconds; the history has what is new.",
    request: {
      query: z.object({
        after: z
          .string()
          .optional()
          .meta({ description: "The id of the last point that is known." }),
      }),
      headers: z.object({ "last-event-id": z.string().optional() }),
    },
    responses: {
      200: { description: "Events.", content: { "text/event-stream": { schema: z.string() } } },
      ...problems,
    },
  });
  registry.registerPath({
    ...{ method: "get", path: "/sites", security },
    summary: "Each destination and why it is slow, what has most to send first.",
    request: {
      query: z.object({
        site: z.string().optional().meta({ description: "This one alone." }),
        limit: z.int().min(1).max(300).default(100),
      }),
    },
    responses: {
      200: json(
        "The sites.",
        z.object({ object: z.literal("list"), has_more: z.boolean(), data: z.array(site) }),
      ),
      ...problems,
    },
  });
}
