// The connections of the load: plain, encrypted or to a local socket, as the daemon is reached.
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

export type Place =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "tls"; readonly host: string; readonly port: number }
  | { readonly kind: "socket"; readonly path: string };

export interface Ears {
  opened(): void;
  heard(chunk: Uint8Array): void;
  /** Once, with the system's word for it; empty when the other side just closed. */
  closed(why: string): void;
}

export interface Line {
  /** The bytes may not change until they are answered. */
  write(bytes: Uint8Array): void;
  /** Nothing is heard any more. */
  close(): void;
}

export type Dial = (ears: Ears) => Line;

export function createDial(place: Place): Dial {
  return (ears) => {
    const socket = open(place);
    let why = "";
    let closed = false;
    socket.setNoDelay(true);
    socket.on(place.kind === "tls" ? "secureConnect" : "connect", () => closed || ears.opened());
    socket.on("data", (chunk: Uint8Array) => closed || ears.heard(chunk));
    socket.on("error", (error: NodeJS.ErrnoException) => (why = error.code ?? error.message));
    socket.on("close", () => {
      if (closed) return;
      closed = true;
      ears.closed(why);
    });
    return {
      write: (bytes) => void socket.write(bytes),
      close() {
        closed = true;
        socket.destroy();
      },
    };
  };
}

function open(place: Place): Socket {
  if (place.kind === "socket") return connect({ path: place.path });
  const { host, port } = place;
  return place.kind === "tcp"
    ? connect({ host, port })
    : // An address is no name to ask for (RFC 6066 3).
      connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}) });
}
