// GET /openapi.json: the API described from the schemas that check it. Loaded when it is asked for, since the generator takes longer
// to load than the daemon may take to start.
import { OpenAPIHono, z } from "@hono/zod-openapi";
import { CSRF_HEADER } from "../mail/uiSession.ts";
import { addDomains } from "./openapiDomains.ts";
import { addEventShapes } from "./openapiEventShapes.ts";
import { addEvents } from "./openapiEvents.ts";
import { addFigures } from "./openapiFigures.ts";
import { addInbox } from "./openapiInbox.ts";
import { addJournal } from "./openapiJournal.ts";
import { addKeys } from "./openapiKeys.ts";
import { addMessages } from "./openapiMessages.ts";
import { addOperating, fault, type Shapes } from "./openapiOperate.ts";
import { addUi } from "./openapiUi.ts";
import { addWebhooks } from "./openapiWebhooks.ts";
import { errorNames, statusOf } from "./problem.ts";
import type { MessageSchema } from "./schema.ts";

export function describeApi(options: {
  readonly message: MessageSchema;
  readonly batchMax: number;
  readonly version: string;
}): object {
  const { openAPIRegistry: registry, getOpenAPI31Document: document } = new OpenAPIHono();
  registry.registerComponent("securitySchemes", "key", { type: "http", scheme: "bearer" });
  const session = { in: "cookie", name: "postrider_session" } as const;
  registry.registerComponent("securitySchemes", "session", {
    ...{ ...session, type: "apiKey" },
    description: `From POST /ui/session; its name ends in _PORT where the address has one, and begins with __Host- under HTTPS. What changes something needs the header ${CSRF_HEADER} too.`,
  });
  const security = [{ key: [] }, { session: [] }];
  const shapes: Shapes = { security, json, problems: problems() };
  addMessages(registry, shapes, options);
  addDomains(registry, shapes);
  addOperating(registry, shapes);
  addEvents(registry, shapes);
  addKeys(registry, shapes);
  addWebhooks(registry, shapes);
  addInbox(registry, shapes);
  addJournal(registry, shapes);
  addUi(registry, shapes);
  addFigures(registry, shapes);
  addEventShapes(registry);
  for (const [path, summary, type, ...refusals] of open)
    registry.registerPath({
      method: "get",
      path,
      summary,
      security: [],
      responses: {
        200: { description: "As it is.", content: { [type]: { schema: z.any() } } },
        ...Object.fromEntries(refusals.map((status) => [status, shapes.problems[status]])),
      },
    });
  return document({
    openapi: "3.1.0",
    info: {
      title: "Postrider",
      version: options.version,
      license: { name: "MIT" },
      description:
        "Every refusal is `application/problem+json` (RFC 9457) that names all faults of a body " +
        "at once, each with a JSON pointer; the names of errors stand in `/docs`.",
    },
    servers: [{ url: "/" }],
  });
}

function json(description: string, schema: z.ZodType) {
  return { description, content: { "application/json": { schema } } };
}

const problem = z
  .object({
    type: z.string().meta({ description: "Where the name is explained: `/docs#NAME`." }),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    request_id: z.string(),
    name: z.enum(errorNames),
    message: z.string().meta({ description: "As `detail`: Resend's word for it." }),
    statusCode: z.int(),
    limit: z.string().optional().meta({ description: "The limit that was reached." }),
    errors: z.array(fault).optional(),
  })
  .meta({ id: "Problem" });

/** One answer for each status; its description lists the names that it may have. */
function problems(): Shapes["problems"] {
  const names = Map.groupBy(errorNames, statusOf);
  return Object.fromEntries(
    [...names].map(([status, list]) => [
      status,
      {
        description: list.join(", "),
        content: { "application/problem+json": { schema: problem } },
        ...(headersOf[status] === undefined ? {} : { headers: headersOf[status] }),
      },
    ]),
  );
}

const waiting = { "retry-after": z.string().optional().meta({ description: "In seconds." }) };
const allowance = {
  "ratelimit-limit": z.string().optional(),
  "ratelimit-remaining": z.string().optional(),
  "ratelimit-reset": z.string().optional().meta({
    description: "These three stand in every answer to a key that has a limit of its own.",
  }),
};
const headersOf: Readonly<Record<number, z.ZodObject>> = {
  401: z.object({ "www-authenticate": z.string() }),
  405: z.object({ allow: z.string() }),
  409: z.object(waiting),
  429: z.object({ ...waiting, ...allowance }),
  503: z.object(waiting),
};

const open = [
  ["/livez", "The process answers.", "application/json"],
  ["/readyz", "It takes mail.", "application/json", 503],
  [
    "/metrics",
    "Prometheus text or OpenMetrics; needs a key unless asked from this host.",
    "text/plain",
    ...[401, 403, 429],
  ],
  ["/openapi.json", "This document.", "application/json"],
  ["/docs", "This document as a page.", "text/html"],
  ["/", "The dashboard: a page that asks for a key and speaks to this API.", "text/html"],
] as const satisfies readonly (readonly [string, string, string, ...number[]])[];
