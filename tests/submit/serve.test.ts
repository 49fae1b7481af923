// The door on real sockets, spoken to byte by byte: what clients that are slow, wrong or gone can do, and what they cannot.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import { type Socket, connect } from "node:net";
import { join } from "node:path";
import type { AcceptAnswer } from "../../src/mail/submission.ts";
import { owner as everything } from "../../src/submit/caller.ts";
import { type Listener, serveLocal, serveTcp } from "../../src/submit/serve.ts";
import { makeCertificate } from "../fixtures/certificates.ts";
import { type Fixture, KEY, createFixture, message } from "./doorFixture.ts";

let fixture: Fixture;
let listener: Listener;

function start(made: Fixture): void {
  fixture = made;
  listener = serveTcp(fixture.door, { hostname: "127.0.0.1", port: 0 });
}
beforeEach(() => start(createFixture()));
afterEach(async () => {
  await listener.stopNow();
  fixture.close();
});

interface Client {
  readonly socket: Socket;
  /** Everything received so far. */
  text(): string;
  /** Resolves once `found` is true of what was received, or the server has closed the connection. */
  until(found: (text: string) => boolean): Promise<string>;
}

function client(): Promise<Client> {
  const socket = connect(listener.port, "127.0.0.1");
  let text = "";
  let ended = false;
  let wake = (): void => {};
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
    wake();
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    ended = true;
    wake();
  });
  const until = async (found: (text: string) => boolean): Promise<string> => {
    while (!ended && !found(text)) await new Promise<void>((resolve) => (wake = resolve));
    return text;
  };
  return new Promise((resolve) =>
    socket.on("connect", () => resolve({ socket, text: () => text, until })),
  );
}

const body = JSON.stringify(message);
const head = (fields: string): string =>
  `POST /send HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\n` +
  `Content-Type: application/json\r\n${fields}\r\n`;
const whole = head(`Content-Length: ${body.length}\r\n`) + body;
const answered = (text: string): boolean => text.includes('"warnings":[]}');
const refused = (text: string): boolean => text.includes('"statusCode":');

test("a body that comes byte by byte is taken", async () => {
  const { socket, until } = await client();
  socket.setNoDelay(true);
  for (const char of whole) {
    socket.write(char);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await until(answered)).toStartWith("HTTP/1.1 202 ");
  socket.destroy();
});

test("HEAD says how long the body of GET is", async () => {
  const { socket, until } = await client();
  const ask = (method: string, path: string): void =>
    void socket.write(
      `${method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\n\r\n`,
    );
  let before = 0;
  for (const path of ["/livez", "/openapi.json", "/nothing", "/metrics", "/events?limit=0"]) {
    const seen = async (end: string) =>
      (await until((all) => all.includes(end, before))).slice(before);
    ask("HEAD", path);
    const length = Number(/^content-length: (\d+)\r$/im.exec(await seen("\r\n\r\n"))?.[1]);
    before += (await seen("\r\n\r\n")).length;
    const all = await (
      await fetch(`${listener.url}${path}`, { headers: { authorization: `Bearer ${KEY}` } })
    ).bytes();
    expect([path, length]).toEqual([path, all.length]);
    expect(length).toBeGreaterThan(0);
  }
  socket.destroy();
});

test("requests that come in one piece are answered in order", async () => {
  const { socket, until } = await client();
  socket.write(whole + whole.replace("Your order", "My orders!") + whole);
  const text = await until((seen) => seen.split("HTTP/1.1 202").length === 4 && answered(seen));
  expect(text.split("HTTP/1.1 202")).toHaveLength(4);
  expect(fixture.taken.map(({ head }) => head.facts.includes("My orders!"))).toEqual([
    false,
    true,
    false,
  ]);
  socket.destroy();
});

test("a chunked body is taken, and one beyond the limit is refused while it comes", async () => {
  const one = await client();
  one.socket.write(
    `${head("Transfer-Encoding: chunked\r\n")}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
  );
  expect(await one.until(answered)).toStartWith("HTTP/1.1 202 ");
  one.socket.destroy();

  const two = await client();
  two.socket.write(head("Transfer-Encoding: chunked\r\n"));
  const chunk = Buffer.from(`100000\r\n${" ".repeat(0x100000)}\r\n`);
  let sent = 0;
  const pump = (): void => {
    while (sent++ < 45 && two.socket.write(chunk));
    if (sent < 45) two.socket.once("drain", pump);
  };
  pump();
  expect(await two.until(refused)).toStartWith("HTTP/1.1 413 ");
  two.socket.destroy();
});

describe("lengths that lie", () => {
  test("too long a length: nothing is taken when the client goes", async () => {
    const { socket } = await client();
    socket.end(head(`Content-Length: ${body.length + 10}\r\n`) + body);
    await new Promise((resolve) => socket.on("close", resolve));
    expect(fixture.calls).toEqual([]);
  });

  test("too short a length: the body is cut off and refused", async () => {
    const { socket, until } = await client();
    socket.write(head(`Content-Length: ${body.length - 5}\r\n`) + body);
    expect(await until(refused)).toStartWith("HTTP/1.1 400 ");
    socket.destroy();
    expect(fixture.calls).toEqual([]);
  });

  test.each([41_000_000, 60_000_000, 50_000_000_000])(
    "a length of %d is refused with both numbers before anything of it is sent",
    async (length) => {
      const { socket, until } = await client();
      socket.write(head(`Content-Length: ${length}\r\n`));
      const text = await until(refused);
      expect(text).toStartWith("HTTP/1.1 413 ");
      expect(text).toContain(`${length} bytes; the limit is 40000000 bytes`);
      socket.destroy();
    },
  );

  test.each([
    ["two lengths", `Content-Length: ${body.length}\r\nContent-Length: 5\r\n`],
    ["a negative length", "Content-Length: -5\r\n"],
    ["a length that is no number", "Content-Length: 5x\r\n"],
    ["a length and chunks", `Content-Length: 5\r\nTransfer-Encoding: chunked\r\n`],
  ])("%s is refused", async (_what, fields) => {
    const { socket, until } = await client();
    socket.write(head(fields) + body);
    expect(await until((text) => text.includes("\r\n\r\n"))).not.toStartWith("HTTP/1.1 2");
    socket.destroy();
    expect(fixture.calls).toEqual([]);
  });
});

test.each([
  ["bytes that are no HTTP", Buffer.from([0, 1, 2, 3, 255, 254, 13, 10, 13, 10])],
  ["a TLS hello", Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 13, 10, 13, 10])],
  ["10 MB of HTTP headers", Buffer.from(head(`X-A: ${"y".repeat(10_000_000)}\r\n`))],
])("%s end the connection and not the door", async (_what, bytes) => {
  const bad = await client();
  bad.socket.write(bytes);
  await bad.until((text) => text.includes("\r\n\r\n"));
  expect(bad.text()).not.toStartWith("HTTP/1.1 2");
  bad.socket.destroy();
  const good = await client();
  good.socket.write(whole);
  expect(await good.until(answered)).toStartWith("HTTP/1.1 202 ");
  good.socket.destroy();
});

test("a client that is gone before its answer cancels nothing", async () => {
  await listener.stopNow();
  fixture.close();
  let settle: (answer: AcceptAnswer) => void = () => {};
  const asked = new Promise<void>((resolve) =>
    start(
      createFixture({
        accept: () => {
          resolve();
          return new Promise((said) => (settle = said));
        },
      }),
    ),
  );
  const { socket } = await client();
  socket.write(whole);
  await asked;
  socket.destroy();
  await new Promise((resolve) => socket.on("close", resolve));
  settle({ kind: "accepted" });
  await listener.stop();
  expect(fixture.meter.drain()).toContainEqual({
    kind: "counter",
    name: "postrider_messages_accepted_total",
    labels: { door: "http" },
    delta: 1,
  });
});

test("the owner's socket is theirs alone, and a stale file is replaced", async () => {
  const path = join(fixture.spoolFolder, "control.sock");
  const socket = { path, caller: everything, mode: 0o600 };
  const first = serveLocal(fixture.door, socket);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await first.stopNow();
  await Bun.write(path, "stale");
  const second = serveLocal(fixture.door, socket);
  const response = await fetch("http://localhost/send", { unix: path, method: "POST", body });
  expect(response.status).toBe(202);
  await second.stopNow();
});

test("an address that is served already is an error, not shared", () => {
  const at = { hostname: "127.0.0.1", port: listener.port };
  expect(() => serveTcp(fixture.door, at)).toThrow(/in use/);
});

test("what is wrong at the address of the hot road is refused as elsewhere", async () => {
  const other = await fetch(`${listener.url}/send`);
  expect([other.status, other.headers.get("allow")]).toEqual([405, "POST"]);
  const denied = await fetch(`${listener.url}/send`, { method: "POST", body: "{}" });
  const { name } = (await denied.json()) as { name: string };
  expect([denied.status, name]).toEqual([401, "missing_api_key"]);
});

test("a port that another listener has is taken, with HTTPS as without", async () => {
  const tls = makeCertificate({ name: "one.test" });
  const at = { hostname: "127.0.0.1", port: 0 };
  const secure = serveTcp(fixture.door, { ...at, tls });
  try {
    for (const { port } of [listener, secure])
      for (const again of [{}, { tls }])
        expect(() => serveTcp(fixture.door, { ...at, port, ...again })).toThrow("in use");
  } finally {
    await secure.stopNow();
  }
});
