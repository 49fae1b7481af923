// The dashboard's part of /openapi.json: who is logged in.
import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { scopes } from "../mail/apiKey.ts";
import { CSRF_HEADER } from "../mail/uiSession.ts";
import type { Shapes } from "./openapiOperate.ts";

type Registry = OpenAPIHono["openAPIRegistry"];

const loggedIn = z.object({
  object: z.literal("ui_session"),
  logged_in: z.literal(true),
  key: z.object({ id: z.string(), name: z.string() }),
  scopes: z.array(z.enum(scopes)),
  csrf_token: z.string().meta({
    description: `Said in the header ${CSRF_HEADER} of every request that changes something.`,
  }),
  expires_at: z.iso.datetime(),
  idle_seconds: z.int().meta({ description: "So long without a request ends it earlier." }),
});
const loggedOut = z.object({ object: z.literal("ui_session"), logged_in: z.literal(false) });
const ended = z.object({ object: z.literal("ui_session"), deleted: z.literal(true) });

export function addUi(registry: Registry, { json, problems }: Shapes): void {
  const path = "/ui/session";
  registry.registerPath({
    ...{ method: "get", path, security: [] },
    summary: "Who is logged in to the dashboard; nobody is no error.",
    responses: { 200: json("As it is.", z.union([loggedIn, loggedOut])), ...problems },
  });
  registry.registerPath({
    ...{ method: "post", path, security: [] },
    summary: "Log in with an API key that may read; the answer sets a cookie.",
    request: {
      body: {
        required: true,
        content: { "application/json": { schema: z.object({ key: z.string() }) } },
      },
    },
    responses: { 201: json("Logged in.", loggedIn), ...problems },
  });
  registry.registerPath({
    ...{ method: "delete", path, security: [] },
    summary: "Log out.",
    responses: { 200: json("Logged out.", ended), ...problems },
  });
}
