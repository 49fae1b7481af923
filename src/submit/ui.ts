// The dashboard at `/`: one page with its script and its styles, from within the executable. Whoever has no key may load it, and sees a form
// that asks for one; what it shows comes from the same API that everybody uses.
import type { Hono } from "hono";
import type { Open } from "./guard.ts";
import type { PageName } from "./pageFiles.ts";
import { ok } from "./problem.ts";
import { hostOf, isSecure } from "./ui/cookie.ts";
import { addLogin, type LoginDeps } from "./ui/login.ts";

export function addUi<E extends object>(app: Hono<E>, deps: LoginDeps, open: Open<E>): void {
  addLogin(app, deps, open);
  const serve = (path: string, name: PageName): void => {
    app.get(
      path,
      open(async (request) => ok(await answerWith(name, request))),
    );
  };
  serve("/", "page.html");
  serve("/ui/page.js", "page.js");
  serve("/ui/page.css", "page.css");
}

async function answerWith(name: PageName, request: Request): Promise<Response> {
  const { pageFile } = await import("./pageFiles.ts");
  const file = await pageFile(name);
  const etag = `"${file.hash}"`;
  // Only who asks for this very content may keep it: after an upgrade the same name has another.
  const isExact = new URL(request.url).search === `?${file.hash}`;
  const headers: Record<string, string> = {
    ...(name === "page.html" ? pageHeaders : fileHeaders),
    ...(name === "page.html" && isTrustworthy(request) ? ownWindow : {}),
    "content-type": file.type,
    "cache-control": isExact ? "public, max-age=31536000, immutable" : "no-cache",
    etag,
    vary: "accept-encoding",
  };
  if (matches(request.headers.get("if-none-match"), etag))
    return new Response(null, { status: 304, headers });
  if (!takesGzip(request.headers.get("accept-encoding")))
    return new Response(file.bytes, { headers });
  return new Response(file.gzipped, { headers: { ...headers, "content-encoding": "gzip" } });
}

const fileHeaders = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
} as const;

/** Everything from here, nothing within the page's text, and in no frame. */
const pageHeaders = {
  ...fileHeaders,
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
    "img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; " +
    "require-trusted-types-for 'script'; trusted-types 'none'",
  "x-frame-options": "DENY",
  "permissions-policy":
    "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), display-capture=()",
} as const;

/** Whoever opened the page has no way to its window. Where a browser does not heed it, it complains of it. */
const ownWindow = { "cross-origin-opener-policy": "same-origin" } as const;

/** Encrypted, or of this host alone (W3C Secure Contexts 3.1). */
function isTrustworthy(request: Request): boolean {
  const name = hostOf(request).replace(/:\d*$/, "");
  return isSecure(request) || /^(?:localhost|.*\.localhost|127\.[\d.]+|\[::1\])$/.test(name);
}

/** RFC 9110 13.1.2: weakly compared, since a proxy that compresses makes the tag weak. */
function matches(header: string | null, etag: string): boolean {
  if (header === null) return false;
  return header.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag);
}

function takesGzip(header: string | null): boolean {
  return header !== null && /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/i.test(header);
}
