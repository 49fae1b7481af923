import { afterEach, describe, expect, test } from "bun:test";
import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { systemClock } from "../../../src/base/clock.ts";
import { selfSigned } from "../../../src/sink/certificate.ts";
import { serverLimits, serverTimeouts } from "../../../src/smtp/server/phases.ts";
import type { Taker } from "../../../src/submit/smtp/connection.ts";
import {
  createSmtpCount,
  openSmtpListener,
  secureContextOf,
  type Served,
  type SmtpClient,
  type SmtpListener,
  type SmtpListenerDeps,
} from "../../../src/submit/smtp/listener.ts";
import { until } from "../../fixtures/until.ts";

const certificate = selfSigned({
  hostname: "localhost",
  notBefore: new Date(Date.now() - 86_400_000),
  notAfter: new Date(Date.now() + 86_400_000),
});
const secureContext = secureContextOf(Buffer.from(certificate.cert), Buffer.from(certificate.key));

const listeners: SmtpListener[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const listener of listeners.splice(0)) await listener.stopNow();
});

async function open(change: Partial<SmtpListenerDeps> = {}, serve: Partial<Served> = {}) {
  const refusals: string[] = [];
  const texts: string[] = [];
  const clients: SmtpClient[] = [];
  const take = (): Taker => {
    let text = "";
    return {
      async write(bytes) {
        text += Buffer.from(bytes).toString("latin1");
      },
      async end() {
        texts.push(text);
        return { got: "yes", value: "id" };
      },
      async discard() {},
    };
  };
  const count = createSmtpCount();
  const listener = await openSmtpListener({
    clock: systemClock,
    at: { host: "127.0.0.1", port: 0 },
    implicitTls: false,
    limits: { connections: 4, connectionsPerAddress: 3 },
    count,
    serve(client) {
      clients.push(client);
      return {
        desk: {
          login: () => ({ got: "yes", value: "" }),
          sender: (value) => ({ got: "yes", value }),
          recipient: (value) => ({ got: "yes", value }),
          take,
        },
        timeouts: serverTimeouts,
        secureContext,
        heard: true,
        refused: (reason) => void refusals.push(reason),
        failed(error) {
          throw error;
        },
        options: { hostname: "mx.example", limits: serverLimits },
        ...serve,
      };
    },
    ...change,
  });
  listeners.push(listener);
  return { listener, refusals, texts, clients, count };
}

interface Heard {
  readonly socket: Socket;
  text: string;
  closed: boolean;
}

function hear(socket: Socket): Heard {
  sockets.push(socket);
  const heard: Heard = { socket, text: "", closed: false };
  socket.on("data", (chunk: Buffer) => (heard.text += chunk.toString()));
  socket.on("error", () => socket.destroy());
  socket.on("close", () => (heard.closed = true));
  return heard;
}

const plain = (port: number): Heard => hear(connectPlain(port, "127.0.0.1"));
const secure = (port: number): Heard =>
  hear(connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false }));
const says = (heard: Heard, text: string) => until(text, () => heard.text.includes(text));

const LETTER = "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nHello\r\n.\r\nQUIT\r\n";
const LOGIN = "EHLO me\r\nAUTH PLAIN AHUAa2V5\r\n";

describe("connections are bounded:", () => {
  test("from one address, and those that end make room", async () => {
    const { listener, refusals, count } = await open();
    const held = [1, 2, 3].map(() => plain(listener.port));
    for (const one of held) await says(one, "220 ");
    const fourth = plain(listener.port);
    await says(fourth, "421 4.7.0 Too many connections");
    await until("it is closed", () => fourth.closed);
    expect(refusals).toEqual(["smtp_connections"]);
    held[0]?.socket.destroy();
    await until("there is room", () => count.all === 2);
    await says(plain(listener.port), "220 ");
    for (const one of held) one.socket.destroy();
  });
  test("over all listeners", async () => {
    const first = await open({ limits: { connections: 1, connectionsPerAddress: 9 } });
    const limits = { connections: 1, connectionsPerAddress: 9 };
    const second = await open({ limits, count: first.count });
    await says(plain(first.listener.port), "220 ");
    await says(plain(second.listener.port), "421 4.7.0");
  });
  test("what ends is forgotten", async () => {
    const { listener, count } = await open();
    const one = plain(listener.port);
    await says(one, "220 ");
    one.socket.write("QUIT\r\n");
    await until("it is closed", () => one.closed && count.all === 0);
    expect(count.byAddress.size).toBe(0);
  });
});

test("an address that is not to be heard hears nothing but that", async () => {
  const { listener, refusals } = await open({}, { heard: false });
  await says(plain(listener.port), "554 5.7.1");
  expect(refusals).toEqual(["client_not_allowed"]);
});

test("a client of this host is known as one", async () => {
  const { listener, clients } = await open();
  await says(plain(listener.port), "220 ");
  expect(clients).toEqual([{ address: "127.0.0.1", isLocal: true }]);
});

describe("TLS:", () => {
  test("from the first octet", async () => {
    const { listener, texts } = await open({ implicitTls: true });
    const client = secure(listener.port);
    await says(client, "220 ");
    client.socket.write(`${LOGIN}${LETTER}`);
    await says(client, "221 ");
    expect(client.text).not.toContain("STARTTLS");
    expect(texts).toEqual(["Hello\r\n"]);
    await until("it is closed", () => client.closed);
  });
  test("clear text where TLS is spoken ends the connection without a word", async () => {
    const { listener, count } = await open({ implicitTls: true });
    const client = plain(listener.port);
    client.socket.write("EHLO me\r\n");
    await until("it is closed", () => client.closed && count.all === 0);
    // An alert of TLS may come, but nothing of SMTP.
    expect(client.text).not.toMatch(/\d{3}/);
  });
  test("a handshake that is not finished is given up", async () => {
    const timeouts = { ...serverTimeouts, tls: 20 };
    const { listener, count } = await open({ implicitTls: true }, { timeouts });
    const client = plain(listener.port);
    await until("it is closed", () => client.closed && count.all === 0);
  });
  test("by STARTTLS, and clear text behind it is no command", async () => {
    const { listener, texts } = await open();
    const client = plain(listener.port);
    client.socket.write("EHLO me\r\nSTARTTLS\r\n");
    await says(client, "220 2.0.0");
    client.socket.write(`${LOGIN}${LETTER}`);
    await until("it is closed", () => client.closed);
    expect(texts).toEqual([]);
    expect(client.text.split("Go ahead\r\n")[1]).not.toMatch(/\d{3}/);
  });
});

test("a client that only listens at the end hears all its answers", async () => {
  const { listener, texts } = await open();
  const client = plain(listener.port);
  client.socket.end(`${LOGIN}${LETTER.replace("QUIT\r\n", "")}`);
  await until("it is closed", () => client.closed);
  expect(client.text).toEndWith("250 2.0.0 Ok: queued as id\r\n");
  expect(texts).toEqual(["Hello\r\n"]);
});

test("who keeps sending behind our last word still reads it", async () => {
  const { listener } = await open();
  const client = plain(listener.port);
  await says(client, "220 ");
  client.socket.write(`NOOP\n${"x".repeat(100_000)}`);
  await says(client, "500 5.5.2");
  client.socket.write("x".repeat(100_000));
  client.socket.end();
  await until("it is closed", () => client.closed);
});
