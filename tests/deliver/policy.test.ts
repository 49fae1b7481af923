// What a domain asks of the encryption of its mail, against servers that do and do not give it; and what is done where nobody asks.
import { X509Certificate } from "node:crypto";
import { afterEach, describe, expect, test } from "bun:test";
import type { Log } from "../../src/base/log.ts";
import type { Route, RouteHost, TlsDemand, TlsPolicy } from "../../src/route/route.ts";
import { rfcDeadlines } from "../../src/smtp/phases.ts";
import { makeCertificate, tlsaOf } from "../fixtures/certificates.ts";
import { fakeCertificate } from "./fakeCertificate.ts";
import type { Act, FakeMxOptions } from "./fakeMx.ts";
import { createRig, stepOf, type Rig, type RigOptions } from "./rig.ts";

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.end();
  rig = undefined;
});

const offers = ["STARTTLS", "PIPELINING"];
const { raw, publicKey } = new X509Certificate(fakeCertificate);
const shown = { der: raw, spki: publicKey.export({ type: "spki", format: "der" }) };
const stranger = makeCertificate({ name: "stranger" });

/** A route whose one host, called by a name that its certificate has or has not, asks for something. */
function routeWith(tls: TlsPolicy, demand: TlsDemand, name = "mx.example.com"): Partial<Route> {
  const endpoint = { port: 25, tls, implicitTls: false, login: null, demand };
  const host: RouteHost = { name, preference: 0, addresses: ["192.0.2.1"], endpoint };
  return { tls: "opportunistic", hosts: [host] };
}

const dane = (...tlsa: Extract<TlsDemand, { source: "dane" }>["tlsa"]): TlsDemand => ({
  source: "dane",
  tlsa,
  names: ["mx.example.com"],
});

async function deliver(server: FakeMxOptions, options: Omit<RigOptions, "servers">) {
  rig = await createRig({ servers: [server], ...options });
  rig.send();
  const [verdict] = await rig.verdictsOf(1);
  const { sessions } = rig.servers[0]!;
  return { verdict, step: stepOf(verdict), sessions, messages: rig.servers[0]!.messages() };
}

/** Not `host`: what one domain asks for must not slow the others of its site. */
const waits = { kind: "deferred", scope: "recipient", class: "tls" };

describe("DANE", () => {
  test("a record that matches proves a host of any name", async () => {
    const route = routeWith("verify", dane(tlsaOf(shown, 3, 1, 1)), "other.example.com");
    const { step } = await deliver({ offers }, { route });
    expect(step).toMatchObject({ outcome: "delivered", tls: { policy: "dane", verified: true } });
  });

  test("a record that does not match ends the connection before a word is said on it", async () => {
    const route = routeWith("verify", dane(tlsaOf(stranger, 3, 1, 1)));
    const { verdict, step, sessions } = await deliver({ offers }, { route });
    expect(verdict).toMatchObject(waits);
    expect(step.text).toContain("no TLSA record matches");
    expect(sessions.map(({ lines }) => lines)).toEqual([["EHLO us.example.com", "STARTTLS"]]);
  });

  test("records that cannot be used ask for encryption, and for nothing else", async () => {
    const route = routeWith("required", dane(), "other.example.com");
    const { step } = await deliver({ offers }, { route });
    expect(step).toMatchObject({ outcome: "delivered", tls: { policy: "dane", verified: false } });
  });
});

describe("a policy that is not met is never given up for clear text:", () => {
  const servers: readonly (readonly [string, FakeMxOptions])[] = [
    ["no STARTTLS is offered", { offers: ["PIPELINING"] }],
    ["454 to STARTTLS", { offers, script: saying("STARTTLS", "454 4.7.0 not now") }],
    ["the handshake breaks", { offers, handshakes: false }],
    ["TLS 1.1 and nothing newer", { offers, tls: { minVersion: "TLSv1", maxVersion: "TLSv1.1" } }],
    ["more comes behind the 220", { offers, script: injecting }],
  ];
  const demands: readonly (readonly [TlsPolicy, TlsDemand])[] = [
    ["verify", { source: "mta-sts", mode: "enforce" }],
    ["verify", dane(tlsaOf(shown, 3, 1, 1))],
    ["required", dane()],
  ];
  for (const [name, server] of servers)
    test(name, async () => {
      for (const [tls, demand] of demands) {
        const { verdict, messages } = await deliver(server, { route: routeWith(tls, demand) });
        expect(verdict).toMatchObject(waits);
        expect(messages).toEqual([]);
        await rig?.end();
      }
      const { step, messages } = await deliver(server, { route: { tls: "opportunistic" } });
      expect([step.outcome, step.tls, messages.length]).toEqual(["delivered", null, 1]);
    });
});

function saying(verb: string, act: Act): (said: string) => Act {
  return (said) => (said === verb ? act : undefined);
}

/** An attacker's words, put behind the server's (RFC 3207 6, CVE-2021-22947). */
function injecting(verb: string): Act {
  return verb === "STARTTLS"
    ? { raw: "220 go ahead\r\n250-mx.example.com\r\n250 AUTH PLAIN\r\n" }
    : undefined;
}

test("a handshake that hangs has a deadline of its own", async () => {
  const settings = { deadlines: { ...rfcDeadlines, tls: 30 } };
  const server = { offers, silentTls: true };
  const { step } = await deliver(server, { route: { tls: "opportunistic" }, settings });
  expect(step).toMatchObject({ outcome: "delivered", tls: null });
  await rig?.end();
  const strict = await deliver(server, { route: { tls: "required" }, settings });
  expect(strict.verdict).toMatchObject({ kind: "deferred" });
  expect(strict.step.phase).toBe("tls");
});

test("another host that can be encrypted goes before the first in clear", async () => {
  rig = await createRig({
    servers: [{ offers, handshakes: false }, { offers }],
    route: { tls: "opportunistic" },
  });
  rig.send();
  const [verdict] = await rig.verdictsOf(1);
  expect(stepOf(verdict)).toMatchObject({ host: "mx2.example.com", outcome: "delivered" });
  expect(stepOf(verdict).tls?.version).toBe("TLSv1.3");
  expect(rig.servers.map(({ sessions }) => sessions.length)).toEqual([1, 1]);
});

test("a host is believed to be broken under TLS only once it took mail in clear", async () => {
  let connections = 0;
  const script = (verb: string): Act => {
    if (verb === "CONNECT") connections++;
    return verb === "CONNECT" && connections === 2 ? "421 4.3.2 later" : undefined;
  };
  const { verdict } = await deliver(
    { offers, handshakes: false, script },
    { route: { tls: "opportunistic" } },
  );
  expect(verdict?.kind).toBe("deferred");
  rig?.send();
  await rig?.verdictsOf(2);
  expect(rig?.servers[0]?.sessions[2]?.lines).toContain("STARTTLS");
});

test("implicit TLS to a host of another name is no connection where the name must be proven", async () => {
  const hosts = [{ name: "other.example.com", preference: 0, addresses: ["192.0.2.1"] }];
  const route = { tls: "verify", implicitTls: true, via: "relay", hosts } as const;
  const { verdict, sessions } = await deliver({ implicitTls: true }, { route });
  expect(verdict).toMatchObject({ ...waits, scope: "host" });
  expect(sessions[0]?.lines).toEqual([]);
});

test("a server that ends without close_notify after its 250 has taken the message", async () => {
  const script = (verb: string, _: string, session: { ended: boolean }): Act => {
    if (verb === "QUIT") session.ended = true;
    return undefined;
  };
  const { step } = await deliver({ offers, script }, { route: { tls: "required" } });
  expect(step.outcome).toBe("delivered");
  await rig?.servers[0]?.hangUp();
});

describe("a policy in testing", () => {
  const testing = (listed: boolean): TlsDemand => ({ source: "mta-sts", mode: "testing", listed });
  const cases: readonly (readonly [string, FakeMxOptions, TlsDemand, string, string])[] = [
    ["without TLS", { offers: [] }, testing(true), "mx.example.com", "no TLS"],
    ["of another name", { offers }, testing(true), "b.example.com", "does not name b.example.com"],
    ["that is not listed", { offers }, testing(false), "mx.example.com", "does not list"],
  ];
  for (const [what, server, demand, name, why] of cases)
    test(`lets mail go to a host ${what}, and tells it once`, async () => {
      const told: unknown[] = [];
      const log: Log = (level, event, fields) => void told.push([level, event, fields?.["text"]]);
      const { step } = await deliver(server, {
        route: routeWith("opportunistic", demand, name),
        log,
        settings: { connectionMessages: 1 },
      });
      rig?.send();
      await rig?.verdictsOf(2);
      expect(step.outcome).toBe("delivered");
      if (step.tls !== null) expect(step.tls.policy).toBe("mta-sts-testing");
      expect(told).toEqual([["warn", "sts.testing", expect.stringContaining(why)]]);
    });
});

test("what the operator asks for one domain is named by what it is, and blames no site", async () => {
  const route = routeWith("verify", { source: "settings" });
  const { step } = await deliver({ offers }, { route });
  expect(step).toMatchObject({ outcome: "delivered", tls: { policy: "verify", verified: true } });
  await rig?.end();
  const strict = routeWith("verify", { source: "settings" }, "other.example.com");
  expect((await deliver({ offers }, { route: strict })).verdict).toMatchObject(waits);
});

test("mail of two domains shares no connection where they ask for different things", async () => {
  rig = await createRig({ servers: [{ offers }], route: { tls: "opportunistic" } });
  rig.send();
  await rig.verdictsOf(1);
  rig.send({}, { route: routeWith("verify", { source: "mta-sts", mode: "enforce" }) });
  await rig.verdictsOf(2);
  rig.send();
  await rig.verdictsOf(3);
  const policies = rig.verdicts.map((verdict) => stepOf(verdict).tls?.policy);
  expect(policies).toEqual(["opportunistic", "mta-sts", "opportunistic"]);
  expect(rig.servers[0]?.sessions.length).toBe(2);
});

describe("a session", () => {
  const settings = { connectionMessages: 1 };

  for (const version of ["TLSv1.2", "TLSv1.3"] as const)
    test(`is resumed by the next connection, with all that it proved (${version})`, async () => {
      const tls = { minVersion: version, maxVersion: version };
      await deliver({ offers, tls }, { route: { tls: "verify" }, settings });
      rig?.send();
      const verdicts = (await rig?.verdictsOf(2)) ?? [];
      const facts = verdicts.map((verdict) => stepOf(verdict).tls);
      expect(facts).toMatchObject([
        { version, resumed: false, verified: true },
        { version, resumed: true, verified: true },
      ]);
      const labels = rig?.meter
        .drain()
        .filter(({ name }) => name === "smtp_tls_handshake_duration_seconds")
        .map((sample) => sample.labels);
      expect(labels).toEqual([
        { resumed: "false", version },
        { resumed: "true", version },
      ]);
    });

  test("of one demand proves nothing for another", async () => {
    await deliver({ offers }, { route: { tls: "opportunistic" }, settings });
    const right = routeWith("verify", dane(tlsaOf(shown, 3, 0, 1)));
    rig?.send({}, { route: right });
    await rig?.verdictsOf(2);
    expect(stepOf(rig?.verdicts[1]).tls).toMatchObject({ resumed: false, verified: true });
    rig?.send({}, { route: routeWith("verify", dane(tlsaOf(stranger, 3, 0, 1))) });
    await rig?.verdictsOf(3);
    expect(rig?.verdicts[2]).toMatchObject(waits);
  });
});
