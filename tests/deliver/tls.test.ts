// Encryption: used when it is offered, insisted on when the route says so, given up only where nobody insists.
import { afterEach, expect, test } from "bun:test";
import type { TlsPolicy } from "../../src/route/route.ts";
import type { Act, FakeMxOptions } from "./fakeMx.ts";
import { createRig, stepOf, type Rig, type RigOptions } from "./rig.ts";

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.end();
  rig = undefined;
});

const offers = ["STARTTLS", "PIPELINING", "AUTH PLAIN"];

async function deliver(
  server: FakeMxOptions,
  route: NonNullable<RigOptions["route"]>,
  messages = 1,
): Promise<Rig> {
  rig = await createRig({ servers: [server], route });
  for (let i = 0; i < messages; i++) rig.send();
  await rig.verdictsOf(messages);
  return rig;
}

for (const tls of ["opportunistic", "required", "verify"] satisfies TlsPolicy[])
  test(`${tls}: a good certificate carries the mail, and the timeline says so`, async () => {
    const { verdicts, servers } = await deliver({ offers }, { tls }, 2);
    for (const verdict of verdicts) expect(verdict.kind).toBe("delivered");
    expect(stepOf(verdicts[0]).tls).toMatchObject({ version: "TLSv1.3", verified: true });
    expect(servers[0]?.sessions[0]?.lines.slice(0, 4)).toEqual([
      "EHLO us.example.com",
      "STARTTLS",
      "*EHLO us.example.com",
      "*MAIL FROM:<sender@example.com>",
    ]);
  });

for (const tls of ["off", "required"] satisfies TlsPolicy[])
  test(`many different messages arrive each as it was (tls ${tls})`, async () => {
    rig = await createRig({
      servers: [{ offers }],
      route: { tls },
      settings: { siteConnections: 3 },
    });
    const bodies = Array.from({ length: 200 }, (_, i) =>
      Buffer.from(`Subject: ${i}\r\n\r\n${`${i} `.repeat((i * 97) % 9000)}\r\nend ${i}\r\n`),
    );
    for (const body of bodies) rig.send({}, { body });
    await rig.verdictsOf(bodies.length);
    const wanted = bodies.map((body) => body.toString("latin1").slice(0, -2)).sort();
    expect(rig.servers[0]?.messages().sort()).toEqual(wanted);
  });

const misnamed = [{ name: "other.example.com", preference: 0, addresses: ["192.0.2.1"] }];

test("a certificate of another name will do where none is required, and is marked", async () => {
  const { verdicts } = await deliver({ offers }, { tls: "opportunistic", hosts: misnamed });
  expect(stepOf(verdicts[0])).toMatchObject({ outcome: "delivered", tls: { verified: false } });
});

test("a certificate of another name defers the mail where it must be right", async () => {
  const { verdicts, servers } = await deliver({ offers }, { tls: "verify", hosts: misnamed });
  expect(verdicts[0]).toMatchObject({ kind: "deferred", scope: "host", class: "tls" });
  expect(servers[0]?.messages()).toHaveLength(0);
});

for (const tls of ["required", "verify"] satisfies TlsPolicy[])
  test(`${tls}: no STARTTLS, no mail`, async () => {
    const { verdicts } = await deliver({ offers: ["PIPELINING"] }, { tls });
    expect(verdicts[0]).toMatchObject({ kind: "deferred", scope: "host", class: "tls" });
  });

/** Says 220 to STARTTLS and goes on in clear. */
const pretender: FakeMxOptions = {
  offers,
  handshakes: false,
};

test("a handshake that fails is followed by one try in clear, and the host is remembered", async () => {
  const { send, verdictsOf, servers, verdicts } = await deliver(pretender, {
    tls: "opportunistic",
  });
  expect(stepOf(verdicts[0])).toMatchObject({ outcome: "delivered", tls: null });
  expect(servers[0]?.sessions).toHaveLength(2);
  await servers[0]?.hangUp();
  send();
  await verdictsOf(2);
  expect(servers[0]?.sessions.at(-1)?.lines).not.toContain("STARTTLS");
});

test("a handshake that fails defers the mail where encryption is required", async () => {
  const { verdicts, servers } = await deliver(pretender, { tls: "required" });
  expect(verdicts[0]).toMatchObject({ kind: "deferred", class: "tls" });
  expect(stepOf(verdicts[0]).phase).toBe("tls");
  expect(servers[0]?.messages()).toHaveLength(0);
});

const login = { user: "u", pass: "p" };

test("a relay's password goes through the encrypted connection", async () => {
  const { verdicts, servers } = await deliver({ offers }, { tls: "required", via: "relay", login });
  expect(verdicts[0]?.kind).toBe("delivered");
  expect(servers[0]?.sessions[0]?.lines).toContain("*AUTH PLAIN AHUAcA==");
});

test("a refused password defers the mail: it is the relay's trouble, not the message's", async () => {
  const script = (verb: string): Act => (verb === "AUTH" ? "535 5.7.8 no" : undefined);
  const { verdicts } = await deliver({ offers, script }, { tls: "required", via: "relay", login });
  expect(verdicts[0]).toMatchObject({ kind: "deferred", scope: "site", class: "relay" });
});

test("a password is not said in clear to another host", async () => {
  const { verdicts, servers } = await deliver({ offers }, { tls: "off", via: "relay", login });
  expect(verdicts[0]).toMatchObject({ kind: "deferred", class: "relay" });
  expect(servers[0]?.sessions[0]?.lines.some((line) => line.startsWith("AUTH"))).toBe(false);
});

test("implicit TLS encrypts before the greeting", async () => {
  const { verdicts, servers } = await deliver(
    { offers: ["PIPELINING"], implicitTls: true },
    { tls: "verify", implicitTls: true, via: "relay" },
  );
  expect(stepOf(verdicts[0])).toMatchObject({ outcome: "delivered", tls: { verified: true } });
  expect(servers[0]?.sessions[0]?.lines[0]).toBe("*EHLO us.example.com");
});

test("a server that has no TLS behind its port is deferred", async () => {
  const { verdicts } = await deliver({}, { tls: "verify", implicitTls: true, via: "relay" });
  expect(verdicts[0]).toMatchObject({ kind: "deferred", class: "tls" });
});

for (const [when, isThen] of [
  ["on STARTTLS", (verb: string) => verb === "STARTTLS"],
  [
    "on the first word behind the handshake",
    (verb: string, secure: boolean) => verb === "EHLO" && secure,
  ],
] as const) {
  const script = (verb: string, _: string, { secure }: { secure: boolean }): Act =>
    isThen(verb, secure) ? "CLOSE" : undefined;

  test(`a server that hangs up ${when} gets the mail in clear, by EHLO, and is remembered`, async () => {
    const { verdicts, servers, send, verdictsOf } = await deliver(
      { offers, script },
      { tls: "opportunistic" },
    );
    expect(stepOf(verdicts[0])).toMatchObject({ outcome: "delivered", tls: null });
    expect(servers[0]?.sessions[1]?.lines.slice(0, 2)).toEqual([
      "EHLO us.example.com",
      "MAIL FROM:<sender@example.com>",
    ]);
    await servers[0]?.hangUp();
    send();
    await verdictsOf(2);
    expect(servers[0]?.sessions.at(-1)?.lines).not.toContain("STARTTLS");
  });

  test(`a server that hangs up ${when} gets no mail where encryption is required`, async () => {
    const { verdicts, servers } = await deliver({ offers, script }, { tls: "required" });
    expect(verdicts[0]).toMatchObject({ kind: "deferred", scope: "host" });
    expect(servers[0]?.messages()).toHaveLength(0);
    expect(servers[0]?.sessions).toHaveLength(1);
  });
}

for (const refusal of [
  "530 5.7.0 Must issue a STARTTLS command first",
  "550 5.7.10 Encryption needed",
])
  test(`a handshake that failed once, and then ${refusal}: no more in clear to that host`, async () => {
    const script = (
      verb: string,
      _: string,
      { number, secure }: { number: number; secure: boolean },
    ): Act => {
      if (verb === "STARTTLS" && number === 0) return "CLOSE";
      return verb === "MAIL" && !secure ? refusal : undefined;
    };
    const { verdicts, servers, send, verdictsOf } = await deliver(
      { offers, script },
      { tls: "opportunistic" },
    );
    expect(verdicts[0]).toMatchObject({ kind: "deferred", class: "tls" });
    send();
    await verdictsOf(2);
    expect(stepOf(verdicts[1])).toMatchObject({
      outcome: "delivered",
      tls: { version: "TLSv1.3" },
    });
    expect(servers[0]?.sessions).toHaveLength(3);
  });

test("what one recipient wants of a server without STARTTLS keeps no other mail from it", async () => {
  const script = (verb: string, line: string): Act =>
    verb === "RCPT" && line.includes("to1@") ? "550 5.7.10 Encryption needed" : undefined;
  const { verdicts, servers, send, verdictsOf } = await deliver(
    { script },
    { tls: "opportunistic" },
  );
  expect(verdicts[0]).toMatchObject({ kind: "deferred", class: "tls" });
  send();
  await verdictsOf(2);
  expect(verdicts[1]?.kind).toBe("delivered");
  expect(servers[0]?.sessions).toHaveLength(1);
});

for (const refusal of ["550 5.7.10 Encryption needed", "530 5.7.0 Must issue STARTTLS first"]) {
  const isTheirs = (verb: string, line: string): boolean =>
    verb === "RCPT" && line.includes("to1@");

  test(`what one recipient wants of a server with a broken STARTTLS keeps no other mail from it: ${refusal}`, async () => {
    const script = (verb: string, line: string): Act => {
      if (verb === "STARTTLS") return "CLOSE";
      return isTheirs(verb, line) ? refusal : undefined;
    };
    const { verdicts, servers, send, verdictsOf } = await deliver(
      { offers, script },
      { tls: "opportunistic" },
    );
    expect(verdicts[0]).toMatchObject({ kind: "deferred", scope: "recipient", class: "tls" });
    send();
    await verdictsOf(2);
    await servers[0]?.hangUp();
    send();
    await verdictsOf(3);
    expect(verdicts.map(({ kind }) => kind)).toEqual(["deferred", "delivered", "delivered"]);
  });

  test(`a recipient that wants encryption gets it once the handshake works again: ${refusal}`, async () => {
    const script = (
      verb: string,
      _: string,
      { number, secure }: { number: number; secure: boolean },
    ): Act => {
      if (verb === "STARTTLS" && number === 0) return "CLOSE";
      return verb === "RCPT" && !secure ? refusal : undefined;
    };
    const { servers, send, verdictsOf } = await deliver(
      { offers, script },
      { tls: "opportunistic" },
    );
    await servers[0]?.hangUp();
    send();
    const [, second] = await verdictsOf(2);
    expect(stepOf(second)).toMatchObject({ outcome: "delivered", tls: { version: "TLSv1.3" } });
  });
}

test("a smarthost that says that it takes no mail bounces none", async () => {
  const script = (verb: string): Act =>
    verb === "CONNECT" ? "521 5.3.2 closed for the night" : undefined;
  for (const [via, kind] of [
    ["relay", "deferred"],
    ["mx", "failed"],
  ] as const) {
    const { verdicts } = await deliver({ offers, script }, { via });
    expect(verdicts[0]?.kind).toBe(kind);
    if (via === "relay")
      expect(verdicts[0]).toMatchObject({ class: "relay", alert: "relay.no_mail" });
    await rig?.end();
  }
});

test("a smarthost that does not relay for us bounces none, and lets through what it takes", async () => {
  const script = (verb: string, line: string): Act =>
    verb === "RCPT" && line.includes("to1@") ? "554 5.7.1 <to1@x>: Relay access denied" : undefined;
  for (const [via, told] of [
    ["relay", { kind: "deferred", scope: "recipient", class: "relay", alert: "relay.denied" }],
    ["mx", { kind: "failed", scope: "recipient", class: "policy" }],
  ] as const) {
    const { verdicts, servers, send, verdictsOf } = await deliver({ script }, { via });
    expect(verdicts[0]).toMatchObject(told);
    send();
    await verdictsOf(2);
    expect(verdicts[1]?.kind).toBe("delivered");
    expect(servers[0]?.sessions).toHaveLength(1);
    await rig?.end();
  }
});

test("of several hosts the timeline names the one whose words it holds", async () => {
  const says = (act: Act) => ({
    script: (verb: string): Act => (verb === "CONNECT" ? act : undefined),
  });
  rig = await createRig({ servers: [says("554 5.3.2 no service"), says("CLOSE")] });
  rig.send();
  const [verdict] = await rig.verdictsOf(1);
  expect(stepOf(verdict)).toMatchObject({
    host: "mx.example.com",
    address: "192.0.2.1",
    code: 554,
  });
});
