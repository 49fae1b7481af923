// GET /openapi.json and /docs: what the API is, for programs and for people. Neither needs a key, and both are made when they are first
// asked for: the generator alone takes 70 ms to load.
import type { Context, Hono } from "hono";
import { JSON_TYPE } from "./answer.ts";
import type { DocsPath } from "./docs.ts";
import { ok, type Result } from "./problem.ts";
import type { MessageSchema } from "./schema.ts";

type Open<E extends object> = (
  handler: () => Promise<Result<Response>>,
) => (context: Context<E>) => Response | Promise<Response>;

const pages: readonly DocsPath[] = ["", "/page.js", "/swagger-ui.js", "/swagger-ui.css"];

export function addDocument<E extends object>(
  app: Hono<E>,
  options: {
    readonly message: MessageSchema;
    readonly batchMax: number;
    readonly version: string;
  },
  open: Open<E>,
): void {
  let document: string | undefined;
  app.get(
    "/openapi.json",
    open(async () => {
      if (document === undefined) {
        const { describeApi } = await import("./openapi.ts");
        document = JSON.stringify(describeApi(options));
      }
      return ok(new Response(document, { headers: { "content-type": JSON_TYPE } }));
    }),
  );
  for (const path of pages)
    app.get(
      `/docs${path}`,
      open(async () => {
        const { docsPage } = await import("./docs.ts");
        return ok(await docsPage(path, options.version));
      }),
    );
}
