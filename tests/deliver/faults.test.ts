// What a remote server can do wrong, and what becomes of the mail: nothing is lost, nothing bounces that was not refused.
import { expect, test } from "bun:test";
import { rfcDeadlines } from "../../src/smtp/phases.ts";
import type { Act } from "./fakeMx.ts";
import { recipients, rigsOfEachTest, stepOf } from "./rig.ts";

const start = rigsOfEachTest();

/** Says `act` to `verb`, and what is usual to everything else. */
const saying =
  (verb: string, act: Act) =>
  (heard: string): Act =>
    heard === verb ? act : undefined;

const hasty = { deadlines: { ...rfcDeadlines, greeting: 60, dot: 60, body: 60, rcpt: 60 } };

test("a message arrives as it is, and its verdict tells where and how", async () => {
  const { send, verdictsOf, servers } = await start({ servers: [{}] });
  send();
  const [verdict] = await verdictsOf(1);
  expect(verdict).toMatchObject({ kind: "delivered", class: "none", doubt: false, claim: 1, n: 0 });
  expect(stepOf(verdict)).toMatchObject({
    via: "mx",
    site: "example.net",
    host: "mx.example.com",
    address: "192.0.2.1",
    source: "127.0.0.1",
    phase: "dot",
    code: 250,
    enhanced: "2.0.0",
    text: "ok",
    tls: null,
  });
  expect(servers[0]?.messages()).toEqual(["Subject: hello\r\n\r\n..a line with a dot\r\nthe end"]);
  expect(servers[0]?.sessions[0]?.lines.slice(0, 4)).toEqual([
    "EHLO us.example.com",
    "MAIL FROM:<sender@example.com> SIZE=47",
    "RCPT TO:<to1@example.net>",
    "DATA",
  ]);
});

test("a server that hangs after the banner is left at the deadline, and the mail deferred", async () => {
  const { send, verdictsOf } = await start({
    servers: [{ script: saying("EHLO", "HANG") }],
    settings: { deadlines: { ...rfcDeadlines, ehlo: 60 } },
  });
  send();
  const [verdict] = await verdictsOf(1);
  expect(verdict).toMatchObject({
    kind: "deferred",
    scope: "host",
    class: "network",
    doubt: false,
  });
  expect(stepOf(verdict)).toMatchObject({ phase: "ehlo", code: 0 });
});

test("a banner that never comes is waited for no longer than its deadline", async () => {
  const { send, verdictsOf } = await start({
    servers: [{ script: saying("CONNECT", "HANG") }],
    settings: hasty,
  });
  send();
  expect(stepOf((await verdictsOf(1))[0])).toMatchObject({
    phase: "greeting",
    outcome: "deferred",
  });
});

for (const act of ["CLOSE", "HANG"] as const)
  test(`after the dot, ${act}: deferred with doubt, and no other host is tried`, async () => {
    const { send, verdictsOf, servers } = await start({
      servers: [{ script: saying(".", act) }, {}],
      settings: hasty,
    });
    send();
    const [verdict] = await verdictsOf(1);
    expect(verdict).toMatchObject({ kind: "deferred", scope: "host", doubt: true });
    expect(stepOf(verdict)).toMatchObject({ phase: "dot", doubt: true });
    expect(servers[1]?.sessions).toHaveLength(0);
  });

test("a 250 followed by a hang-up is a delivery", async () => {
  const { send, verdictsOf } = await start({
    servers: [{ script: saying(".", { raw: "250 2.0.0 taken\r\n421 4.3.2 bye\r\n" }) }],
  });
  send();
  send();
  const kinds = (await verdictsOf(2)).map((verdict) => verdict.kind);
  expect(kinds).toEqual(["delivered", "delivered"]);
});

test("a reply line of 2 MB ends the connection and defers the mail", async () => {
  const raw = { raw: `250 ${"x".repeat(2_000_000)}\r\n` };
  const { send, verdictsOf } = await start({ servers: [{ script: saying("MAIL", raw) }] });
  send();
  expect((await verdictsOf(1))[0]).toMatchObject({ kind: "deferred", class: "protocol" });
});

test("a server that accepts the connection and closes it defers the mail", async () => {
  const { send, verdictsOf } = await start({ servers: [{ script: saying("CONNECT", "CLOSE") }] });
  send();
  const [verdict] = await verdictsOf(1);
  expect(verdict).toMatchObject({ kind: "deferred", scope: "host", class: "network" });
  expect(stepOf(verdict).phase).toBe("greeting");
});

test("nobody listening is no reason to bounce", async () => {
  const { send, verdictsOf, route } = await start({ servers: [] });
  const hosts = [{ name: "mx", preference: 0, addresses: ["192.0.2.9"] }];
  send({}, { route: { ...route, hosts } });
  const [verdict] = await verdictsOf(1);
  expect(verdict).toMatchObject({ kind: "deferred", scope: "host", class: "network" });
  expect(stepOf(verdict)).toMatchObject({ phase: "connect", host: "mx", address: "192.0.2.9" });
});

for (const verb of ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "."])
  test(`421 to ${verb} defers, whatever it was said to`, async () => {
    for (const offers of [["PIPELINING"], []]) {
      const script = saying(verb, { raw: "421 4.3.2 going down\r\n" });
      const { send, verdictsOf, end } = await start({ servers: [{ offers, script }] });
      send({ recipients: recipients("a", "b") });
      for (const verdict of await verdictsOf(2))
        expect(verdict).toMatchObject({ kind: "deferred", scope: "host", doubt: false });
      await end();
    }
  });

test("a 550 to the dot bounces all that were accepted", async () => {
  const script = (verb: string, line: string): Act =>
    verb === "."
      ? "550 5.7.1 not allowed"
      : line.includes("b@")
        ? "451 4.7.1 greylisted, try again in 5 minutes"
        : undefined;
  const { send, verdictsOf } = await start({ servers: [{ script }] });
  send({ recipients: recipients("a", "b", "c") });
  const verdicts = [...(await verdictsOf(3))].sort((a, b) => a.n - b.n);
  expect(verdicts[0]).toMatchObject({ kind: "failed", scope: "message", class: "policy" });
  expect(verdicts[1]).toMatchObject({ kind: "deferred", scope: "recipient", class: "greylist" });
  expect(verdicts[1]?.retryAfterMs).toBe(300_000);
  expect(verdicts[2]).toMatchObject({ kind: "failed", scope: "message" });
});

for (const offers of [["PIPELINING"], []])
  test(`a refused recipient does not stop the others (${offers[0] ?? "no pipelining"})`, async () => {
    const script = (_: string, line: string): Act =>
      line.includes("b@")
        ? "550 5.1.1 no such user"
        : line.includes("c@")
          ? "452 4.2.2 full"
          : undefined;
    const { send, verdictsOf, servers } = await start({ servers: [{ offers, script }] });
    send({ recipients: recipients("a", "b", "c", "d") });
    const verdicts = [...(await verdictsOf(4))].sort((a, b) => a.n - b.n);
    expect(verdicts.map((one) => [one.kind, one.class])).toEqual([
      ["delivered", "none"],
      ["failed", "mailbox"],
      ["deferred", "full"],
      ["delivered", "none"],
    ]);
    expect(servers[0]?.messages()).toHaveLength(1);
  });

test("recipients beyond what a server takes at once follow in the next transaction", async () => {
  let refused = 0;
  const script = (verb: string, line: string): Act =>
    verb === "RCPT" && /[cd]@/.test(line) && refused++ < 2 ? "452 4.5.3 too many" : undefined;
  const { send, verdictsOf, servers } = await start({ servers: [{ script }] });
  send({ recipients: recipients("a", "b", "c", "d") });
  expect((await verdictsOf(4)).map((one) => one.kind)).toEqual(new Array(4).fill("delivered"));
  expect(servers[0]?.messages()).toHaveLength(2);
  expect(servers[0]?.sessions).toHaveLength(1);
});

test("all refused but 354 said: the message is not sent, a lone dot ends it, the connection is kept", async () => {
  const script = (verb: string, line: string): Act =>
    verb === "RCPT" && line.includes("x@") ? "550 5.1.1 no" : undefined;
  const { send, verdictsOf, servers } = await start({ servers: [{ script }] });
  send({ recipients: recipients("x") });
  await verdictsOf(1);
  send();
  expect((await verdictsOf(2)).map((one) => one.kind)).toEqual(["failed", "delivered"]);
  expect(servers[0]?.sessions).toHaveLength(1);
  expect(servers[0]?.messages().map((body) => body.length > 0)).toEqual([false, true]);
});

test("a 250 to DATA starts no message", async () => {
  const { send, verdictsOf, servers } = await start({
    servers: [{ offers: [], script: saying("DATA", "250 sure") }],
  });
  send();
  expect((await verdictsOf(1))[0]).toMatchObject({ kind: "deferred", class: "protocol" });
  expect(servers[0]?.messages()).toHaveLength(0);
});

test("one reply too many in a group shifts nothing to the wrong recipient", async () => {
  const { send, verdictsOf, servers } = await start({
    servers: [{ script: saying("MAIL", { raw: "250 ok\r\n250 and again\r\n" }) }],
  });
  send({ recipients: recipients("a", "b") });
  for (const verdict of await verdictsOf(2))
    expect(verdict).toMatchObject({ kind: "deferred", class: "protocol" });
  expect(servers[0]?.messages()).toHaveLength(0);
});

test("replies that come octet by octet are put together", async () => {
  const script = async (verb: string): Promise<Act> => {
    if (verb !== "MAIL") return undefined;
    await new Promise((resolve) => setTimeout(resolve, 5));
    return { raw: "250" };
  };
  const { send, verdictsOf } = await start({
    servers: [
      {
        offers: [],
        script: async (verb) => (verb === "RCPT" ? { raw: "250 ok\r\n" } : script(verb)),
      },
    ],
    settings: { deadlines: { ...rfcDeadlines, mail: 60 } },
  });
  send();
  // `250` alone is half a reply: the deadline is for the whole of it.
  expect(stepOf((await verdictsOf(1))[0])).toMatchObject({ phase: "mail", outcome: "deferred" });
});

test("octets behind the answer to STARTTLS end the connection", async () => {
  const { send, verdictsOf, servers } = await start({
    servers: [
      {
        offers: ["STARTTLS", "PIPELINING"],
        script: saying("STARTTLS", { raw: "220 go\r\n250 injected\r\n" }),
      },
    ],
    route: { tls: "required" },
  });
  send();
  const [verdict] = await verdictsOf(1);
  expect(verdict).toMatchObject({ kind: "deferred", scope: "host", class: "tls" });
  expect(servers[0]?.messages()).toHaveLength(0);
});

test("a server that only knows HELO gets the mail", async () => {
  const { send, verdictsOf, servers } = await start({ servers: [{ offers: null }] });
  send();
  expect((await verdictsOf(1))[0]?.kind).toBe("delivered");
  expect(servers[0]?.sessions[0]?.lines).toContain("MAIL FROM:<sender@example.com>");
});

test("a server that hangs up on EHLO is tried with HELO", async () => {
  const { send, verdictsOf } = await start({ servers: [{ script: saying("EHLO", "CLOSE") }] });
  send();
  expect((await verdictsOf(1))[0]?.kind).toBe("delivered");
});

test("too large for the server: 5.3.4, and the connection serves the next", async () => {
  const { send, verdictsOf, servers } = await start({ servers: [{ offers: ["SIZE 100"] }] });
  send({ sizeBytes: 101 });
  send();
  const [first, second] = await verdictsOf(2);
  expect(first).toMatchObject({ kind: "failed", class: "size" });
  expect(stepOf(first)).toMatchObject({ enhanced: "5.3.4", code: 0 });
  expect(second?.kind).toBe("delivered");
  expect(servers[0]?.sessions[0]?.lines.filter((line) => line.startsWith("MAIL"))).toHaveLength(1);
});

const eightBitText = Buffer.from("Content-Type: text/plain; charset=utf-8\r\n\r\nsch\u00f6n\r\n");

test("8-bit mail reaches a server without 8BITMIME as quoted-printable", async () => {
  const { send, verdictsOf, servers } = await start({ servers: [{ offers: ["SIZE"] }] });
  send({ eightBit: true }, { body: eightBitText });
  expect(stepOf((await verdictsOf(1))[0]).outcome).toBe("delivered");
  expect(servers[0]?.messages()[0]).toContain("quoted-printable\r\n\r\nsch=C3=B6n");
  // The size that is said is that of what is sent.
  const octets = (servers[0]?.messages()[0]?.length ?? 0) + 2;
  expect(servers[0]?.sessions[0]?.lines).toContain(`MAIL FROM:<sender@example.com> SIZE=${octets}`);
});

test("8-bit mail that is signed fails with 5.6.3 in clear words there", async () => {
  const { send, verdictsOf } = await start({ servers: [{ offers: [] }] });
  const signed = Buffer.concat([Buffer.from("DKIM-Signature: v=1; a=b\r\n"), eightBitText]);
  send({ eightBit: true }, { body: signed });
  const step = stepOf((await verdictsOf(1))[0]);
  expect(step).toMatchObject({ outcome: "failed", enhanced: "5.6.3" });
  expect(step.text).toContain("8BITMIME");
});

test("a greeting of 554 moves on to the next host", async () => {
  const { send, verdictsOf } = await start({
    servers: [{ script: saying("CONNECT", "554 no service") }, {}],
  });
  send();
  expect(stepOf((await verdictsOf(1))[0])).toMatchObject({
    outcome: "delivered",
    host: "mx2.example.com",
  });
});

test("a greeting of 5xx from all hosts is deferred, unless all say that they take no mail at all", async () => {
  const greeting = async (...codes: number[]): Promise<string | undefined> => {
    const servers = codes.map((code) => ({ script: saying("CONNECT", `${code} no`) }));
    const { send, verdictsOf, end } = await start({ servers });
    send();
    const [verdict] = await verdictsOf(1);
    await end();
    return verdict?.kind;
  };
  expect(await greeting(554, 554)).toBe("deferred");
  expect(await greeting(521, 554)).toBe("deferred");
  expect(await greeting(521, 556)).toBe("failed");
});

test("a fresh connection that breaks at MAIL leads to the next address within the attempt", async () => {
  const { send, verdictsOf, servers } = await start({
    servers: [{ script: saying("MAIL", "CLOSE") }, {}],
  });
  send();
  expect(stepOf((await verdictsOf(1))[0])).toMatchObject({
    outcome: "delivered",
    host: "mx2.example.com",
  });
  expect(servers[0]?.sessions).toHaveLength(1);
});

test("a server that answers while the message is still flowing is heard", async () => {
  const big = Buffer.alloc(8_000_000, "0123456789abcdef\r\n");
  const script = (verb: string): Act =>
    verb === "DATA" ? { raw: "354 go\r\n552 5.3.4 too much already\r\n" } : undefined;
  const { send, verdictsOf } = await start({ servers: [{ offers: [], script }] });
  send({}, { body: big });
  const [verdict] = await verdictsOf(1);
  expect(verdict).toMatchObject({ kind: "failed", class: "size", doubt: false });
});

test("a server that stops reading in the middle is left at the block's deadline, without doubt", async () => {
  const big = Buffer.alloc(30_000_000, "0123456789abcdef\r\n");
  const { send, verdictsOf, servers } = await start({
    servers: [{ offers: [] }],
    settings: hasty,
    connect: (real) => async (target, deadlineMs, signal) => {
      const connection = await real(target, deadlineMs, signal);
      if (connection.kind === "failure") return connection;
      let full = false;
      // The kernel's buffers are larger than a test's patience: past the first piece nothing leaves.
      return {
        ...connection,
        write: (octets) => {
          if (typeof octets === "string" || octets.length < 60_000) return connection.write(octets);
          if (!full) connection.write(octets);
          full = true;
          return false;
        },
        listen: (listener) => connection.listen({ ...listener, drained: () => {} }),
      };
    },
  });
  send({}, { body: big });
  const [verdict] = await verdictsOf(1);
  expect(verdict).toMatchObject({ kind: "deferred", class: "network", doubt: false });
  expect(stepOf(verdict).phase).toBe("body");
  expect(servers[0]?.messages()).toHaveLength(0);
});
