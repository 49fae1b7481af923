// What TLS does here that one might not expect; both ends are ours.
import { afterEach, expect, test } from "bun:test";
import { createServer, connect as connectPlain, type AddressInfo, type Server } from "node:net";
import {
  connect,
  createSecureContext,
  createServer as createTlsServer,
  TLSSocket,
  type ConnectionOptions,
} from "node:tls";
import { selfSigned } from "../../src/sink/certificate.ts";

const certificate = selfSigned({
  hostname: "mx.test",
  notBefore: new Date(Date.now() - 1e7),
  notAfter: new Date(Date.now() + 1e9),
});

let server: Server | undefined;
afterEach(() => new Promise<void>((resolve) => server?.close(() => resolve())));

async function listening(started: Server): Promise<number> {
  server = started;
  await new Promise<void>((resolve) => started.listen(0, "127.0.0.1", () => resolve()));
  return (started.address() as AddressInfo).port;
}

/** A handshake, told once it is done. */
function shake(options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", ...options }, () => resolve(socket));
    socket.on("error", reject);
  });
}

const echo = (socket: TLSSocket): void => {
  socket.on("error", () => {});
  socket.write("hello");
};

test("checkServerIdentity is not called for an untrusted certificate when rejectUnauthorized is false", async () => {
  const port = await listening(createTlsServer({ ...certificate }, echo));
  let called = 0;
  const checkServerIdentity = (): undefined => void called++;
  const socket = await shake({ port, rejectUnauthorized: false, checkServerIdentity });
  expect(socket.authorized).toBe(false);
  expect(called).toBe(0);
  socket.destroy();
});

test("it is called for a trusted one, and the certificate can be read after the handshake", async () => {
  const port = await listening(createTlsServer({ ...certificate }, echo));
  let called = 0;
  const checkServerIdentity = (): undefined => void called++;
  const ca = certificate.cert;
  const socket = await shake({ port, ca, checkServerIdentity, servername: "mx.test" });
  expect(called).toBe(1);
  expect(socket.getPeerX509Certificate()?.subjectAltName).toBe("DNS:mx.test");
  expect(socket.getPeerCertificate(true).raw.length).toBeGreaterThan(100);
  socket.destroy();
});

test("bytes that follow the 220 of STARTTLS reach the plain socket's reader, not the handshake", async () => {
  const port = await listening(
    createServer((socket) => {
      socket.on("error", () => {});
      socket.write("220 go ahead\r\n250 injected\r\n");
    }),
  );
  const socket = connectPlain(port, "127.0.0.1");
  const heard = await new Promise<string>((resolve) =>
    socket.once("data", (chunk: Buffer) => resolve(chunk.toString())),
  );
  expect(heard).toBe("220 go ahead\r\n250 injected\r\n");
  socket.destroy();
});

test("STARTTLS: a plain socket is upgraded on both sides", async () => {
  const secureContext = createSecureContext(certificate);
  const port = await listening(
    createServer((plain) => {
      plain.write("220\r\n");
      const secure = new TLSSocket(plain, { isServer: true, secureContext });
      secure.on("error", () => {});
      secure.on("data", (chunk: Buffer) => secure.write(`echo ${chunk.toString()}`));
    }),
  );
  const plain = connectPlain(port, "127.0.0.1");
  await new Promise<void>((resolve) => plain.once("data", () => resolve()));
  const secure = await shake({ socket: plain, rejectUnauthorized: false });
  secure.write("hi");
  const heard = await new Promise<string>((resolve) =>
    secure.once("data", (chunk: Buffer) => resolve(chunk.toString())),
  );
  expect(heard).toBe("echo hi");
  secure.destroy();
});

test("a session can be resumed on a second connection", async () => {
  const port = await listening(createTlsServer({ ...certificate }, echo));
  const options = { port, rejectUnauthorized: false, servername: "mx.test" } as const;
  const first = connect({ host: "127.0.0.1", ...options });
  const session = await new Promise<Buffer>((resolve) => first.once("session", resolve));
  first.destroy();
  const second = await shake({ ...options, session });
  expect(second.isSessionReused()).toBe(true);
  second.destroy();
});
