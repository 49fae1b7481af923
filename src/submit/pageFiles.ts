// The dashboard's page as files within the executable; scripts/page.ts bundles src/ui into them. Loaded when it is asked for, so that
// it costs neither the start nor the memory of who never looks.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import script from "../../dist/ui/page.js" with { type: "file" };
import styles from "../../dist/ui/page.css" with { type: "file" };
import { unreachable } from "../base/unreachable.ts";

/** `page.html` is what lies at `/`. */
export type PageName = "page.html" | "page.js" | "page.css";

export interface PageFile {
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly gzipped: Uint8Array<ArrayBuffer>;
  /** Changes with the content. */
  readonly hash: string;
}

const loaded = new Map<PageName, Promise<PageFile>>();

export function pageFile(name: PageName): Promise<PageFile> {
  const file = loaded.get(name) ?? load(name);
  loaded.set(name, file);
  return file;
}

async function load(name: PageName): Promise<PageFile> {
  switch (name) {
    case "page.js":
      return fileOf("text/javascript; charset=utf-8", await readFile(script));
    case "page.css":
      return fileOf("text/css; charset=utf-8", await readFile(styles));
    case "page.html": {
      const [js, css] = await Promise.all([pageFile("page.js"), pageFile("page.css")]);
      return fileOf("text/html; charset=utf-8", Buffer.from(html(js.hash, css.hash)));
    }
    default:
      return unreachable(name);
  }
}

function fileOf(type: string, content: Buffer): PageFile {
  const bytes = new Uint8Array(content);
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 16);
  return { type, bytes, gzipped: new Uint8Array(gzipSync(bytes, { level: 9 })), hash };
}

/** The names of the others change with their content, so a browser may keep them for ever. */
function html(js: string, css: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Postrider</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/ui/page.css?${css}">
<script type="module" src="/ui/page.js?${js}"></script>
</head>
<body>
<noscript>This page needs JavaScript. The same is told by <code>postrider top</code> and
by the API, see <a href="/docs">/docs</a>.</noscript>
<div id="page"></div>
</body>
</html>
`;
}
