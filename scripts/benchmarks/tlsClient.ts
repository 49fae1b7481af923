// A bare client as a process: greets, asks for STARTTLS, shakes hands and goes, over and over on a few connections at once, first
// with whole handshakes and then with resumed ones. Prints one JSON line.
import { connect, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";

export interface HandshakeRate {
  /** Connections a second, and the CPU of one. */
  readonly perSecond: number;
  readonly cpuUs: number;
}

export type HandshakeRates = Readonly<Record<"full" | "resumed", HandshakeRate>>;

const AT_ONCE = 10;

const [, , port = "", seconds = "4"] = process.argv;

/** Resolves once the server has said a whole reply. */
function reply(socket: Socket | TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = "";
    const hear = (chunk: Buffer): void => {
      text += chunk.toString("latin1");
      if (!/^\d{3} .*\r\n$/m.test(text)) return;
      socket.off("data", hear);
      resolve();
    };
    socket.on("data", hear);
    socket.once("error", reject);
  });
}

async function visit(session: Buffer | undefined): Promise<Buffer | undefined> {
  const socket = connect(Number(port), "127.0.0.1");
  await reply(socket);
  for (const line of ["EHLO bench.test", "STARTTLS"]) {
    socket.write(`${line}\r\n`);
    await reply(socket);
  }
  const secured = connectTls({ socket, rejectUnauthorized: false, ...(session && { session }) });
  let ticket: Buffer | undefined;
  secured.on("session", (given: Buffer) => (ticket = given));
  await new Promise((resolve, reject) => {
    secured.once("secureConnect", resolve);
    secured.once("error", reject);
  });
  secured.write("EHLO bench.test\r\n");
  await reply(secured);
  secured.end("QUIT\r\n");
  secured.resume();
  await new Promise((resolve) => secured.once("close", resolve));
  return ticket;
}

async function rate(resumes: boolean): Promise<HandshakeRate> {
  const cpuBefore = process.cpuUsage();
  const startMs = performance.now();
  const endMs = startMs + Number(seconds) * 1000;
  let count = 0;
  const worker = async (): Promise<void> => {
    let session: Buffer | undefined;
    while (performance.now() < endMs) {
      const ticket = await visit(session);
      if (resumes) session = ticket ?? session;
      count++;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const { user, system } = process.cpuUsage(cpuBefore);
  const perSecond = (count * 1000) / (performance.now() - startMs);
  return { perSecond, cpuUs: (user + system) / count };
}

await rate(false);
const result: HandshakeRates = { full: await rate(false), resumed: await rate(true) };
console.log(JSON.stringify(result));
