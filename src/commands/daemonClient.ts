// How a command talks to the daemon: HTTP over its local socket, where the file's permissions are the key, or to another host.
// The only file of the product that sends HTTP requests.
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
}

export type Answer =
  | {
      readonly kind: "answer";
      readonly status: number;
      /** The decoded JSON; undefined when the answer is none. */
      readonly body: unknown;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: "unreachable"; readonly why: string }
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
      const road = roadTo(target);
      if ("kind" in road) return road;
      const limit = new AbortController();
      const timer = clock.after(ANSWER_TIMEOUT_MS, () => limit.abort());
      try {
        const response = await fetch(road.base + request.path, {
          method: request.method,
          headers: { ...road.headers, ...typeOf(request) },
          body: bodyOf(request),
          signal: limit.signal,
          ...(road.unix === undefined ? {} : { unix: road.unix }),
        });
        return await answerOf(response);
      } catch (error) {
        return {
          kind: "unreachable",
          why: `${road.unix ?? road.base}: ${whyOf(error, limit.signal)}`,
        };
      } finally {
        timer.cancel();
      }
    },
    async follow(path, hear, stop) {
      const road = roadTo(target);
      if ("kind" in road) return road;
      const limit = new AbortController();
      void stop.then(() => limit.abort());
      try {
        const response = await fetch(road.base + path, {
          headers: road.headers,
          signal: limit.signal,
          ...(road.unix === undefined ? {} : { unix: road.unix }),
        });
        if (!response.ok || response.body === null) return await answerOf(response);
        const decoder = new TextDecoder();
        for await (const chunk of response.body) hear(decoder.decode(chunk, { stream: true }));
        return undefined;
      } catch (error) {
        if (limit.signal.aborted) return undefined;
        const why = `${road.unix ?? road.base}: ${whyOf(error, limit.signal)}`;
        return { kind: "unreachable", why };
      }
    },
  };
}

/** The runtime's own words speak of typos in addresses, which helps nobody whose daemon is down. */
function whyOf(error: unknown, limit: AbortSignal): string {
  if (limit.aborted) return `no answer in ${ANSWER_TIMEOUT_MS / 1000} s`;
  const { code, message } = error as NodeJS.ErrnoException;
  const nobody = ["ECONNREFUSED", "ConnectionRefused", "FailedToOpenSocket", "ENOENT"];
  return nobody.includes(code ?? "") ? "no daemon answers" : message;
}

interface Road {
  readonly base: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly unix?: string;
}

function roadTo(target: Target): Road | Extract<Answer, { kind: "unreachable" | "forbidden" }> {
  if (target.kind === "url") {
    const base = target.url.replace(/\/+$/, "");
    return { base, headers: { authorization: `Bearer ${target.key}` } };
  }
  for (const path of target.paths) {
    const code = accessCode(path);
    if (code === undefined) return { base: "http://postrider", headers: {}, unix: path };
    if (code === "EACCES" || code === "EPERM")
      return { kind: "forbidden", why: `${path} may not be opened by this user` };
  }
  return { kind: "unreachable", why: `no daemon listens at ${target.paths.join(" or ")}` };
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

function typeOf({ json, raw }: Request): Record<string, string> {
  if (raw !== undefined) return { "content-type": raw.type };
  return json === undefined ? {} : { "content-type": "application/json" };
}

function bodyOf({ json, raw }: Request): Uint8Array<ArrayBuffer> | string | null {
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
