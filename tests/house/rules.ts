// The rules of the house, each with its reason. `violations` is pure, so that the rules themselves are tested with planted faults.
import { posix } from "node:path";
import { type SourceFile, codeOf, functionsOf, importsOf, lineAt } from "./source.ts";

export const limits = { fileLines: 400, functionLines: 70, columns: 100 } as const;

/** Which room may import which (DESIGN 4). `dynamic` rooms are reached by `import()` only, so that a quick command stays quick. */
export const rooms: Readonly<
  Record<string, { readonly may: readonly string[]; readonly dynamic?: readonly string[] }>
> = {
  main: { may: ["*"] },
  roles: { may: ["*"] },
  commands: { may: ["config", "mail", "base"], dynamic: ["roles"] },
  config: { may: ["base"] },
  submit: { may: ["smtp", "web", "mail", "base"] },
  queue: { may: ["route", "mail", "base"] },
  search: { may: ["mail", "base"] },
  domains: { may: ["dns", "mail", "base"] },
  deliver: { may: ["route", "smtp", "mail", "base"] },
  report: { may: ["web", "mail", "base"] },
  sink: { may: ["smtp", "mail", "base"] },
  route: { may: ["dns", "mail", "base"] },
  stress: { may: ["base"] },
  mail: { may: ["base"] },
  smtp: { may: ["base"] },
  dns: { may: ["base"] },
  web: { may: ["base"] },
  base: { may: [] },
  // What runs in a browser knows of the daemon what the public API says: shapes, never code that only a server can run.
  ui: { may: ["mail", "base"] },
};

interface Home {
  /** Module names; a name covers its subpaths. */
  readonly modules: readonly string[];
  /** Rooms or files that may import them. */
  readonly homes: readonly string[];
  readonly reason: string;
}

/** Sockets stand in few files: each has its deadlines and its bytes under control there, and a simulator replaces it as one piece. */
export const socketFiles: readonly string[] = [
  "src/deliver/socket.ts",
  "src/dns/tcp.ts",
  "src/dns/udp.ts",
  "src/route/policyFetch.ts",
  "src/route/trust.ts",
  "src/sink/connection.ts",
  "src/sink/server.ts",
  "src/stress/socket.ts",
  "src/submit/liveSocket.ts",
  "src/submit/smtp/listener.ts",
  "src/web/wire.ts",
];

export const homes: readonly Home[] = [
  {
    modules: ["bun:sqlite"],
    homes: ["src/queue/", "src/search/"],
    reason: "one writer and one reader thread own the databases; all others ask them",
  },
  {
    modules: ["hono", "@hono/zod-openapi", "zod"],
    homes: ["src/submit/"],
    reason: "the door alone knows HTTP",
  },
  {
    modules: ["cbor-x"],
    homes: ["src/submit/"],
    reason: "CBOR is a format of the API; threads speak JSON and raw bytes",
  },
  {
    modules: ["dns-packet"],
    homes: ["src/dns/"],
    reason: "the wire format of DNS stays behind the typed answers",
  },
  {
    modules: ["commander", "picocolors"],
    homes: ["src/commands/"],
    reason: "the command line is one room",
  },
  { modules: ["smol-toml"], homes: ["src/config/"], reason: "settings are read in one place" },
  {
    modules: ["node:net", "node:tls", "node:dgram"],
    homes: socketFiles,
    reason: "only a named few files touch a socket",
  },
  {
    modules: ["node:dns", "node:dns/promises"],
    homes: [],
    reason: "under Bun it answers ENOTFOUND for NODATA and gives no TTL: ask our own client",
  },
  {
    modules: ["node:http", "node:https", "node:http2"],
    homes: ["src/sink/server.ts"],
    reason: "HTTP is served by the door, asked for by commands/daemonClient.ts and web/client.ts",
  },
  {
    modules: [
      "nodemailer",
      "mailauth",
      "mailparser",
      "smtp-server",
      "fast-check",
      "tsx",
      "typescript",
      "bun:test",
    ],
    homes: [],
    reason: "an oracle of the tests is no part of the product",
  },
  {
    modules: ["postal-mime"],
    homes: ["src/search/"],
    reason: "mail is read back where it is shown; what is composed is our own",
  },
  {
    modules: ["preact", "@preact/signals", "uplot"],
    homes: ["src/ui/"],
    reason: "they need a browser: the page alone has one",
  },
  {
    modules: ["node:worker_threads"],
    homes: ["src/main.ts", "src/roles/"],
    reason: "threads are few and fixed, and known to roles alone",
  },
  {
    modules: ["node:child_process"],
    homes: ["src/roles/stress/child.ts"],
    reason: "one executable: the product starts no program but itself, and that for `stress` alone",
  },
  {
    modules: ["cbor-extract", "bun:ffi"],
    homes: [],
    reason: "native addons crash with several threads",
  },
];

interface Ban {
  readonly what: RegExp;
  readonly reason: string;
  /** Files or folders where it is at home. */
  readonly except?: readonly string[];
  /** Only below these folders; everywhere when absent. */
  readonly only?: readonly string[];
  /** Also within comments and strings. */
  readonly anywhere?: boolean;
}

const SRC = ["src/"];
/** Time and requests as a browser has them: its timers have no `unref`, its requests go to where the page came from. */
const BROWSER = "src/ui/browser.ts";

/** Bun's own API: everything else must run under Node for the simulator. */
export const bunFiles: readonly string[] = [
  "src/main.ts",
  "src/roles/daemon.ts",
  "src/roles/spawn.ts",
  "src/submit/serve.ts",
];

export const bans: readonly Ban[] = [
  {
    what: /\b(?:Date\.now\(|new Date\(\)|performance\.now\(|process\.hrtime|Bun\.nanoseconds)/,
    reason: "only base/clock.ts reads the time: take `now` or a Clock",
    only: SRC,
    except: ["src/base/clock.ts", BROWSER],
  },
  {
    what: /\b(?:setTimeout|setInterval|setImmediate|AbortSignal\.timeout|Bun\.sleep)\b/,
    reason: "only base/clock.ts waits: take a Clock, so that the simulator owns time",
    only: SRC,
    except: ["src/base/clock.ts", BROWSER],
  },
  {
    what: /\b(?:Math\.random|randomBytes|randomUUID|randomInt|getRandomValues|randomFillSync)\b/,
    reason: "only base/random.ts makes randomness: take a Random, so that a seed reproduces a run",
    only: SRC,
    except: ["src/base/random.ts"],
  },
  {
    what: /\bBun\.\w/,
    reason: "Bun's API stands in a few named files, the rest runs under Node too",
    only: SRC,
    except: bunFiles,
  },
  {
    what: /(?:await|return|=>|void) (?:globalThis\.)?fetch\(/,
    reason: "HTTP requests leave through commands/daemonClient.ts or web/client.ts",
    only: SRC,
    except: ["src/commands/daemonClient.ts", BROWSER],
  },
  {
    what: /\bprocess\.env\b/,
    reason: "settings come from config.ts, which tells where each one came from",
    only: SRC,
    except: ["src/config/machine.ts"],
  },
  {
    what: /\bprocess\.(?:exit|abort|kill)\(/,
    reason: "a process ends by its exit code, or in roles/signals.ts when it must not go on",
    only: SRC,
    except: ["src/roles/signals.ts"],
  },
  {
    what: /\beval\(|\bnew Function\(/,
    reason: "no text becomes code",
    only: SRC,
  },
  {
    what: /\b(?:inner|outer)HTML\b|dangerouslySetInnerHTML|insertAdjacentHTML|document\.write/,
    reason: "what the page shows was written by strangers: it becomes text nodes alone",
    only: ["src/ui/"],
  },
  {
    what: /\bconsole\./,
    reason: "the daemon logs through base/log.ts, commands write to their injected output",
    only: SRC,
  },
  {
    what: /(?:[:<|]|\bas) ?any\b/,
    reason: "`any` switches the checker off: use `unknown` and narrow it",
  },
  {
    what: /^\s*(?:export )?(?:declare )?(?:const )?enum\b|^\s*(?:export )?namespace\b/m,
    reason: "erasable syntax only: use a union of literals",
  },
  { what: /^export default\b/m, reason: "a thing has one name, also where it is imported" },
  { what: /^export \*/m, reason: "no barrels: import from the file that owns the thing" },
  {
    what: /@ts-(?:ignore|expect-error|nocheck)/,
    reason: "a type error is mended, not silenced",
    anywhere: true,
  },
  {
    what: /\b(?:TODO|FIXME|XXX|HACK)\b/,
    reason: "finish it, or open an issue",
    anywhere: true,
  },
  {
    what: /\b(?:test|it|describe)\.(?:only|skip|todo)\b/,
    reason: "every test runs; a peer that is missing is skipped by tests/peers.ts",
    except: ["tests/peers.ts"],
  },
  {
    what: /\bretry: *\d/,
    reason: "a flake is a bug in the test or in the product, never retried away",
    only: ["tests/"],
  },
];

const BANNED_NAMES =
  /(?:^|\/)(?:index|utils?|helpers?|common|types|interfaces|misc|shared)(?:\.tsx?$|\/)/i;

/** What scripts/page.ts makes of src/ui. */
const BUNDLED = "dist/ui/";

const within = (path: string, places: readonly string[]): boolean =>
  places.some((place) => path === place || (place.endsWith("/") && path.startsWith(place)));

export function roomOf(path: string): string | undefined {
  return /^src\/([a-z]+)(?:\/|\.ts$)/.exec(path)?.[1];
}

export function violations(files: readonly SourceFile[]): string[] {
  return files
    .filter((file) => !file.path.startsWith("tests/house"))
    .flatMap((file) => [...nameOf(file), ...sizeOf(file), ...importFaults(file), ...banned(file)]);
}

function nameOf({ path }: SourceFile): string[] {
  if (!BANNED_NAMES.test(path)) return [];
  return [`${path}: a name that says nothing: name the file after the one thing it holds`];
}

function sizeOf(file: SourceFile): string[] {
  const lines = file.text.trimEnd().split("\n");
  const faults: string[] = [];
  if (lines.length > limits.fileLines) {
    faults.push(`${file.path}: ${lines.length} lines, limit ${limits.fileLines}: split the noun`);
  }
  lines.forEach((line, i) => {
    // The formatter leaves long strings alone, so do we; prose in comments has a wider limit.
    const comment = /^\s*(?:\/\/|\*|\/\*)/.test(line);
    if (line.length > limits.columns && !comment && !/["`]/.test(line)) {
      faults.push(`${file.path}:${i + 1}: ${line.length} columns, limit ${limits.columns}`);
    }
  });
  for (const { line, lines: length } of functionsOf(file)) {
    if (length > limits.functionLines) {
      faults.push(
        `${file.path}:${line}: a function of ${length} lines, limit ${limits.functionLines}`,
      );
    }
  }
  return faults;
}

function importFaults(file: SourceFile): string[] {
  return importsOf(file).flatMap(({ line, from, dynamic }) => {
    const at = `${file.path}:${line}`;
    if (!from.startsWith(".")) return packageFaults(file.path, at, from);
    if (!/\.(?:tsx?|json|html|css|js)$/.test(from))
      return [`${at}: ${from}: imports name the file`];
    const target = posix.join(posix.dirname(file.path), from);
    return directionFaults(file.path, at, target, dynamic);
  });
}

function directionFaults(path: string, at: string, target: string, dynamic: boolean): string[] {
  const here = roomOf(path);
  const there = roomOf(target);
  if (here === undefined) return [];
  if (there === undefined)
    return target === "package.json" || target.startsWith(BUNDLED)
      ? []
      : [`${at}: ${target} is outside src`];
  const room = rooms[here];
  if (room === undefined) return [`${at}: ${here} is no room of the house: add it to the table`];
  if (here === there || room.may.includes("*") || room.may.includes(there)) return [];
  if (dynamic && room.dynamic?.includes(there) === true) return [];
  const may = [...room.may, ...(room.dynamic ?? []).map((name) => `${name} (by import())`)];
  return [`${at}: ${here} imports ${there}: ${here} may import ${may.join(", ") || "nothing"}`];
}

function packageFaults(path: string, at: string, from: string): string[] {
  if (!path.startsWith("src/")) return [];
  return homes
    .filter(({ modules }) => modules.some((name) => from === name || from.startsWith(`${name}/`)))
    .filter((home) => !within(path, home.homes))
    .map(({ reason }) => `${at}: imports ${from}: ${reason}`);
}

function banned(file: SourceFile): string[] {
  const code = codeOf(file.text);
  return bans
    .filter(({ only }) => only === undefined || within(file.path, only))
    .filter(({ except }) => except === undefined || !within(file.path, except))
    .flatMap(({ what, reason, anywhere }) => {
      const text = anywhere === true ? file.text : code;
      return [...text.matchAll(new RegExp(what, what.flags.replace("g", "") + "g"))].map(
        (match) => `${file.path}:${lineAt(text, match.index)}: ${match[0].trim()}: ${reason}`,
      );
    });
}
