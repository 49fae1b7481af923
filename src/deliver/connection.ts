// What delivery needs of a network: octets out, octets in, encryption, an end. The real one is socket.ts; the simulator and the
// built-in sink stand in for it. Deadlines are not its business: drive.ts keeps them by the Clock.
import type { TlsFacts } from "../mail/timeline.ts";
import type { Route, TlsDemand, TlsPolicy } from "../route/route.ts";

/** One address of one host, as an attempt tries it. */
export interface Target {
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly via: Route["via"];
  /** Our own address, where the system is not to choose. */
  readonly source?: string;
  /** TLS from the first octet (RFC 8314). */
  readonly implicitTls: boolean;
  /** `verify`: a certificate that does not prove what is asked for ends the handshake. Absent: `opportunistic`. */
  readonly tls?: TlsPolicy;
  readonly demand?: TlsDemand;
}

export interface Listener {
  /** The chunk is the listener's: it is not written to afterwards. */
  data(chunk: Uint8Array): void;
  /** What `write` could not send at once has been sent. */
  drained(): void;
  /** The other side ended the connection, or it broke; called once, and not after `close`. */
  closed(text: string): void;
}

export interface Connection {
  readonly kind: "connected";
  /** Our own address, for the timeline; empty when there is none. */
  readonly source: string;
  /** Facts of an implicit TLS handshake. */
  readonly tls: TlsFacts | null;
  /** Before it, nothing is lost: octets wait. */
  listen(listener: Listener): void;
  /**
   * A string is written as UTF-8. False when it does not leave at once: `drained` follows. The octets stay as they are until the other
   * side has answered to all of them; a stand-in that keeps them longer makes a copy.
   */
  write(octets: string | Uint8Array): boolean;
  /** Encrypts the connection; from then on `data` and `write` are about what is inside. Never rejects. */
  startTls(signal: AbortSignal): Promise<TlsResult>;
  /** At once, without waiting for anything; what was written before is still sent if it can be. Idempotent. */
  close(): void;
}

export type TlsResult =
  | { readonly kind: "secured"; readonly facts: TlsFacts }
  | { readonly kind: "failed"; readonly text: string };

export interface ConnectFailure {
  readonly kind: "failure";
  /**
   * `tls`: the handshake of implicit TLS. `local`: this process has no descriptor left. `source`: this host does not have the address
   * that was to be sent from. Everything else says the same: no connection (DESIGN 11: errno cannot be trusted).
   */
  readonly why: "network" | "timeout" | "tls" | "stopped" | "local" | "source";
  readonly text: string;
}

/** Never rejects. Gives up after `deadlineMs` for the whole of it, or when the signal is aborted. */
export type Connect = (
  target: Target,
  deadlineMs: number,
  signal: AbortSignal,
) => Promise<Connection | ConnectFailure>;
