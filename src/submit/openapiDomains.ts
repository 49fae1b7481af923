// The sender domains' part of /openapi.json.
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Shapes } from "./openapiOperate.ts";

type Registry = OpenAPIHono["openAPIRegistry"];

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

const domains = z.object({
  object: z.literal("list"),
  has_more: z.boolean(),
  data: z.array(domain),
});

export function addDomains(registry: Registry, { security, json, problems }: Shapes): void {
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
  const page = z.object({
    limit: z.int().min(1).max(100).optional().meta({ description: "All, unless it is given." }),
    after: z.uuid().optional(),
    before: z.uuid().optional(),
  });
  const deleted = z.object({
    object: z.literal("domain"),
    id: z.uuid(),
    deleted: z.literal(true),
  });
  const path = (
    method: "get" | "post" | "delete",
    at: string,
    summary: string,
    success: Shapes["problems"],
  ): void =>
    registry.registerPath({
      method,
      path: at,
      summary,
      security,
      request: {
        ...(at.includes("{id}") ? { params } : {}),
        ...(at === "/domains" && method === "get" ? { query: page } : {}),
        ...(at === "/domains" && method === "post"
          ? { body: { required: true, content: { "application/json": { schema: fields } } } }
          : {}),
      },
      responses: { ...success, ...problems },
    });
  path("post", "/domains", "Make keys for a domain and sign its mail with them.", {
    201: json("Signed from now on.", domain),
  });
  path("get", "/domains", "Domains whose mail is signed.", { 200: json("Found.", domains) });
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
