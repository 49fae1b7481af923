// The guarded client against web servers of every kind, on loopback.
import { afterEach, describe, expect, test } from "bun:test";
import { createServer as createHttp, type RequestListener } from "node:http";
import { createServer as createHttps } from "node:https";
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from "node:net";
import { createSecureContext } from "node:tls";
import { parseCidrList } from "../../src/base/cidr.ts";
import { systemClock } from "../../src/base/clock.ts";
import { createWebClient, type Resolved, type WebClient } from "../../src/web/client.ts";
import { makeCertificate } from "../fixtures/certificates.ts";

const root = makeCertificate({ name: "Laboratory", isAuthority: true });
const mine = makeCertificate({ name: "web", names: ["hooks.test"], issuer: root });

const servers: Server[] = [];
const sockets = new Set<Socket>();
const clients: WebClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  for (const server of servers.splice(0)) await new Promise((done) => server.close(done));
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.on("connection", (socket: Socket) => void sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

const serve = (answer: RequestListener): Promise<number> => listen(createHttp(answer));
const raw = (heard: (socket: Socket) => void): Promise<number> => listen(createTcp(heard));
const serveTls = (answer: RequestListener, { cert, key } = mine): Promise<number> =>
  listen(createHttps({ cert, key }, answer));

interface Change {
  readonly opened?: string;
  readonly names?: Readonly<Record<string, Resolved>>;
  readonly requestsMax?: number;
}

function clientFor({ opened = "127.0.0.0/8", names = {}, requestsMax = 10 }: Change = {}) {
  const ranges = parseCidrList(opened);
  if (ranges.kind !== "parsed") throw new Error("no ranges");
  const asked: string[] = [];
  const client = createWebClient({
    clock: systemClock,
    context: () => createSecureContext({ ca: [root.cert] }),
    opened: () => ranges.value,
    requestsMax,
    resolve: (host) => {
      asked.push(host);
      return Promise.resolve(names[host] ?? { kind: "none", why: "the name does not exist" });
    },
  });
  clients.push(client);
  return { client, asked };
}

const at = (...addresses: string[]): Resolved => ({ kind: "found", addresses });
const body = Buffer.from('{"a":1}');
const post = (client: WebClient, url: string, timeoutMs = 5000) =>
  client.post({ url, body, timeoutMs, keepBytes: 64, bodyMs: 5000 });

test("a body is posted, and as much of the answer kept as was wanted", async () => {
  const port = await serve((request, response) => {
    let text = "";
    request.on("data", (piece: Buffer) => void (text += piece.toString()));
    request.on("end", () => {
      response.writeHead(201, { "X-Heard": request.headers["x-say"] ?? "" });
      response.end(`${request.method} ${request.url} ${text} ${"x".repeat(100_000)}`);
    });
  });
  const { client, asked } = clientFor();
  const url = `http://127.0.0.1:${port}/in?a=b`;
  const headers = { "X-Say": "hello" };
  const reply = await client.post({
    url,
    headers,
    body,
    timeoutMs: 5000,
    keepBytes: 20,
    bodyMs: 5000,
  });
  if (reply.kind !== "reply") throw new Error(reply.text);
  expect(reply.status).toBe(201);
  expect(reply.headers.get("x-heard")).toBe("hello");
  expect(Buffer.from(reply.body).toString()).toBe('POST /in?a=b {"a":1}');
  expect(asked).toEqual([]);
});

test("connections are kept, and one that the server closed meanwhile is replaced", async () => {
  let connections = 0;
  const port = await serve((_, response) => void response.end("ok"));
  servers[0]?.on("connection", () => connections++);
  const { client } = clientFor();
  const url = `http://127.0.0.1:${port}/`;
  for (let i = 0; i < 3; i++) expect(await post(client, url)).toMatchObject({ status: 200 });
  expect(connections).toBe(1);
  expect(client.open()).toEqual({ requests: 0, idle: 1 });
  for (const socket of sockets) socket.destroy();
  expect(await post(client, url)).toMatchObject({ status: 200 });
  expect(connections).toBe(2);
});

test("a closed address is not connected to, whatever name leads to it", async () => {
  let connections = 0;
  const port = await raw((socket) => {
    connections++;
    socket.end();
  });
  const names = { "inner.test": at("127.0.0.1"), "mapped.test": at("::ffff:127.0.0.1") };
  const { client } = clientFor({ opened: "none", names });
  for (const host of ["127.0.0.1", "[::ffff:127.0.0.1]", "inner.test", "mapped.test", "2130706433"])
    for (const scheme of ["http", "https"])
      expect(await post(client, `${scheme}://${host}:${port}/`)).toMatchObject({
        kind: "failed",
        why: "forbidden",
      });
  expect(connections).toBe(0);
});

test("the address that was checked is the one that is used, however the name moves", async () => {
  const port = await serve((_, response) => void response.end("ok"));
  const ranges = parseCidrList("127.0.0.1");
  if (ranges.kind !== "parsed") throw new Error("no ranges");
  let asked = 0;
  const client = createWebClient({
    clock: systemClock,
    context: () => createSecureContext({}),
    opened: () => ranges.value,
    resolve: () => Promise.resolve(asked++ === 0 ? at("127.0.0.1") : at("127.0.0.2")),
  });
  clients.push(client);
  const url = `http://rebind.test:${port}/`;
  expect(await post(client, url)).toMatchObject({ status: 200, address: "127.0.0.1" });
  expect(asked).toBe(1);
  // As long as the connection lasts nobody asks; then the new address is judged anew.
  expect(await post(client, url)).toMatchObject({ status: 200, address: "127.0.0.1" });
  expect(asked).toBe(1);
  for (const socket of sockets) socket.destroy();
  expect(await post(client, url)).toMatchObject({ kind: "failed", why: "forbidden" });
  expect(asked).toBe(2);
});

test("the next address is tried when one does not answer, and a closed one among them is left out", async () => {
  const port = await serve((_, response) => void response.end("ok"));
  const names = { "two.test": at("10.0.0.1", "127.0.0.9", "127.0.0.1") };
  const { client } = clientFor({ names });
  const reply = await post(client, `http://two.test:${port}/`);
  expect(reply).toMatchObject({ status: 200, address: "127.0.0.1" });
});

describe("the server must prove its name:", () => {
  const ok: RequestListener = (_, response) => void response.end("ok");
  test("one that does is spoken to", async () => {
    const { client } = clientFor({ names: { "hooks.test": at("127.0.0.1") } });
    const port = await serveTls(ok);
    expect(await post(client, `https://hooks.test:${port}/`)).toMatchObject({ status: 200 });
    expect(await post(client, `https://hooks.test:${port}/`)).toMatchObject({ status: 200 });
    expect(client.open().idle).toBe(1);
  });
  test("another name is refused", async () => {
    const { client } = clientFor({ names: { "other.test": at("127.0.0.1") } });
    const port = await serveTls(ok);
    expect(await post(client, `https://other.test:${port}/`)).toMatchObject({
      why: "tls",
      text: "the certificate does not name other.test.",
    });
    expect(await post(client, `https://127.0.0.1:${port}/`)).toMatchObject({ why: "tls" });
  });
  test("an unknown authority is refused", async () => {
    const { client } = clientFor({ names: { "hooks.test": at("127.0.0.1") } });
    const port = await serveTls(ok, makeCertificate({ name: "web", names: ["hooks.test"] }));
    expect(await post(client, `https://hooks.test:${port}/`)).toMatchObject({ why: "tls" });
  });
});

test("a redirect is an answer like any other and is not followed", async () => {
  let requests = 0;
  const port = await serve((_, response) => {
    requests++;
    response.writeHead(302, { Location: `http://127.0.0.1:${port}/again` });
    response.end();
  });
  const { client } = clientFor();
  expect(await post(client, `http://127.0.0.1:${port}/`)).toMatchObject({ status: 302 });
  expect(requests).toBe(1);
});

test("one that never answers, or drips without end, is given up in time", async () => {
  const silent = await raw(() => {});
  const dripping = await raw((socket) => {
    socket.on("error", () => {});
    socket.write("HTTP/1.1 200 OK\r\nX-Long: ");
    const timer = setInterval(() => socket.write("x"), 5);
    socket.on("close", () => clearInterval(timer));
  });
  const { client } = clientFor();
  for (const port of [silent, dripping])
    expect(await post(client, `http://127.0.0.1:${port}/`, 60)).toMatchObject({ why: "timeout" });
  const never = createWebClient({
    clock: systemClock,
    context: () => createSecureContext({}),
    opened: () => [],
    resolve: () => new Promise(() => {}),
  });
  clients.push(never);
  const stuck = await post(never, "https://a.test/", 20);
  expect(stuck).toMatchObject({ kind: "failed", why: "timeout" });
});

test("once the status is there the rest of the reply is not waited for long", async () => {
  const port = await raw((socket) => {
    socket.on("error", () => {});
    socket.write("HTTP/1.1 202 Accepted\r\nContent-Length: 40\r\n\r\nthat much");
  });
  const { client } = clientFor();
  const url = `http://127.0.0.1:${port}/`;
  const reply = await client.post({ url, body, timeoutMs: 30_000, keepBytes: 64, bodyMs: 20 });
  if (reply.kind !== "reply") throw new Error(reply.text);
  expect([reply.status, Buffer.from(reply.body).toString()]).toEqual([202, "that much"]);
  expect(client.open()).toEqual({ requests: 0, idle: 0 });
});

const OK = "HTTP/1.1 200 OK\r\n";
for (const [what, said, ends] of [
  ["is cut off", `${OK}Content-Length: 40\r\n\r\nshort`, true],
  ["is cut off before it began", `${OK}Transfer-Encoding: chunked\r\n\r\n`, true],
  ["has a broken chunk", `${OK}Transfer-Encoding: chunked\r\n\r\nnine\r\n`, false],
  ["lasts longer than the request may", `${OK}Content-Length: 40\r\n\r\n`, false],
] as const)
  test(`the status stands where the body ${what}`, async () => {
    const port = await raw((socket) => {
      socket.on("error", () => {});
      if (ends) socket.end(said);
      else socket.write(said);
    });
    const { client } = clientFor();
    const reply = await post(client, `http://127.0.0.1:${port}/`, 200);
    expect(reply).toMatchObject({ kind: "reply", status: 200 });
    expect(client.open()).toEqual({ requests: 0, idle: 0 });
  });

test("a name without an address, a port without a server, and what is no HTTP fail each in its way", async () => {
  const port = await raw((socket) => {
    socket.on("error", () => {});
    socket.end("220 mail.test ESMTP\r\n\r\n");
  });
  const { client } = clientFor();
  expect(await post(client, "https://no.test/")).toMatchObject({ why: "resolve" });
  expect(await post(client, "http://127.0.0.1:1/")).toMatchObject({ why: "connect" });
  expect(await post(client, `http://127.0.0.1:${port}/`)).toMatchObject({ why: "protocol" });
  expect(await post(client, "ftp://127.0.0.1/")).toMatchObject({ why: "invalid" });
});

test("beyond the number of requests at once one is refused, and a closed client gives up what is open", async () => {
  const port = await raw(() => {});
  const { client } = clientFor({ requestsMax: 1 });
  const first = post(client, `http://127.0.0.1:${port}/`);
  expect(await post(client, `http://127.0.0.1:${port}/`)).toMatchObject({ why: "busy" });
  client.close();
  expect(await first).toMatchObject({ why: "aborted" });
});

describe("what is fetched:", () => {
  const fetched = async (client: WebClient, url: string, bytesMax: number) => {
    let bytes = 0;
    const reply = await client.get({
      url,
      timeoutMs: 5000,
      bytesMax,
      async take(piece) {
        await Promise.resolve();
        bytes += piece.length;
      },
    });
    return { reply, bytes };
  };
  const big = Buffer.alloc(3_000_000, "x");
  test("is handed on in pieces, no faster than they are taken", async () => {
    const port = await serve((_, response) => void response.end(big));
    const { client } = clientFor();
    const { reply, bytes } = await fetched(client, `http://127.0.0.1:${port}/`, big.length);
    expect(reply).toMatchObject({ kind: "reply", status: 200 });
    expect(bytes).toBe(big.length);
    expect(client.open().idle).toBe(1);
  });
  test("is cut at its limit, announced or not", async () => {
    const port = await serve((request, response) => {
      if (request.url === "/chunked") response.write(big.subarray(0, 10));
      response.end(big);
    });
    const { client } = clientFor();
    const announced = await fetched(client, `http://127.0.0.1:${port}/`, 1000);
    expect(announced).toMatchObject({ reply: { why: "too_large" }, bytes: 0 });
    const endless = await fetched(client, `http://127.0.0.1:${port}/chunked`, 1000);
    expect(endless.reply).toMatchObject({ why: "too_large" });
    expect(endless.bytes).toBeLessThanOrEqual(1000);
  });
  test("is not taken when it is an error's page", async () => {
    const port = await serve((_, response) => void response.writeHead(404).end(big));
    const { client } = clientFor();
    const { reply, bytes } = await fetched(client, `http://127.0.0.1:${port}/`, big.length);
    expect({ reply, bytes }).toMatchObject({ reply: { status: 404 }, bytes: 0 });
  });
});
