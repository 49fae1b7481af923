// Bundles the dashboard's page (src/ui) into dist/ui, from where the executable takes it (src/submit/pageFiles.ts). The same sources give
// the same bytes. Whoever runs from source and wants the page calls `buildPage` first; it takes a few hundredths of a second.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const root = join(import.meta.dir, "..");
const FOLDER = join(root, "dist", "ui");
const SOURCES = join(root, "src", "ui");

export interface Built {
  readonly file: string;
  readonly bytes: number;
  readonly gzippedBytes: number;
}

export async function buildPage(): Promise<readonly Built[]> {
  mkdirSync(FOLDER, { recursive: true });
  return [write("page.js", await bundle("page.tsx")), write("page.css", await bundle("page.css"))];
}

async function bundle(entry: string): Promise<string> {
  const { outputs } = await Bun.build({
    entrypoints: [join(SOURCES, entry)],
    target: "browser",
    minify: true,
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const [output] = outputs;
  if (output === undefined || outputs.length !== 1) throw new Error(`${entry}: not one file`);
  return output.text();
}

/** In one step, since a test may be reading what another one builds. */
function write(name: string, text: string): Built {
  const file = join(FOLDER, name);
  if (!existsSync(file) || readFileSync(file, "utf8") !== text) {
    const fresh = `${file}.${process.pid}`;
    writeFileSync(fresh, text);
    renameSync(fresh, file);
  }
  const bytes = Buffer.from(text);
  return { file: name, bytes: bytes.length, gzippedBytes: gzipSync(bytes, { level: 9 }).length };
}

if (import.meta.main)
  for (const { file, bytes, gzippedBytes } of await buildPage())
    console.log(`dist/ui/${file} ${bytes} bytes, ${gzippedBytes} gzipped`);
