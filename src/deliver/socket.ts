// The real Connection, over node:net and node:tls: the only file of delivery that touches a socket.
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { checkServerIdentity, connect as connectTls, type TLSSocket } from "node:tls";
import type { Clock } from "../base/clock.ts";
import type { TlsFacts } from "../mail/timeline.ts";
import type {
  Connect,
  Connection,
  ConnectFailure,
  Listener,
  Target,
  TlsResult,
} from "./connection.ts";

export interface SocketOptions {
  readonly clock: Clock;
  /** Certificates that are trusted besides the system's, as PEM. */
  readonly ca?: readonly string[];
}

/** How long a connection that we have ended may take to send its rest. */
const LINGER_MS = 1_000;
/** Hosts whose TLS session is kept for resumption. */
const SESSIONS_MAX = 1000;

interface Deps extends SocketOptions {
  readonly sessions: Map<string, Buffer>;
}

export function createSocketConnect(options: SocketOptions): Connect {
  const deps: Deps = { ...options, sessions: new Map() };
  return async (target, deadlineMs, signal) => {
    const limit = new AbortController();
    const timer = deps.clock.after(deadlineMs, () => limit.abort());
    const stop = (): void => limit.abort();
    signal.addEventListener("abort", stop, { once: true });
    const why = (): ConnectFailure["why"] => (signal.aborted ? "stopped" : "timeout");
    try {
      if (signal.aborted) return { kind: "failure", why: "stopped", text: "the daemon stops" };
      if (isIP(target.address) === 0)
        return { kind: "failure", why: "network", text: `${target.address} is no address` };
      const socket = await dial(target, limit.signal);
      if (typeof socket === "string")
        return { kind: "failure", why: limit.signal.aborted ? why() : "network", text: socket };
      if (!target.implicitTls) return connectionOf(deps, target, { socket, facts: null });
      const secured = await handshake(deps, socket, target, limit.signal);
      if (secured.kind === "secured") return connectionOf(deps, target, secured);
      return { kind: "failure", why: limit.signal.aborted ? why() : "tls", text: secured.text };
    } finally {
      timer.cancel();
      signal.removeEventListener("abort", stop);
    }
  };
}

/** The socket, or what the system said instead. */
function dial({ address, port }: Target, signal: AbortSignal): Promise<Socket | string> {
  return new Promise((resolve) => {
    const socket = connectTcp({ host: address, port, noDelay: true });
    const settle = (result: Socket | string): void => {
      signal.removeEventListener("abort", giveUp);
      socket.removeAllListeners();
      // A late error of a socket that nobody has any more must not end the process.
      socket.on("error", () => {});
      if (typeof result === "string") socket.destroy();
      resolve(result);
    };
    const giveUp = (): void => settle(`no connection to ${address} port ${port} in time`);
    signal.addEventListener("abort", giveUp, { once: true });
    socket.once("connect", () => settle(socket));
    socket.once("error", (error) => settle(`${address} port ${port}: ${error.message}`));
    socket.once("close", () => settle(`${address} port ${port}: closed`));
  });
}

type Secured =
  | { readonly kind: "secured"; readonly socket: TLSSocket; readonly facts: TlsFacts }
  | { readonly kind: "failed"; readonly text: string };

function handshake(
  deps: Deps,
  raw: Socket,
  { host }: Target,
  signal: AbortSignal,
): Promise<Secured> {
  return new Promise((resolve) => {
    const beganAt = deps.clock.monotonicMs();
    const session = deps.sessions.get(host);
    const socket = connectTls({
      socket: raw,
      // A literal address is no server name (RFC 6066 3).
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(session === undefined ? {} : { session }),
      ...(deps.ca === undefined ? {} : { ca: [...deps.ca] }),
      // Who the server is, is judged by hand: an unproven certificate may do (RFC 7435).
      rejectUnauthorized: false,
      minVersion: "TLSv1.2",
    });
    const settle = (result: Secured): void => {
      signal.removeEventListener("abort", giveUp);
      socket.removeAllListeners();
      socket.on("error", () => {});
      if (result.kind === "failed") socket.destroy();
      else socket.on("session", (ticket) => keepSession(deps, host, ticket));
      resolve(result);
    };
    const giveUp = (): void => settle({ kind: "failed", text: "the TLS handshake took too long" });
    if (signal.aborted) return giveUp();
    signal.addEventListener("abort", giveUp, { once: true });
    socket.once("session", (ticket) => keepSession(deps, host, ticket));
    socket.once("secureConnect", () => {
      const handshakeMs = Math.round(deps.clock.monotonicMs() - beganAt);
      settle({ kind: "secured", socket, facts: factsOf(socket, host, handshakeMs) });
    });
    socket.once("error", (error) =>
      settle({ kind: "failed", text: `TLS handshake: ${error.message}` }),
    );
    socket.once("close", () =>
      settle({ kind: "failed", text: "TLS handshake: the server closed the connection" }),
    );
  });
}

function keepSession({ sessions }: Deps, host: string, ticket: Buffer): void {
  sessions.delete(host);
  sessions.set(host, ticket);
  const [oldest] = sessions.keys();
  if (sessions.size > SESSIONS_MAX && oldest !== undefined) sessions.delete(oldest);
}

function factsOf(socket: TLSSocket, host: string, handshakeMs: number): TlsFacts {
  const certificate = socket.getPeerCertificate();
  // The runtime does not look at the name of a certificate that it does not trust (DESIGN 11).
  const named =
    Object.keys(certificate).length > 0 && checkServerIdentity(host, certificate) === undefined;
  return {
    version: socket.getProtocol() ?? "",
    cipher: socket.getCipher()?.name ?? "",
    verified: socket.authorized && named,
    resumed: socket.isSessionReused(),
    handshakeMs,
    verifyMs: 0,
    policy: "opportunistic",
    unproven: "",
  };
}

interface Open {
  readonly deps: Deps;
  readonly target: Target;
  socket: Socket;
  listener: Listener | null;
  closed: boolean;
}

function connectionOf(
  deps: Deps,
  target: Target,
  { socket, facts }: { readonly socket: Socket; readonly facts: TlsFacts | null },
): Connection {
  const open: Open = { deps, target, socket, listener: null, closed: false };
  return {
    kind: "connected",
    source: socket.localAddress ?? "",
    tls: facts,
    listen(listener) {
      open.listener = listener;
      attach(open);
    },
    write: (octets) => !open.closed && open.socket.write(octets),
    startTls: (signal) => startTls(open, signal),
    close: () => close(open),
  };
}

function attach(open: Open): void {
  const { socket, listener } = open;
  const ended = (text: string): void => {
    if (open.closed) return;
    open.closed = true;
    socket.destroy();
    listener?.closed(text);
  };
  socket.on("data", (chunk: Buffer) => {
    if (!open.closed) listener?.data(chunk);
  });
  socket.on("drain", () => listener?.drained());
  socket.on("error", (error) => ended(error.message));
  socket.on("end", () => ended("the server closed the connection"));
  socket.on("close", () => ended("the connection is closed"));
}

async function startTls(open: Open, signal: AbortSignal): Promise<TlsResult> {
  open.socket.removeAllListeners();
  // What the network says of the plain socket from now on, the encrypted one tells too; unheard, it would end the process.
  open.socket.on("error", () => {});
  const result = await handshake(open.deps, open.socket, open.target, signal);
  if (result.kind === "failed") return result;
  open.socket = result.socket;
  if (open.closed) result.socket.destroy();
  else attach(open);
  return { kind: "secured", facts: result.facts };
}

function close(open: Open): void {
  if (open.closed) return;
  open.closed = true;
  const { socket } = open;
  socket.end();
  const timer = open.deps.clock.after(LINGER_MS, () => socket.destroy());
  socket.once("close", () => timer.cancel());
}
