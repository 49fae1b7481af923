// Compiles the one executable. The same sources give the same bytes as long as the output's name is the same, so each target is
// compiled under the same name and moved.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildPage } from "./page.ts";

const NAME = "postrider";
const ENTRY = "src/main.ts";
const RELEASE = "dist/release";
export const ORDER_FILE = "scripts/bytecode.order";

/** A platform, and the npm package that holds Bun's runtime for it. */
export const targets = [
  { target: "linux-x64", bun: "bun-linux-x64", runtime: "@oven/bun-linux-x64" },
  {
    target: "linux-x64-musl",
    bun: "bun-linux-x64-musl",
    runtime: "@oven/bun-linux-x64-musl",
  },
  { target: "linux-arm64", bun: "bun-linux-arm64", runtime: "@oven/bun-linux-aarch64" },
  {
    target: "linux-arm64-musl",
    bun: "bun-linux-arm64-musl",
    runtime: "@oven/bun-linux-aarch64-musl",
  },
  { target: "darwin-arm64", bun: "bun-darwin-arm64", runtime: "@oven/bun-darwin-aarch64" },
] as const;

const FLAGS = [
  "--compile",
  "--bytecode",
  "--format=esm",
  // Each `import()` is a file of its own: a thread has in memory what its role needs.
  "--splitting",
  // What a start uses lies together in the file, and the rest is not read (scripts/order.ts).
  `--bytecode-order=${ORDER_FILE}`,
  "--minify-syntax",
  "--minify-whitespace",
  // Both files would be code or settings from whatever folder the daemon is started in (DESIGN 11).
  "--no-compile-autoload-bunfig",
  "--no-compile-autoload-dotenv",
];

function compile(outfile: string, extra: readonly string[]): void {
  const args = ["build", ...FLAGS, ...extra, ENTRY, "--outfile", outfile];
  execFileSync("bun", args, { stdio: ["ignore", "ignore", "inherit"] });
}

/** A new binary replaces the old one at once, also while the old one runs. */
async function compileHere(): Promise<void> {
  await buildPage();
  mkdirSync("dist", { recursive: true });
  const folder = mkdtempSync("dist/.build-");
  try {
    compile(join(folder, NAME), []);
    renameSync(join(folder, NAME), join("dist", NAME));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(`dist/${NAME}`);
}

function digestOf(file: string): string {
  return createHash("sha256").update(readFileSync(file)).digest("hex");
}

/** Compiles once more, elsewhere, and compares: the same sources must give the same bytes. */
async function verifyHere(): Promise<boolean> {
  await buildPage();
  const folder = mkdtempSync(join(tmpdir(), "postrider-build-"));
  try {
    compile(join(folder, NAME), []);
    return digestOf(join(folder, NAME)) === digestOf(join("dist", NAME));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether any source is newer than the binary. */
function isOlder(): boolean {
  const binary = join("dist", NAME);
  if (!existsSync(binary)) return true;
  const builtAt = statSync(binary).mtimeMs;
  const sources = readdirSync("src", { recursive: true, encoding: "utf8" });
  const files = [...sources.map((name) => join("src", name)), "package-lock.json", "package.json"];
  return files.some((file) => statSync(file).mtimeMs > builtAt);
}

function bunVersion(): string {
  const manifest = JSON.parse(readFileSync("package.json", "utf8")) as {
    devDependencies: { bun: string };
  };
  return manifest.devDependencies.bun;
}

/** The lock file names every platform's Bun, also those that are not installed here. */
function verify(archive: string, runtime: string): void {
  const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as {
    packages: Readonly<Record<string, { readonly integrity?: string } | undefined>>;
  };
  const found = `sha512-${createHash("sha512").update(readFileSync(archive)).digest("base64")}`;
  if (lock.packages[`node_modules/${runtime}`]?.integrity === found) return;
  throw new Error(`${archive} is not what package-lock.json says`);
}

/** The path of a platform's Bun, taken from the npm registry once and kept in dist/runtimes. */
function runtimeOf(runtime: string, version: string): string {
  const folder = join("dist", "runtimes", `${runtime.replace("@oven/", "")}-${version}`);
  const binary = join(folder, "package", "bin", "bun");
  if (existsSync(binary)) return binary;
  mkdirSync(folder, { recursive: true });
  const args = ["pack", `${runtime}@${version}`, "--silent", "--pack-destination", folder];
  const archive = execFileSync("npm", args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  verify(join(folder, archive.trim()), runtime);
  execFileSync("tar", ["-xzf", join(folder, archive.trim()), "-C", folder]);
  rmSync(join(folder, archive.trim()));
  chmodSync(binary, 0o755);
  return binary;
}

async function compileAll(): Promise<void> {
  await buildPage();
  const version = bunVersion();
  rmSync(RELEASE, { recursive: true, force: true });
  const sums = targets.map(({ target, bun, runtime }) => {
    const folder = join(RELEASE, target);
    mkdirSync(folder, { recursive: true });
    compile(join(folder, NAME), [
      `--target=${bun}`,
      `--compile-executable-path=${runtimeOf(runtime, version)}`,
    ]);
    const file = `${NAME}-${target}`;
    renameSync(join(folder, NAME), join(RELEASE, file));
    rmSync(folder, { recursive: true });
    console.log(join(RELEASE, file));
    return `${digestOf(join(RELEASE, file))}  ${file}\n`;
  });
  writeFileSync(join(RELEASE, "SHA256SUMS"), sums.join(""));
}

async function main(option: string | undefined): Promise<number> {
  switch (option) {
    case undefined:
      await compileHere();
      return 0;
    case "--if-older":
      if (isOlder()) await compileHere();
      return 0;
    case "--verify":
      if (await verifyHere()) return 0;
      console.error(`dist/${NAME} is not what these sources give`);
      return 1;
    case "--all":
      await compileAll();
      return 0;
    default:
      console.error(`unknown option ${option}\nusage: scripts/build [--all | --verify]`);
      return 64;
  }
}

if (import.meta.main) process.exitCode = await main(process.argv[2]);
