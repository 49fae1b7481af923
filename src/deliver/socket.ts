// The real Connection, over node:net and node:tls: the only file of delivery that touches a socket.
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type SecureContext, type TLSSocket } from "node:tls";
import type { Clock } from "../base/clock.ts";
import type { TlsFacts } from "../mail/timeline.ts";
import { policyName } from "../route/policy.ts";
import { createTrust, type Trust } from "../route/trust.ts";
import type {
  Connect,
  Connection,
  ConnectFailure,
  Listener,
  Target,
  TlsResult,
} from "./connection.ts";
import { prove, type Proof, type Shown, stillHolds } from "./proof.ts";
import { createSessions, type Kept, type Sessions } from "./sessions.ts";

export interface SocketOptions {
  readonly clock: Clock;
  /** Whose certificates are believed; absent: the shipped authorities. */
  readonly trust?: Trust;
  /** Told what each certificate proved, or did not. */
  readonly judged?: (host: string, proof: Proof) => void;
}

/** How long a connection that we have ended may take to send its rest. */
const LINGER_MS = 1_000;

interface Deps extends SocketOptions {
  readonly trust: Trust;
  readonly sessions: Sessions;
  /** Sessions hold what was proven under it. */
  context: SecureContext | undefined;
}

export function createSocketConnect(options: SocketOptions): Connect {
  const { trust = createTrust() } = options;
  const deps: Deps = {
    ...options,
    trust,
    sessions: createSessions(options.clock),
    context: undefined,
  };
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
      if ("text" in socket)
        return { ...socket, kind: "failure", why: limit.signal.aborted ? why() : socket.why };
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

type Undialed = Pick<ConnectFailure, "why" | "text">;

/** The socket, or what the system said instead. */
function dial(target: Target, signal: AbortSignal): Promise<Socket | Undialed> {
  const { address, port, source } = target;
  return new Promise((resolve) => {
    const from = source === undefined ? {} : { localAddress: source };
    const socket = connectTcp({ host: address, port, noDelay: true, ...from });
    const settle = (result: Socket | Undialed): void => {
      signal.removeEventListener("abort", giveUp);
      socket.removeAllListeners();
      // A late error of a socket that nobody has any more must not end the process.
      socket.on("error", () => {});
      if ("text" in result) socket.destroy();
      resolve(result);
    };
    const fail = (text: string): void => settle({ why: "network", text });
    const giveUp = (): void => fail(`no connection to ${address} port ${port} in time`);
    signal.addEventListener("abort", giveUp, { once: true });
    socket.once("connect", () => settle(socket));
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (source !== undefined && unbound.has(error.code ?? ""))
        settle({ why: "source", text: `${source}: ${UNBOUND}` });
      else fail(`${address} port ${port}: ${error.message}`);
    });
    socket.once("close", () => fail(`${address} port ${port}: closed`));
  });
}

/** What the system says when it cannot send from an address. */
const unbound: ReadonlySet<string> = new Set(["EADDRNOTAVAIL", "EINVAL"]);
const UNBOUND =
  "this host does not have the address; add it to an interface, or take it out of [[source]]";

type Secured =
  | { readonly kind: "secured"; readonly socket: TLSSocket; readonly facts: TlsFacts }
  | { readonly kind: "failed"; readonly text: string };

function handshake(deps: Deps, raw: Socket, target: Target, signal: AbortSignal): Promise<Secured> {
  return new Promise((resolve) => {
    const beganAt = deps.clock.monotonicMs();
    const name = serverName(target);
    const key = sessionKey(name, target);
    const secureContext = contextOf(deps);
    const kept = deps.sessions.get(key);
    let showed: Omit<Kept, "session"> | undefined;
    let ticket: Buffer | undefined;
    const socket = connectTls({
      socket: raw,
      secureContext,
      // A literal address is no server name (RFC 6066 3).
      ...(isIP(name) === 0 ? { servername: name } : {}),
      ...(kept === undefined ? {} : { session: kept.session }),
      // Who the server is, is judged by hand: an unproven certificate may do (RFC 7435).
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    });
    // Tickets come before the end of the handshake (TLS 1.2) or some time after it (TLS 1.3).
    const keep = (session: Buffer | undefined): void => {
      ticket = session;
      if (session === undefined || showed === undefined || deps.context !== secureContext) return;
      deps.sessions.keep(key, { ...showed, session });
    };
    const settle = (result: Secured): void => {
      signal.removeEventListener("abort", giveUp);
      socket.removeAllListeners();
      socket.on("error", () => {});
      if (result.kind === "failed") socket.destroy();
      else socket.on("session", keep);
      resolve(result);
    };
    const giveUp = (): void => settle({ kind: "failed", text: "the TLS handshake took too long" });
    if (signal.aborted) return giveUp();
    signal.addEventListener("abort", giveUp, { once: true });
    socket.on("session", keep);
    socket.once("secureConnect", () => {
      const shookAt = deps.clock.monotonicMs();
      showed = whatWasShown(deps, { socket, target, kept });
      const times = { handshakeMs: Math.round(shookAt - beganAt), shookAt };
      const judged = judge(deps, { socket, target, proof: showed.proof }, times);
      settle(judged);
      // A server may have another certificate by now, which only a whole handshake shows.
      if (judged.kind === "failed") deps.sessions.drop(key);
      else keep(ticket);
    });
    socket.once("error", (error) =>
      settle({ kind: "failed", text: `TLS handshake: ${error.message}` }),
    );
    socket.once("close", () =>
      settle({ kind: "failed", text: "TLS handshake: the server closed the connection" }),
    );
  });
}

/** RFC 7672 8.1: with DANE it is the name that holds the records. */
function serverName({ host, demand }: Target): string {
  return demand?.source === "dane" ? (demand.names[0] ?? host) : host;
}

/** One port may be another server than the next; and what was shown under one demand need not be enough for another. */
function sessionKey(name: string, { port, demand }: Target): string {
  return `${name}:${port}${demand === undefined ? "" : ` ${JSON.stringify(demand)}`}`;
}

function contextOf(deps: Deps): SecureContext {
  const context = deps.trust.context();
  if (context !== deps.context) {
    deps.sessions.clear();
    deps.context = context;
  }
  return context;
}

function whatWasShown(
  { clock }: Deps,
  {
    socket,
    target,
    kept,
  }: { readonly socket: TLSSocket; readonly target: Target; readonly kept: Kept | undefined },
): Omit<Kept, "session"> {
  const { host, demand } = target;
  const before = socket.isSessionReused() ? kept : undefined;
  const expected = { host, demand, now: clock.now() };
  if (before !== undefined && stillHolds(before.proof, expected)) return before;
  const shown = before?.shown ?? shownBy(socket, target);
  return { shown, proof: prove(shown, expected) };
}

interface Judged {
  readonly socket: TLSSocket;
  readonly target: Target;
  readonly proof: Proof;
}

/** A certificate that does not prove what the policy asks for ends the connection before a word is said on it. */
function judge(
  deps: Deps,
  { socket, target, proof }: Judged,
  { handshakeMs, shookAt }: { readonly handshakeMs: number; readonly shookAt: number },
): Secured {
  const { host, tls = "opportunistic", demand } = target;
  deps.judged?.(host, proof);
  if (tls === "verify" && !proof.verified) return { kind: "failed", text: proof.unproven };
  const facts: TlsFacts = {
    version: socket.getProtocol() ?? "",
    cipher: socket.getCipher()?.name ?? "",
    verified: proof.verified,
    resumed: socket.isSessionReused(),
    handshakeMs,
    verifyMs: Math.round((deps.clock.monotonicMs() - shookAt) * 100) / 100,
    policy: policyName(demand === undefined ? { tls } : { tls, demand }),
    unproven: proof.unproven,
  };
  return { kind: "secured", socket, facts };
}

/** So deep a chain is followed; a server may send any number of certificates, in a circle too. */
const CHAIN_MAX = 16;

/** Only DANE looks behind the server's own certificate, and reading the whole chain costs three times as much. */
function shownBy(socket: TLSSocket, { demand }: Target): Shown {
  const chain: Uint8Array[] = [];
  const seen = new Set<string>();
  const isWhole = demand?.source === "dane";
  let at = socket.getPeerCertificate(isWhole) as ReturnType<TLSSocket["getPeerCertificate"]> & {
    readonly issuerCertificate?: unknown;
  };
  while (at?.raw !== undefined && !seen.has(at.fingerprint256) && chain.length < CHAIN_MAX) {
    seen.add(at.fingerprint256);
    chain.push(at.raw);
    at = at.issuerCertificate as typeof at;
  }
  const { authorized, authorizationError } = socket;
  return { chain, authorized, error: String(authorizationError ?? "") };
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
