// The sockets of the SMTP listener: how many there may be, TLS, and their end.
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createSecureContext, type SecureContext, TLSSocket } from "node:tls";
import { type Clock, pause } from "../../base/clock.ts";
import { lineOf, type Said, said } from "../../smtp/server/said.ts";
import { type Connection, type ConnectionDeps, createConnection, type Wire } from "./connection.ts";

export interface SmtpListenerDeps {
  readonly clock: Clock;
  readonly at: { readonly host: string; readonly port: number };
  /** TLS from the first octet on (RFC 8314 3.3). */
  readonly implicitTls: boolean;
  readonly limits: SmtpListenerLimits;
  readonly count: SmtpCount;
  /** Asked for every connection, since a reload changes what is served. */
  readonly serve: (client: SmtpClient) => Served;
}

export interface SmtpClient {
  /** Without the prefix of an IPv4 address that is written as IPv6. */
  readonly address: string;
  readonly isLocal: boolean;
}

export interface Served extends Pick<ConnectionDeps, "desk" | "timeouts" | "refused" | "failed"> {
  readonly options: Omit<ConnectionDeps["options"], "secure" | "offersTls" | "clearLogin">;
  readonly secureContext: SecureContext | null;
  /** False: this address is told to go. */
  readonly heard: boolean;
}

export interface SmtpListenerLimits {
  readonly connections: number;
  readonly connectionsPerAddress: number;
}

export const smtpListenerLimits: SmtpListenerLimits = {
  connections: 1000,
  connectionsPerAddress: 200,
};

/** Open connections, over all addresses that are listened on. */
export interface SmtpCount {
  all: number;
  readonly byAddress: Map<string, number>;
  /** Told of each that comes and goes. */
  readonly changed: (all: number, came: "plain" | "tls" | null) => void;
}

export function createSmtpCount(changed: SmtpCount["changed"] = () => {}): SmtpCount {
  return { all: 0, byAddress: new Map(), changed };
}

export interface SmtpListener {
  readonly port: number;
  /** No new clients, and the idle ones are told to go; resolves once no message is under way. */
  drain(): Promise<void>;
  /** Ends what is still open. */
  stopNow(): Promise<void>;
}

const BACKLOG = 1024;
/** How long a client may take to close after our last word, and how much of what it still sends is read and forgotten. */
const LINGER_MS = 5_000;
const LINGER_MAX_BYTES = 1_000_000;
const DRAIN_LOOK_MS = 10;

/** PEM. Throws when they are no such pair. */
export function secureContextOf(cert: Uint8Array, key: Uint8Array): SecureContext {
  const pem = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
  return createSecureContext({ cert: pem(cert), key: pem(key), minVersion: "TLSv1.2" });
}

/** Rejects with what the system says, such as EADDRINUSE. */
export async function openSmtpListener(deps: SmtpListenerDeps): Promise<SmtpListener> {
  const open = new Set<Open>();
  const server = createServer({ allowHalfOpen: true }, (socket) => admit(socket, deps, open));
  await listening(server, deps.at);
  return {
    port: (server.address() as AddressInfo).port,
    async drain() {
      server.close();
      for (const { connection } of open) connection.drain();
      while ([...open].some(({ connection }) => connection.busy()))
        await pause(deps.clock, DRAIN_LOOK_MS);
    },
    async stopNow() {
      const ended = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const { wire } of open) wire.destroy();
      await ended;
    },
  };
}

function listening(server: Server, { host, port }: SmtpListenerDeps["at"]): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port, backlog: BACKLOG, exclusive: true }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

interface Open {
  readonly connection: Connection;
  readonly wire: Wire;
}

function admit(socket: Socket, deps: SmtpListenerDeps, open: Set<Open>): void {
  // A broken connection is an ordinary end here; `close` follows.
  socket.on("error", () => socket.destroy());
  const address = (socket.remoteAddress ?? "").replace(/^::ffff:(?=\d+\.)/i, "");
  const { count, limits } = deps;
  const others = count.byAddress.get(address) ?? 0;
  const client: SmtpClient = { address, isLocal: /^(?:127\.|::1$)/.test(address) };
  const served = deps.serve(client);
  const refusal = refusalOf(served, count, others, limits);
  if (refusal !== undefined) {
    served.refused(refusal.reason ?? "");
    // By implicit TLS nothing can be said in clear.
    if (deps.implicitTls) return void socket.destroy();
    return void socket.end(lineOf(refusal), () => socket.destroy());
  }
  count.all++;
  count.byAddress.set(address, others + 1);
  count.changed(count.all, deps.implicitTls ? "tls" : "plain");
  socket.on("close", () => {
    count.all--;
    const left = (count.byAddress.get(address) ?? 1) - 1;
    if (left > 0) count.byAddress.set(address, left);
    else count.byAddress.delete(address);
    count.changed(count.all, null);
  });
  // TCP_NODELAY is set already: the runtime does that for all that it accepts, and asking again is a system call.
  const entry = connect(socket, client, served, deps);
  open.add(entry);
  socket.on("close", () => {
    open.delete(entry);
    entry.connection.closed();
  });
}

/** RFC 5321 3.1: instead of the greeting. */
function refusalOf(
  { heard }: Served,
  { all }: SmtpCount,
  others: number,
  { connections, connectionsPerAddress }: SmtpListenerLimits,
): Said | undefined {
  if (!heard) return said(554, "5.7.1", "This address may not ask here", "client_not_allowed");
  if (all < connections && others < connectionsPerAddress) return undefined;
  return said(421, "4.7.0", "Too many connections, try again later", "smtp_connections");
}

function connect(plain: Socket, client: SmtpClient, served: Served, deps: SmtpListenerDeps): Open {
  const { clock, implicitTls } = deps;
  const { secureContext } = served;
  let socket = plain;
  let over = false;

  const listen = (to: Socket): void => {
    to.on("data", (chunk: Buffer) => {
      if (!over) connection.received(chunk);
    });
    to.on("drain", () => connection.drained());
    to.on("end", () => connection.ended());
  };
  const encrypt = (): void => {
    if (secureContext === null) throw new Error("TLS was offered without a certificate");
    plain.removeAllListeners("data");
    plain.removeAllListeners("drain");
    plain.removeAllListeners("end");
    const secure = new TLSSocket(plain, { isServer: true, secureContext });
    socket = secure;
    secure.on("error", () => plain.destroy());
    secure.on("close", () => plain.destroy());
    const tooSlow = clock.after(served.timeouts.tls, () => plain.destroy());
    plain.once("close", () => tooSlow.cancel());
    secure.once("secure", () => {
      tooSlow.cancel();
      if (implicitTls) connection.start();
      else connection.secured();
    });
    listen(secure);
  };
  const wire: Wire = {
    write: (text) => socket.write(text, "latin1"),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    startTls: encrypt,
    end() {
      over = true;
      linger(socket, plain, clock);
    },
    destroy: () => void plain.destroy(),
  };
  const connection = createConnection({
    clock,
    wire,
    timeouts: served.timeouts,
    desk: served.desk,
    refused: served.refused,
    failed: served.failed,
    options: {
      ...served.options,
      secure: implicitTls,
      offersTls: secureContext !== null,
      clearLogin: client.isLocal,
    },
  });
  if (implicitTls) encrypt();
  else {
    listen(plain);
    connection.start();
  }
  return { connection, wire };
}

/** A socket that is closed with unread octets resets the connection, and the client may never read our last word. */
function linger(socket: Socket, plain: Socket, clock: Clock): void {
  let octets = 0;
  socket.on("data", (chunk: Buffer) => {
    octets += chunk.length;
    if (octets > LINGER_MAX_BYTES) plain.destroy();
  });
  socket.resume();
  socket.end();
  const timer = clock.after(LINGER_MS, () => plain.destroy());
  plain.once("close", () => timer.cancel());
}
