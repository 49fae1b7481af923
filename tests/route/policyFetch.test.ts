// The guarded connector of MTA-STS against web servers of every kind: one GET, to an allowed address, to a server that proves its name.
import { afterEach, expect, test } from "bun:test";
import { createServer, type Server as HttpsServer, type ServerOptions } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import {
  createServer as createTcpServer,
  type AddressInfo,
  type Server,
  type Socket,
} from "node:net";
import { hostOnlyRanges } from "../../src/base/cidr.ts";
import { systemClock } from "../../src/base/clock.ts";
import { createPolicyFetch } from "../../src/route/policyFetch.ts";
import { createTrust } from "../../src/route/trust.ts";
import { makeCertificate, type Made } from "../fixtures/certificates.ts";
import { zoneLookup, type Zone } from "./zone.ts";

const DAY_MS = 86_400_000;
const root = makeCertificate({ name: "Laboratory", isAuthority: true });
const of = (
  names: readonly string[],
  change: { notAfter?: number; notBefore?: number; issuer?: Made } = {},
): Made => makeCertificate({ name: "web", names, issuer: root, ...change });
const web = of(["mta-sts.a.test"]);
const text = "version: STSv1\nmode: enforce\nmx: mx.a.test\nmax_age: 86400\n";

const servers: (Server | HttpsServer)[] = [];
const sockets = new Set<Socket>();
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  for (const server of servers.splice(0)) {
    await new Promise((resolve) => server.close(resolve));
  }
});

async function listen(server: Server | HttpsServer): Promise<number> {
  servers.push(server);
  server.on("connection", (socket: Socket) => void sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const good: Answer = (request, response) => {
  const isIt = request.url === "/.well-known/mta-sts.txt" && request.method === "GET";
  response.writeHead(isIt ? 200 : 404, { "Content-Type": "text/plain" });
  response.end(text);
};

function serve(answer: Answer, certificate: ServerOptions = web): Promise<number> {
  const { cert, key } = certificate;
  return listen(createServer({ cert: cert as string, key: key as string }, answer));
}

interface Change {
  readonly zone?: Zone;
  readonly deny?: typeof hostOnlyRanges;
  readonly ca?: readonly string[];
  readonly deadlineMs?: number;
}

function fetchFrom(port: number, change: Change = {}) {
  const { zone = { "A mta-sts.a.test": ["127.0.0.1"] }, deny = [], ca = [root.cert] } = change;
  const fetch = createPolicyFetch({
    clock: systemClock,
    lookup: zoneLookup(systemClock, zone).lookup,
    deny: () => deny,
    context: createTrust(ca).context,
    port: () => port,
    ...(change.deadlineMs === undefined ? {} : { deadlineMs: change.deadlineMs }),
  });
  return fetch("a.test");
}

test("a policy is fetched from the server that proves its name", async () => {
  let host: string | undefined;
  const port = await serve((request, response) => {
    host = request.headers.host;
    good(request, response);
  });
  expect(await fetchFrom(port)).toEqual({ kind: "text", text });
  expect(host).toBe("mta-sts.a.test");
});

const failure = (why: string) => ({ kind: "failed", why: expect.stringContaining(why) });

test("a certificate that proves nothing ends it before a word is said", async () => {
  const expired = { notAfter: Date.now() - DAY_MS, notBefore: Date.now() - 2 * DAY_MS };
  const stranger = makeCertificate({ name: "Stranger", isAuthority: true });
  const cases: readonly (readonly [Made, string])[] = [
    [of(["mta-sts.a.test"], expired), "CERT_HAS_EXPIRED"],
    [of(["mta-sts.b.test"]), "does not name mta-sts.a.test"],
    [of(["a.test", "*.a.test.b.test"]), "does not name"],
    [makeCertificate({ name: "mta-sts.a.test", issuer: root }), "does not name"],
    [of(["mta-sts.a.test"], { issuer: stranger }), "proves nothing"],
    [makeCertificate({ name: "mta-sts.a.test", names: ["mta-sts.a.test"] }), "proves nothing"],
  ];
  let requests = 0;
  for (const [certificate, why] of cases) {
    const port = await serve((request, response) => {
      requests++;
      good(request, response);
    }, certificate);
    expect(await fetchFrom(port)).toMatchObject(failure(why));
  }
  expect(requests).toBe(0);
  const port = await serve(good);
  expect(await fetchFrom(port, { ca: [] })).toMatchObject(failure("proves nothing"));
});

test("a redirect, another status, a page and an endless body are no policy", async () => {
  let elsewhere = 0;
  const other = await serve((request, response) => {
    elsewhere++;
    good(request, response);
  });
  const head = (status: number, headers: Record<string, string>, body = text): Answer => {
    return (_, response) => {
      response.writeHead(status, headers);
      response.end(body);
    };
  };
  const plain = { "Content-Type": "text/plain" };
  const location = `https://mta-sts.a.test:${other}/.well-known/mta-sts.txt`;
  const cases: readonly (readonly [Answer, string])[] = [
    [head(301, { ...plain, Location: location }), "status 301"],
    [head(404, plain), "status 404"],
    [head(500, plain), "status 500"],
    [head(200, { "Content-Type": "text/html" }), "text/plain"],
    [head(200, plain, "x".repeat(70_000)), "more than 65536 bytes"],
    [
      (_, response) => {
        response.writeHead(200, plain);
        const more = (): void => void (response.write("x".repeat(10_000)) ? setImmediate(more) : 0);
        response.on("drain", more);
        more();
      },
      "more than 65536 bytes",
    ],
  ];
  for (const [answer, why] of cases)
    expect(await fetchFrom(await serve(answer))).toMatchObject(failure(why));
  expect(elsewhere).toBe(0);
});

test("a server that goes silent, or drips, is left at the deadline", async () => {
  const silent = await listen(createTcpServer(() => {}));
  expect(await fetchFrom(silent, { deadlineMs: 50 })).toMatchObject(failure("in time"));
  const drip = await serve((_, response) => {
    response.writeHead(200, { "Content-Type": "text/plain" });
    response.write("v");
  });
  expect(await fetchFrom(drip, { deadlineMs: 200 })).toMatchObject(failure("in time"));
});

test("no denied address is called, and one that is silent gives way to the next", async () => {
  const port = await serve(good);
  const zone = { "A mta-sts.a.test": ["127.0.0.1"] };
  const denied = await fetchFrom(port, { zone, deny: hostOnlyRanges });
  expect(denied).toMatchObject(failure("deny_destinations forbids 127.0.0.1"));
  expect(await fetchFrom(port, { zone: {} })).toMatchObject(failure("no address"));
  // Nothing listens at the first of them.
  const two = { "AAAA mta-sts.a.test": ["::1"], "A mta-sts.a.test": ["127.0.0.1"] };
  expect(await fetchFrom(port, { zone: two })).toMatchObject({ kind: "text" });
});

test("a server that speaks no TLS is no policy server", async () => {
  const port = await listen(
    createTcpServer((socket) => void socket.end("HTTP/1.1 200 OK\r\n\r\n")),
  );
  expect((await fetchFrom(port)).kind).toBe("failed");
});
