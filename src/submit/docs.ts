// GET /docs: the API's reference as a page, from files within the executable: a host may have no way to the web. Loaded when it is
// asked for, so that it costs neither the start nor the memory of who never looks.
import { readFile } from "node:fs/promises";
import bundle from "swagger-ui-dist/swagger-ui-bundle.js" with { type: "file" };
import styles from "swagger-ui-dist/swagger-ui.css" with { type: "file" };
import { unreachable } from "../base/unreachable.ts";
import { errorNames, statusOf, titleOf } from "./problem.ts";

/** Where each thing lies, below `/docs`. */
export type DocsPath = "" | "/page.js" | "/swagger-ui.js" | "/swagger-ui.css";

const HTML = "text/html; charset=utf-8";
const SCRIPT = "text/javascript; charset=utf-8";
const STYLES = "text/css; charset=utf-8";

const headers = {
  // Nothing from elsewhere, in no frame. The page's own styles stand in attributes, which no other origin can reach.
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; " +
    "frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
} as const;

export async function docsPage(path: DocsPath, version: string): Promise<Response> {
  switch (path) {
    case "":
      return page(HTML, html(version), "no-cache");
    case "/page.js":
      return page(SCRIPT, START, "no-cache");
    case "/swagger-ui.js":
      return page(SCRIPT, await readFile(bundle), "max-age=3600");
    case "/swagger-ui.css":
      return page(STYLES, await readFile(styles), "max-age=3600");
    default:
      return unreachable(path);
  }
}

function page(type: string, body: string | Buffer, caching: string): Response {
  const bytes = typeof body === "string" ? body : new Uint8Array(body);
  return new Response(bytes, {
    headers: { ...headers, "content-type": type, "cache-control": caching },
  });
}

/** A script of its own, since the policy above allows none within the page. */
const START = `SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
`;

/** The `type` of each problem points to its line here. */
function html(version: string): string {
  const rows = errorNames.map(
    (name) =>
      `<tr id="${name}"><td><code>${name}</code></td><td>${statusOf(name)}</td>` +
      `<td>${titleOf(name)}</td></tr>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Postrider ${version}: API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css?${version}">
<link rel="icon" href="data:,">
</head>
<body>
<div id="api"><noscript>This page needs JavaScript; the same stands in
<a href="/openapi.json">/openapi.json</a>.</noscript></div>
<div class="swagger-ui"><div class="wrapper">
<h2>Errors</h2>
<p>Every refusal is <code>application/problem+json</code> (RFC 9457) with one of these names.</p>
<table><thead><tr><th>name</th><th>status</th><th></th></tr></thead>
<tbody>
${rows.join("\n")}
</tbody></table>
</div></div>
<script src="/docs/swagger-ui.js?${version}"></script>
<script src="/docs/page.js"></script>
</body>
</html>
`;
}
