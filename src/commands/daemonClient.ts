// How a command talks to the daemon: HTTP over its local socket, where the file's permissions are the key, or to another host.
// The only file of the commands that sends HTTP requests.
import { accessSync, constants } from "node:fs";
import type { Clock } from "../base/clock.ts";

export type Target =
  | { readonly kind: "socket"; readonly paths: readonly string[] }
  | { readonly kind: "url"; readonly url: string; readonly key: string };

export interface Request {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** With its query. */
  readonly path: string;
  /** Sent as JSON. */
  readonly json?: unknown;
  readonly raw?: { readonly type: string; readonly bytes: Uint8Array };
  /** In the place of both, piece by piece; made anew for each socket that is tried. */
  readonly stream?: { readonly type: string; open(): ReadableStream<Uint8Array> };
  readonly headers?: Readonly<Record<string, string>>;
  /** Longer than an answer usually takes. */
  readonly timeoutMs?: number;
}

export type Answer =
  | {
      readonly kind: "answer";
      readonly status: number;
      /** The decoded JSON; undefined when the answer is none. */
      readonly body: unknown;
      readonly bytes: Uint8Array;
    }
  | {
      readonly kind: "unreachable";
      readonly why: string;
      /** Nobody was there. Else what was asked for may have been done. */
      readonly nobody: boolean;
    }
  | { readonly kind: "forbidden"; readonly why: string };

export interface DaemonClient {
  ask(request: Request): Promise<Answer>;
  /** Reads on until the daemon ends it or `stop` resolves. Undefined: it was read to its end. */
  follow(
    path: string,
    hear: (text: string) => void,
    stop: Promise<void>,
  ): Promise<Answer | undefined>;
}

/** The door answers at once; only a commit on a slow disk takes longer. */
const ANSWER_TIMEOUT_MS = 30_000;

export function createDaemonClient(target: Target, clock: Clock): DaemonClient {
  return {
    async ask(request) {
      const limit = new AbortController();
      const timeoutMs = request.timeoutMs ?? ANSWER_TIMEOUT_MS;
      const timer = clock.after(timeoutMs, () => limit.abort());
      try {
        return await along(roadsTo(target), (road) =>
          askOn(road, request, timeoutMs, limit.signal),
        );
      } finally {
        timer.cancel();
      }
    },
    async follow(path, hear, stop) {
      const limit = new AbortController();
      void stop.then(() => limit.abort());
      return along(roadsTo(target), (road) => followOn(road, path, hear, limit.signal));
    },
  };
}

async function askOn(
  road: Road,
  request: Request,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Answer> {
  try {
    const response = await fetch(road.base + request.path, {
      method: request.method,
      headers: { ...road.headers, ...request.headers, ...typeOf(request) },
      body: bodyOf(request),
      signal,
      ...(road.unix === undefined ? {} : { unix: road.unix }),
    });
    return await answerOf(response);
  } catch (error) {
    return unreachableBy(road, error, timeoutMs, signal);
  }
}

async function followOn(
  road: Road,
  path: string,
  hear: (text: string) => void,
  signal: AbortSignal,
): Promise<Answer | undefined> {
  try {
    const response = await fetch(road.base + path, {
      headers: road.headers,
      signal,
      ...(road.unix === undefined ? {} : { unix: road.unix }),
    });
    if (!response.ok || response.body === null) return await answerOf(response);
    const decoder = new TextDecoder();
    for await (const chunk of response.body) hear(decoder.decode(chunk, { stream: true }));
    return undefined;
  } catch (error) {
    return signal.aborted ? undefined : unreachableBy(road, error, ANSWER_TIMEOUT_MS, signal);
  }
}

const NOBODY = ["ECONNREFUSED", "ConnectionRefused", "FailedToOpenSocket", "ENOENT"];

/** The runtime's own words speak of typos in addresses, which helps nobody whose daemon is down. */
function unreachableBy(
  road: Road,
  error: unknown,
  timeoutMs: number,
  signal: AbortSignal,
): Unreachable {
  const where = road.unix ?? road.base;
  if (signal.aborted)
    return {
      kind: "unreachable",
      why: `${where}: no answer in ${timeoutMs / 1000} s`,
      nobody: false,
    };
  const { code, message } = error as NodeJS.ErrnoException;
  const nobody = NOBODY.includes(code ?? "");
  const why = `${where}: ${nobody ? "no daemon answers" : message}`;
  return { kind: "unreachable", why, nobody };
}

interface Road {
  readonly base: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly unix?: string;
}

type Unreachable = Extract<Answer, { kind: "unreachable" }>;
type Closed = Extract<Answer, { kind: "unreachable" | "forbidden" }>;

/** The next road is tried only where the one before it led to nobody: what was asked may have been done. */
async function along<T extends Answer | undefined>(
  roads: readonly (Road | Closed)[],
  go: (road: Road) => Promise<T>,
): Promise<T | Closed> {
  let last: Closed | undefined;
  let forbidden: Closed | undefined;
  for (const road of roads) {
    const answer = "kind" in road ? road : await go(road);
    if (answer === undefined || answer.kind === "answer") return answer;
    if (answer.kind === "unreachable" && !answer.nobody) return answer;
    if (answer.kind === "forbidden") forbidden ??= answer;
    last = answer;
  }
  return forbidden ?? last ?? { kind: "unreachable", why: "no socket to try", nobody: true };
}

function roadsTo(target: Target): readonly (Road | Closed)[] {
  if (target.kind === "url") {
    const base = target.url.replace(/\/+$/, "");
    return [{ base, headers: { authorization: `Bearer ${target.key}` } }];
  }
  const roads: (Road | Closed)[] = [];
  for (const path of target.paths) {
    const code = accessCode(path);
    if (code === undefined) roads.push({ base: "http://postrider", headers: {}, unix: path });
    else if (code === "EACCES" || code === "EPERM")
      roads.push({ kind: "forbidden", why: `${path} may not be opened by this user` });
  }
  const why = `no daemon listens at ${target.paths.join(" or ")}`;
  return roads.length > 0 ? roads : [{ kind: "unreachable", why, nobody: true }];
}

/** The error's code; undefined when the file may be read and written. */
function accessCode(path: string): string | undefined {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? "unknown";
  }
}

function typeOf({ json, raw, stream }: Request): Record<string, string> {
  if (stream !== undefined) return { "content-type": stream.type };
  if (raw !== undefined) return { "content-type": raw.type };
  return json === undefined ? {} : { "content-type": "application/json" };
}

function bodyOf({
  json,
  raw,
  stream,
}: Request): ReadableStream<Uint8Array> | Uint8Array<ArrayBuffer> | string | null {
  if (stream !== undefined) return stream.open();
  if (raw !== undefined) return new Uint8Array(raw.bytes);
  return json === undefined ? null : JSON.stringify(json);
}

async function answerOf(response: Response): Promise<Answer> {
  const bytes = new Uint8Array(await response.arrayBuffer());
  const isJson = /\bjson\b/.test(response.headers.get("content-type") ?? "");
  return {
    kind: "answer",
    status: response.status,
    body: isJson ? decoded(bytes) : undefined,
    bytes,
  };
}

function decoded(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as unknown;
  } catch {
    return undefined;
  }
}

/** With those members of the query that are given. */
export function pathWith(
  path: string,
  query: Readonly<Record<string, string | undefined>>,
): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined) given.set(name, value);
  return given.size === 0 ? path : `${path}?${given.toString()}`;
}
