// Logging in to a server that we did not write (the package smtp-server), over STARTTLS, with each mechanism that it has.
import { afterEach, expect, test } from "bun:test";
import type { AddressInfo } from "node:net";
import { SMTPServer } from "smtp-server";
import { systemClock } from "../../src/base/clock.ts";
import { noLog } from "../../src/base/log.ts";
import { createMeter } from "../../src/base/meter.ts";
import { systemRandom } from "../../src/base/random.ts";
import { createSender, type Sender } from "../../src/deliver/sender.ts";
import { deliverDefaults } from "../../src/deliver/settings.ts";
import { createSocketConnect } from "../../src/deliver/socket.ts";
import { boundsOf } from "../../src/mail/metrics.ts";
import type { Verdict } from "../../src/mail/verdict.ts";
import { attemptOrder } from "../../src/route/order.ts";
import type { RelayLogin } from "../../src/route/route.ts";
import { fakeCertificate, fakeKey } from "./fakeCertificate.ts";
import { jobOf, message, once, stepOf } from "./rig.ts";

const user = "söndra@example.com";
const pass = "geheim=,ß";

interface Seen {
  readonly methods: string[];
  readonly secure: boolean[];
}

let server: SMTPServer | undefined;
let sender: Sender | undefined;
afterEach(async () => {
  await sender?.stop(0);
  await new Promise<void>((done) => (server === undefined ? done() : server.close(() => done())));
});

async function startServer(authMethods: string[]): Promise<{ port: number; seen: Seen }> {
  const seen: Seen = { methods: [], secure: [] };
  const made = new SMTPServer({
    authMethods,
    cert: fakeCertificate,
    key: fakeKey,
    logger: false,
    onAuth(auth, session, answer) {
      seen.methods.push(auth.method);
      seen.secure.push(session.secure);
      const right =
        auth.method === "XOAUTH2"
          ? auth.accessToken === pass
          : auth.method === "CRAM-MD5"
            ? auth.validatePassword(pass)
            : auth.password === pass;
      if (right && auth.username === user) return answer(null, { user });
      if (auth.method === "XOAUTH2") return answer(null, { data: { status: "401" } });
      answer(new Error("no"));
    },
    onData(stream, _, taken) {
      stream.on("end", () => taken(null)).resume();
    },
  });
  server = made;
  await new Promise<void>((ready) => made.listen(0, "127.0.0.1", ready));
  return { port: (made.server.address() as AddressInfo).port, seen };
}

async function send(port: number, login: RelayLogin): Promise<Verdict> {
  const { promise, resolve } = Promise.withResolvers<Verdict>();
  const made = createSender({
    clock: systemClock,
    random: systemRandom,
    connect: createSocketConnect({ clock: systemClock }),
    meter: createMeter(boundsOf),
    log: noLog,
    settings: { ...deliverDefaults, rounds: once },
    verdict: resolve,
    readSpool: () => {
      throw new Error("nothing is spooled here");
    },
    order: attemptOrder,
  });
  sender = made;
  const hosts = [{ name: "relay.test", preference: 0, addresses: ["127.0.0.1"] }];
  const route = { site: "relay", via: "relay", hosts, port, implicitTls: false, login } as const;
  made.submit(jobOf(1, {}), { ...route, tls: "required" }, message);
  return promise;
}

for (const mechanism of ["PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2"] as const) {
  test(`${mechanism}: the right secret lets mail through, after TLS only`, async () => {
    const { port, seen } = await startServer([mechanism]);
    const verdict = await send(port, { user, pass, mechanism });
    expect(stepOf(verdict)).toMatchObject({ outcome: "delivered", tls: expect.anything() });
    expect(seen).toEqual({ methods: [mechanism], secure: [true] });
  });

  test(`${mechanism}: a wrong secret defers the mail and blames the relay`, async () => {
    const { port } = await startServer([mechanism]);
    const verdict = await send(port, { user, pass: "other", mechanism });
    expect(verdict).toMatchObject({ kind: "deferred", scope: "site" });
    expect(stepOf(verdict)).toMatchObject({ phase: "auth", code: 535 });
  });
}

test("of what is offered the best is taken", async () => {
  const { port, seen } = await startServer(["LOGIN", "CRAM-MD5", "XOAUTH2", "PLAIN"]);
  expect((await send(port, { user, pass })).kind).toBe("delivered");
  expect(seen.methods).toEqual(["PLAIN"]);
});
