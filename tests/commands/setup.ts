// A command line in a box: its output is kept, its daemon is a small server that answers from a table.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { runCli } from "../../src/commands/cli.ts";
import type { CliDeps } from "../../src/commands/deps.ts";
import { createOutput } from "../../src/commands/output.ts";

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Box {
  run(argv: readonly string[], changes?: Partial<CliDeps>): Promise<Ran>;
  readonly deps: CliDeps;
}

async function* fromStdin(): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode("from stdin");
}

export function createBox(
  env: Readonly<Record<string, string>> = {},
  files: Readonly<Record<string, string>> = {},
): Box {
  let out = "";
  let err = "";
  const deps: CliDeps = {
    surroundings: {
      env,
      cwd: "/work",
      home: "/nowhere",
      machine: { cores: 2, hostname: "a.example", fileLimit: 1024, terminal: false },
      readFile: (path) => files[path],
      volumeBytes: () => 100e9,
      relayProblems: () => [],
      keyFaults: () => ({ problems: [], warnings: [] }),
    },
    output: createOutput({
      out: (text) => void (out += text),
      err: (text) => void (err += text),
      bytes: (bytes) => void (out += Buffer.from(bytes).toString("latin1")),
      color: false,
    }),
    clock: systemClock,
    readStdin: () => Promise.resolve(new TextEncoder().encode("from stdin")),
    stdin: fromStdin,
    user: () => "ada",
    readBytes: () => undefined,
    readPieces: () => undefined,
    startDaemon: () => Promise.resolve(0),
    startSink: () => Promise.resolve({ kind: "bad", problems: ["no sink here"] }),
    runStress: () => Promise.resolve({ kind: "failed", code: 1, text: "no load here" }),
    endWithStdin: () => {},
    terminal: () => null,
    untilStopped: () => Promise.resolve(),
  };
  return {
    deps,
    async run(argv, changes = {}) {
      out = "";
      err = "";
      const code = await runCli(argv, { ...deps, ...changes });
      return { code, out, err };
    },
  };
}

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly body: string;
  readonly type: string | null;
  readonly authorization: string | null;
  /** Of idempotency. */
  readonly key: string | null;
}

export interface FakeDaemon extends AsyncDisposable {
  readonly dataDir: string;
  readonly url: string;
  readonly seen: Seen[];
}

type Handler = (seen: Seen) => { readonly status?: number; readonly body: unknown };

/** Listens on the socket of a data folder of its own, and on a port of loopback. */
export function fakeDaemon(handle: Handler): FakeDaemon {
  const dataDir = mkdtempSync(join(tmpdir(), "postrider-cli-"));
  const seen: Seen[] = [];
  const answer = async (request: Request): Promise<Response> => {
    const { pathname, search } = new URL(request.url);
    const one: Seen = {
      method: request.method,
      path: pathname + search,
      body: await request.text(),
      type: request.headers.get("content-type"),
      authorization: request.headers.get("authorization"),
      key: request.headers.get("idempotency-key"),
    };
    seen.push(one);
    const { status = 200, body } = handle(one);
    return typeof body === "string" || body instanceof Uint8Array
      ? new Response(body as string | Uint8Array<ArrayBuffer>, { status })
      : Response.json(body, { status });
  };
  const local = Bun.serve({ unix: join(dataDir, "control.sock"), fetch: answer });
  const remote = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer });
  return {
    dataDir,
    url: remote.url.origin,
    seen,
    async [Symbol.asyncDispose]() {
      await Promise.all([local.stop(true), remote.stop(true)]);
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
