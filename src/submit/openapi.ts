// GET /openapi.json: the API described from the schemas that check it. Loaded when it is asked for, since the generator takes longer
// to load than the daemon may take to start.
import { OpenAPIHono, z } from "@hono/zod-openapi";
import { addKeys } from "./openapiKeys.ts";
import { addOperating } from "./openapiOperate.ts";
import { errorNames, statusOf } from "./problem.ts";
import type { MessageSchema } from "./schema.ts";

export function describeApi(options: {
  readonly message: MessageSchema;
  readonly batchMax: number;
  readonly version: string;
}): object {
  const { openAPIRegistry: registry, getOpenAPI31Document: document } = new OpenAPIHono();
  registry.registerComponent("securitySchemes", "key", { type: "http", scheme: "bearer" });
  addSending(registry, options.message.meta({ id: "Message" }), options.batchMax);
  // Errors and keys are the same for all that reads.
  for (const [path, summary, schema] of reads)
    registry.registerPath({
      method: "get",
      path,
      summary,
      security,
      request: path.includes("{id}") ? { params: id } : path === "/emails" ? { query: filter } : {},
      responses: {
        200: schema === null ? raw : json("Found.", schema),
        ...problems(false),
      },
    });
  addDomains(registry);
  addOperating(registry, { security, json, problems: problems(true) });
  addKeys(registry, { security, json, problems: problems(true) });
  for (const [path, summary, type] of open)
    registry.registerPath({
      method: "get",
      path,
      summary,
      responses: { 200: { description: "As it is.", content: { [type]: { schema: z.any() } } } },
    });
  return document({
    openapi: "3.1.0",
    info: { title: "Postrider", version: options.version, license: { name: "MIT" } },
  });
}

type Registry = OpenAPIHono["openAPIRegistry"];

function addSending(registry: Registry, message: z.ZodType, batchMax: number): void {
  registry.registerPath({
    method: "post",
    path: "/send",
    summary: "Send one message. Answered once it is on stable storage.",
    security,
    request: {
      query: z.object({
        from: z.string().optional().meta({ description: "Only with message/rfc822: MAIL FROM." }),
        to: z
          .union([z.string(), z.array(z.string())])
          .optional()
          .meta({ description: "Only with message/rfc822: the recipients." }),
      }),
      body: {
        required: true,
        content: {
          "application/json": { schema: message },
          "application/cbor": { schema: message },
          "message/rfc822": { schema: z.string() },
        },
      },
    },
    responses: { 202: json("Taken.", accepted), ...problems(true) },
  });
  registry.registerPath({
    method: "post",
    path: "/send/batch",
    summary: "Send several messages: all or none, unless the validation is permissive.",
    security,
    request: {
      headers: z.object({
        "x-batch-validation": z.enum(["strict", "permissive"]).default("strict"),
      }),
      body: {
        required: true,
        content: {
          "application/json": { schema: z.array(message).min(1).max(batchMax) },
          "application/cbor": { schema: z.array(message).min(1).max(batchMax) },
        },
      },
    },
    responses: { 202: json("Taken.", batch), ...problems(true) },
  });
}

function addDomains(registry: Registry): void {
  const name = z.string().meta({ description: "The domain's id or its name." });
  const params = z.object({ id: name });
  const fields = z
    .object({
      name: z.string().meta({ description: "A domain such as example.com." }),
      selector: z
        .string()
        .optional()
        .meta({ description: "Name of the RSA key in the DNS; the Ed25519 key adds -ed." }),
    })
    .meta({ id: "NewDomain" });
  const deleted = z.object({
    object: z.literal("domain"),
    id: z.uuid(),
    deleted: z.literal(true),
  });
  const path = (
    method: "get" | "post" | "delete",
    at: string,
    summary: string,
    success: Readonly<Record<number, ReturnType<typeof json>>>,
  ): void =>
    registry.registerPath({
      method,
      path: at,
      summary,
      security,
      request: {
        ...(at.includes("{id}") ? { params } : {}),
        ...(at === "/domains" && method === "post"
          ? { body: { required: true, content: { "application/json": { schema: fields } } } }
          : {}),
      },
      responses: { ...success, ...problems(true) },
    });
  path("post", "/domains", "Make keys for a domain and sign its mail with them.", {
    201: json("Signed from now on.", domain),
  });
  path("get", "/domains", "Domains whose mail is signed.", { 200: json("Found.", list(domain)) });
  path("get", "/domains/{id}", "One domain, its keys and DNS records.", {
    200: json("Found.", domain),
  });
  path("delete", "/domains/{id}", "Sign no more, and remove the keys.", {
    200: json("Gone.", deleted),
  });
  path("post", "/domains/{id}/verify", "Ask the DNS for its records.", {
    200: json("What was found.", domain),
  });
}

const security = [{ key: [] }];
const id = z.object({ id: z.uuid().meta({ description: "A message id, as /send gave it." }) });

function json(description: string, schema: z.ZodType) {
  return { description, content: { "application/json": { schema } } };
}

const raw = {
  description: "The source (RFC 5322).",
  content: { "message/rfc822": { schema: z.string() } },
};

// The shapes of answers, which nothing checks at run time: the types of mail/query.ts do, when the reader is compiled.

const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    request_id: z.string(),
    name: z.enum(errorNames),
    message: z.string(),
    statusCode: z.int(),
    errors: z
      .array(z.object({ pointer: z.string(), code: z.string(), detail: z.string() }))
      .optional(),
  })
  .meta({ id: "Problem" });

/** One answer for each status; its description lists the names that it may have. */
function problems(sending: boolean) {
  const names = new Map<number, string[]>();
  for (const name of errorNames) {
    const status = statusOf(name);
    const onlySending = status === 408 || status === 413 || status === 415 || status === 503;
    if (onlySending && !sending && name !== "busy") continue;
    names.set(status, [...(names.get(status) ?? []), name]);
  }
  return Object.fromEntries(
    [...names].map(([status, list]) => [
      status,
      {
        description: list.join(", "),
        content: { "application/problem+json": { schema: problem } },
      },
    ]),
  );
}

const accepted = z.object({
  object: z.literal("email"),
  id: z.uuid(),
  status: z.enum(["queued", "scheduled"]),
  recipients: z.array(z.object({ address: z.string(), status: z.enum(["queued", "scheduled"]) })),
  warnings: z.array(z.string()),
});

const batch = z.object({
  data: z.array(z.object({ id: z.uuid() })),
  errors: z
    .array(z.object({ index: z.int(), message: z.string() }))
    .optional()
    .meta({ description: "Only when the validation is permissive." }),
});

const email = z
  .object({
    object: z.literal("email"),
    id: z.uuid(),
    message_id: z.string(),
    from: z.string(),
    to: z.array(z.string()),
    cc: z.array(z.string()).nullable(),
    bcc: z.array(z.string()).nullable(),
    reply_to: z.array(z.string()).nullable(),
    subject: z.string(),
    html: z.string().nullable(),
    text: z.string().nullable(),
    tags: z.array(z.object({ name: z.string(), value: z.string() })),
    created_at: z.iso.datetime(),
    scheduled_at: z.iso.datetime().nullable(),
    last_event: z.string(),
    recipients: z.array(
      z.object({
        address: z.string(),
        state: z.string(),
        attempts: z.int(),
        next_attempt_at: z.iso.datetime().nullable(),
        last: z.string().nullable(),
      }),
    ),
    priority: z.enum(["p0", "p1", "p2"]),
    reference: z.string().nullable(),
    metadata: z.record(z.string(), z.string()).nullable(),
  })
  .meta({ id: "Email" });

const list = (item: z.ZodType) =>
  z.object({ object: z.literal("list"), has_more: z.boolean(), data: z.array(item) });

const recordStatus = z.enum(["not_started", "verified", "failed", "temporary_failure"]);
const domain = z
  .object({
    object: z.literal("domain"),
    id: z.uuid(),
    name: z.string(),
    status: recordStatus,
    created_at: z.iso.datetime(),
    keys: z.array(
      z.object({
        selector: z.string(),
        algorithm: z.enum(["rsa-sha256", "ed25519-sha256"]),
        bits: z.int(),
        origin: z.enum(["made", "settings"]),
      }),
    ),
    records: z.array(
      z.object({
        record: z.enum(["DKIM", "SPF", "DMARC", "EHLO", "PTR"]),
        name: z.string(),
        type: z.enum(["TXT", "A", "AAAA", "PTR"]),
        ttl: z.int(),
        value: z.string(),
        status: recordStatus,
        detail: z.string(),
      }),
    ),
  })
  .meta({ id: "Domain" });

const filter = z.object({
  status: z.string().optional(),
  to: z.string().optional(),
  from: z.string().optional(),
  domain: z.string().optional(),
  tag: z.string().optional(),
  reference: z.string().optional(),
  message_id: z.string().optional(),
  since: z.iso.datetime().optional(),
  until: z.iso.datetime().optional(),
  limit: z.int().min(1).max(100).default(20),
  after: z.string().optional(),
  before: z.string().optional(),
});

const reads: readonly (readonly [string, string, z.ZodType | null])[] = [
  ["/emails", "Messages, newest first.", list(email)],
  ["/emails/{id}", "One message and where each recipient stands.", email],
  [
    "/emails/{id}/events",
    "What happened to it, step by step.",
    list(z.record(z.string(), z.any())),
  ],
  ["/emails/{id}/raw", "Its source, while it is kept.", null],
  ["/queue", "Depth and age by state, priority and site.", z.record(z.string(), z.any())],
];

const open = [
  ["/livez", "The process answers.", "application/json"],
  ["/readyz", "It takes mail.", "application/json"],
  ["/metrics", "Prometheus text or OpenMetrics.", "text/plain"],
  ["/openapi.json", "This document.", "application/json"],
] as const;
