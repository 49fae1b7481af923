// A server of HTTP, or of HTTPS, on this host, for those to whom the daemon speaks.
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Ends } from "./faultsRig.ts";

/** Who a server is; a name, since a certificate is for names. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

/** The port that it has; what is open at the end is cut. */
export async function serveHere(
  ends: Ends,
  hear: RequestListener,
  identity: Identity | undefined,
): Promise<number> {
  const server = identity === undefined ? createServer(hear) : createHttps(identity, hear);
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.add(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}
