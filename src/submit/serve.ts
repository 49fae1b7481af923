// The door's sockets: the runtime's own HTTP server on TCP addresses and on local sockets. The only file of this room that may use
// `Bun`.
import { chmodSync, chownSync, unlinkSync } from "node:fs";
import type { Caller } from "./caller.ts";
import { type Crowd, REQUESTS_FREE } from "./crowd.ts";
import type { Door, Peer } from "./door.ts";

/** Seconds that a connection may stay silent; a slow body is bounded by its own rate (body.ts). */
const IDLE_TIMEOUT_S = 60;
/**
 * Requests say their limit themselves (413 with both numbers), where the runtime's own bound would answer without a word. What nobody
 * has read yet stays in the socket, so a high bound costs no memory.
 */
const BODY_MAX_BYTES = Number.MAX_SAFE_INTEGER;
/** Larger bodies wait for each other, which to the runtime is silence; how slow they may be is said in chunks.ts. */
const LARGE_BYTES = 262_144;
const NEVER_S = 0;

/** Garbage that the collector would leave for later, being few objects. */
export function relieve(): void {
  Bun.gc(true);
}

export interface Listener {
  /** `http://127.0.0.1:8250`, or the path of a local socket. */
  readonly url: string;
  readonly port: number;
  /** Takes no new connections; resolves once the open requests are answered. */
  stop(): Promise<void>;
  /** Also ends what is open. */
  stopNow(): Promise<void>;
}

/** In PEM. */
export interface TlsPair {
  readonly cert: string;
  readonly key: string;
}

export interface TcpAddress {
  readonly hostname: string;
  readonly port: number;
  /** Null: HTTP. */
  readonly tls?: TlsPair | null;
  readonly crowd?: Crowd;
}

export interface TcpListener extends Listener {
  /** Requests that have no answer yet. */
  open(): number;
  /** Speaks with another certificate from now on; connections that are there keep theirs. Throws, and nothing is changed. */
  renew(tls: TlsPair | null): void;
}

/** Throws what the system says, such as EADDRINUSE. */
export function serveTcp(door: Door, at: TcpAddress): TcpListener {
  let { tls = null } = at;
  if (tls !== null && at.port !== 0) refuseTaken(at);
  let server = openServer(door, at);
  const port = server.port ?? at.port;
  const ended: Promise<void>[] = [];
  return {
    url: server.url.origin,
    port,
    open: () => server.pendingRequests,
    renew(next) {
      // The runtime's own reload keeps the old certificate. The new listener is there before the old one goes, which takes its idle
      // connections along and answers what it has read.
      if (tls !== null && next !== null) {
        const old = server;
        server = openServer(door, { ...at, port, tls: next });
        ended.push(old.stop(false));
        tls = next;
        return;
      }
      ended.push(server.stop(false));
      try {
        server = openServer(door, { ...at, port, tls: next });
        tls = next;
      } catch (error) {
        server = openServer(door, { ...at, port, tls });
        throw error;
      }
    },
    stop: async () => void (await Promise.all([...ended, server.stop(false)])),
    stopNow: () => server.stop(true),
  };
}

/** Where ports may be shared, a listener of somebody else shows only to one that does not share. */
function refuseTaken({ hostname, port }: TcpAddress): void {
  void Bun.serve({ hostname, port, reusePort: false, fetch: () => new Response() }).stop(true);
}

function openServer(door: Door, { hostname, port, tls, crowd }: TcpAddress) {
  const server: ReturnType<typeof Bun.serve> = Bun.serve({
    hostname,
    port,
    ...(tls == null ? {} : { tls }),
    // A shared port is shared with whoever asks for it too, and two daemons would take turns at the requests: only what may have to be
    // opened a second time is, with another certificate.
    reusePort: tls != null,
    idleTimeout: IDLE_TIMEOUT_S,
    maxRequestBodySize: BODY_MAX_BYTES,
    development: false,
    routes: {
      "/send": {
        POST(request: Request) {
          if (mayWait(request)) server.timeout(request, NEVER_S);
          const open = server.pendingRequests;
          if (open <= REQUESTS_FREE || crowd === undefined) return door.send(request, peer);
          const go = (): Promise<Response> => door.send(request, peer);
          return crowd.enter(request, open, peer.addressOf(request), go);
        },
      },
    },
    fetch(request) {
      if (mayWait(request)) server.timeout(request, NEVER_S);
      const open = server.pendingRequests;
      if (open <= REQUESTS_FREE || crowd === undefined) return door.fetch(request, peer);
      const go = (): Response | Promise<Response> => door.fetch(request, peer);
      return crowd.enter(request, open, peer.addressOf(request), go);
    },
  });
  const peer: Peer = {
    caller: null,
    addressOf: (request) => server.requestIP(request)?.address ?? null,
  };
  return server;
}

function mayWait({ headers }: Request): boolean {
  const length = headers.get("content-length");
  return length === null ? headers.get("transfer-encoding") !== null : Number(length) > LARGE_BYTES;
}

export interface LocalSocket {
  readonly path: string;
  /** Who opens it is this one: no key is asked for. */
  readonly caller: Caller;
  /** Of the file: who may open it. */
  readonly mode: number;
  /** Its group, by number, where that is not the process's own. */
  readonly group?: number | undefined;
}

/** A file that a dead process left is replaced: that nobody serves it is for the caller to know. Throws what the system says. */
export function serveLocal(door: Door, { path, caller, mode, group }: LocalSocket): Listener {
  remove(path);
  const peer: Peer = { caller, addressOf: () => null };
  // The mask closes the moment between the socket's creation and its chmod.
  const mask = process.umask(0o177);
  try {
    const server = Bun.serve({
      unix: path,
      maxRequestBodySize: BODY_MAX_BYTES,
      development: false,
      fetch(request) {
        if (mayWait(request)) server.timeout(request, NEVER_S);
        return door.fetch(request, peer);
      },
    });
    if (group !== undefined) chownSync(path, process.getuid?.() ?? -1, group);
    chmodSync(path, mode);
    const stop = async (now: boolean): Promise<void> => {
      await server.stop(now);
      remove(path);
    };
    return { url: path, port: 0, stop: () => stop(false), stopNow: () => stop(true) };
  } finally {
    process.umask(mask);
  }
}

function remove(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}
