// One connection to a web server: the only file of this room that touches a socket. It connects to the address that it is given and to
// no other, so that the address that was checked is the one that is spoken to.
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type SecureContext, type TLSSocket } from "node:tls";
import type { Clock } from "../base/clock.ts";
import type { Target } from "./target.ts";

export interface WireListener {
  data(bytes: Buffer): void;
  /** The server closed its side, or the connection failed; at most once. */
  ended(why: string | null): void;
}

export interface Wire {
  readonly address: string;
  /** Monotonic. */
  readonly openedAtMs: number;
  isOpen(): boolean;
  write(bytes: Uint8Array): void;
  /** One at a time; null: whatever comes now was not asked for, and ends the connection. */
  listen(listener: WireListener | null): void;
  /** No more is read while it is paused. */
  pause(): void;
  resume(): void;
  close(): void;
}

export type Dialed =
  | { readonly kind: "open"; readonly wire: Wire }
  | { readonly kind: "failed"; readonly why: "connect" | "tls"; readonly text: string };

export interface DialDeps {
  readonly clock: Clock;
  /** With the authorities that count. */
  context(): SecureContext;
}

/** An address that is silent must leave time for the next one. */
const CONNECT_MS = 5_000;

export async function dial(
  deps: DialDeps,
  target: Target,
  address: string,
  signal: AbortSignal,
): Promise<Dialed> {
  const raw = await call(deps, address, target.port, signal);
  if (typeof raw === "string") return { kind: "failed", why: "connect", text: raw };
  if (target.scheme === "http") return { kind: "open", wire: wireOf(deps, raw, raw, address) };
  const secured = await secure(deps, raw, target, signal);
  if (typeof secured === "string") return { kind: "failed", why: "tls", text: secured };
  return { kind: "open", wire: wireOf(deps, raw, secured, address) };
}

function call(
  { clock }: DialDeps,
  address: string,
  port: number,
  signal: AbortSignal,
): Promise<Socket | string> {
  const socket = connectTcp({ host: address, port });
  socket.setNoDelay(true);
  return new Promise((resolve) => {
    const settle = (result: Socket | string): void => {
      timer.cancel();
      signal.removeEventListener("abort", giveUp);
      socket.removeAllListeners();
      socket.on("error", () => {});
      if (typeof result === "string") socket.destroy();
      resolve(result);
    };
    const giveUp = (): void => settle(`${address} does not answer the call`);
    const timer = clock.after(CONNECT_MS, giveUp);
    if (signal.aborted) return giveUp();
    signal.addEventListener("abort", giveUp, { once: true });
    socket.once("connect", () => settle(socket));
    socket.once("error", (error) => settle(`${address}: ${error.message}`));
    socket.once("close", () => settle(`${address} closed the connection`));
  });
}

/** The server must prove the name by its certificate; a common name does not count (RFC 9110 4.3.4). */
function secure(
  deps: DialDeps,
  raw: Socket,
  { host, isLiteral }: Target,
  signal: AbortSignal,
): Promise<TLSSocket | string> {
  const bare = host.replace(/\.$/, "");
  const socket = connectTls({
    socket: raw,
    // A literal address is no server name, and a last dot is no part of one (RFC 6066 3).
    ...(isLiteral ? {} : { servername: bare }),
    secureContext: deps.context(),
    // Judged below, where it can also be told why.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    ALPNProtocols: ["http/1.1"],
  });
  return new Promise((resolve) => {
    const settle = (result: TLSSocket | string): void => {
      signal.removeEventListener("abort", giveUp);
      socket.removeAllListeners();
      socket.on("error", () => {});
      if (typeof result === "string") {
        socket.destroy();
        raw.destroy();
      }
      resolve(result);
    };
    const giveUp = (): void => settle(`${host} does not finish the handshake`);
    if (signal.aborted) return giveUp();
    signal.addEventListener("abort", giveUp, { once: true });
    socket.once("secureConnect", () => settle(distrust(socket, bare, isLiteral) ?? socket));
    socket.once("error", (error) => settle(`${host}: ${error.message}`));
    socket.once("close", () => settle(`${host} broke off the handshake`));
  });
}

/** Why the server is not the one that was meant; undefined: it is. */
function distrust(socket: TLSSocket, host: string, isLiteral: boolean): string | undefined {
  if (!socket.authorized)
    return `the certificate proves nothing: ${String(socket.authorizationError)}`;
  const certificate = socket.getPeerX509Certificate();
  const named = isLiteral
    ? certificate?.checkIP(host)
    : certificate?.checkHost(host, { subject: "never" });
  return named === undefined ? `the certificate does not name ${host}` : undefined;
}

function wireOf({ clock }: DialDeps, raw: Socket, socket: Socket, address: string): Wire {
  let listener: WireListener | null = null;
  let open = true;
  const end = (why: string | null): void => {
    open = false;
    const heard = listener;
    listener = null;
    heard?.ended(why);
  };
  const close = (): void => {
    open = false;
    listener = null;
    socket.destroy();
    raw.destroy();
  };
  socket.on("data", (bytes: Buffer) => (listener === null ? close() : listener.data(bytes)));
  socket.on("error", (error: Error) => end(error.message));
  socket.on("end", () => end(null));
  socket.on("close", () => end(null));
  return {
    address,
    openedAtMs: clock.monotonicMs(),
    isOpen: () => open,
    write: (bytes) => void socket.write(bytes),
    listen: (next) => void (listener = next),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    close,
  };
}
