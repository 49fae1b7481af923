// The operator's part of /openapi.json: verbs, reload, explain, trace and the DNS.
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { dnsTypes } from "../mail/dns.ts";
import { recipientStates } from "../mail/state.ts";
import { SCHEDULE_META } from "./schema.ts";

type Registry = OpenAPIHono["openAPIRegistry"];
type Route = Parameters<Registry["registerPath"]>[0];

export interface Shapes {
  readonly security: NonNullable<Route["security"]>;
  readonly json: (description: string, schema: z.ZodType) => Route["responses"][string];
  readonly problems: Route["responses"];
}

/** What is wrong with one place of a body. */
export const fault = z.object({
  pointer: z.string().meta({ description: "A JSON pointer (RFC 6901) into the body." }),
  code: z.string(),
  detail: z.string(),
});

const id = z.object({ id: z.uuid().meta({ description: "A message id, as /send gave it." }) });
const anything = z.record(z.string(), z.any());

const span = {
  domain: z.string().optional().meta({ description: "Recipients of this domain." }),
  site: z.string().optional().meta({ description: "All that is sent to this site." }),
  all: z.literal(true).optional().meta({ description: "Everything." }),
};
const which = { ...span, id: z.uuid().optional().meta({ description: "One message." }) };

const verbs = [
  ["/queue/pause", "Send nothing more there until it is resumed.", span],
  ["/queue/resume", "Send again to what was paused.", span],
  ["/queue/flush", "Try what is deferred now, and forget backoffs.", which],
  ["/queue/hold", "Keep what waits until it is released.", which],
  ["/queue/release", "Let go what is held.", which],
] as const;

const reached = z.object({ object: z.literal("email"), id: z.uuid() }).loose();

const scheduledAt = z.string().meta(SCHEDULE_META);
const count = z.int().min(0);
const canceled = reached.extend({
  canceled: count,
  unchanged: count,
  recipients: z.array(z.object({ address: z.string(), status: z.enum(recipientStates) })).meta({
    description: "Where each stands: `sending` is past its final dot.",
  }),
});

export function addOperating(registry: Registry, { security, json, problems }: Shapes): void {
  const add = (
    method: "get" | "post" | "patch",
    path: string,
    summary: string,
    rest: {
      readonly body?: z.ZodType;
      readonly query?: z.ZodObject;
      readonly params?: z.ZodObject;
      readonly answer?: z.ZodType;
    },
  ): void => {
    const { body, query, params, answer = anything } = rest;
    registry.registerPath({
      ...{ method, path, summary, security },
      request: {
        ...(params === undefined ? {} : { params }),
        ...(query === undefined ? {} : { query }),
        ...(body === undefined
          ? {}
          : { body: { required: true, content: { "application/json": { schema: body } } } }),
      },
      responses: { 200: json("Done.", answer), ...problems },
    });
  };
  const one = { params: id, answer: reached };
  add("post", "/emails/{id}/cancel", "Send it no more; it wins until the final dot is sent.", {
    ...one,
    answer: canceled,
  });
  add("post", "/emails/{id}/retry", "Try it now, or once more when it gave up.", one);
  const time = z.object({ scheduled_at: scheduledAt });
  add("patch", "/emails/{id}", "Another time for a scheduled message.", { ...one, body: time });
  for (const [path, summary, fields] of verbs)
    add("post", path, `${summary} Exactly one of the fields.`, { body: z.object(fields) });
  add("post", "/reload", "Read the settings anew: all or nothing.", {});
  const domain = z.object({ domain: z.string() });
  add("get", "/explain/{domain}", "Why mail to a domain is slow.", { params: domain });
  const question = z.object({ name: z.string(), type: z.enum(dnsTypes).default("MX") });
  add("get", "/dns/lookup", "Ask the DNS as the daemon would.", { query: question });
  add("post", "/dns/flush", "Forget one name, or all of them.", {
    body: z.object({ name: z.string().optional() }),
  });
  add("post", "/dns/warm", "Learn where the mail of these domains goes.", {
    body: z.object({ domains: z.array(z.string()).min(1).max(500) }),
  });
  registry.registerPath({
    method: "get",
    path: "/trace",
    summary: "Dialogues with remote servers, live; one of id and domain.",
    security,
    request: { query: z.object({ id: z.uuid().optional(), domain: z.string().optional() }) },
    responses: {
      200: { description: "Lines.", content: { "text/event-stream": { schema: z.string() } } },
      ...problems,
    },
  });
}
