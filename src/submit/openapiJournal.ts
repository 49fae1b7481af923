// The part of the journal, the log and the queue's shape in /openapi.json.
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { logLevels } from "../base/log.ts";
import { FIRST_FINAL, recipientStates } from "../mail/state.ts";
import type { Shapes } from "./openapiOperate.ts";

type Registry = OpenAPIHono["openAPIRegistry"];

const line = z
  .object({ time: z.iso.datetime(), level: z.enum(logLevels), event: z.string() })
  .loose()
  .meta({ id: "JournalLine" });

const filter = z.object({
  since: z.iso.datetime({ offset: true }).optional(),
  until: z.iso.datetime({ offset: true }).optional(),
  event: z
    .string()
    .optional()
    .meta({ description: "Keys of the log, or their first words; several with commas between." }),
  limit: z
    .string()
    .optional()
    .meta({ description: "The first so many since then, or the last ones: 1 to 1000 (200)." }),
});

const level = z
  .object({
    object: z.literal("log_level"),
    level: z.string(),
    until: z.iso
      .datetime()
      .nullable()
      .meta({ description: "Then the level of the settings holds." }),
  })
  .meta({ id: "LogLevel" });

const change = z.object({
  level: z.string().meta({ description: "Such as `debug`, or `info,uplink=debug`." }),
  for_seconds: z.int().min(1).max(604_800).optional(),
});

const ages = z
  .object({
    object: z.literal("queue_ages"),
    bounds_minutes: z.array(z.int()),
    data: z.array(z.object({ name: z.string(), recipients: z.int(), ages: z.array(z.int()) })),
    more: z.int(),
    sample: z.int().nullable().meta({ description: "Null: the numbers are exact." }),
  })
  .loose()
  .meta({ id: "QueueAges" });

export function addJournal(registry: Registry, { security, json, problems }: Shapes): void {
  const list = z.object({ object: z.literal("list"), has_more: z.boolean(), data: z.array(line) });
  registry.registerPath({
    method: "get",
    path: "/journal",
    summary: "What the daemon itself went through, oldest first.",
    security,
    request: { query: filter },
    responses: { 200: json("Lines of its log.", list), ...problems },
  });
  const states = recipientStates.slice(0, FIRST_FINAL);
  registry.registerPath({
    method: "get",
    path: "/queue/ages",
    summary: "What waits, by site or domain and by age, as qshape tells it.",
    security,
    request: {
      query: z.object({
        by: z.enum(["site", "domain"]).default("site"),
        state: z.enum(states as [string, ...string[]]).optional(),
        limit: z.string().optional(),
      }),
    },
    responses: { 200: json("Most first.", ages), ...problems },
  });
  registry.registerPath({
    method: "get",
    path: "/log-level",
    summary: "Which lines of its log are written.",
    security,
    responses: { 200: json("The level.", level), ...problems },
  });
  registry.registerPath({
    method: "post",
    path: "/log-level",
    summary: "Other lines from now on, for a while or until the next reload.",
    security,
    request: { body: { required: true, content: { "application/json": { schema: change } } } },
    responses: { 200: json("The level.", level), ...problems },
  });
}
