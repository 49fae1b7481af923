// The finer points of a session, with real sockets: what is offered is made use of, what is offered and broken is left alone.
import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { systemClock, type Clock } from "../../src/base/clock.ts";
import type { Connect } from "../../src/deliver/connection.ts";
import { rfcDeadlines } from "../../src/smtp/phases.ts";
import { until } from "../fixtures/until.ts";
import type { Act, FakeSession, Script } from "./fakeMx.ts";
import { recipients, rigsOfEachTest, stepOf, type Rig } from "./rig.ts";

const start = rigsOfEachTest();

const linesOf = ({ servers }: Rig, server = 0): string[] =>
  servers[server]?.sessions.flatMap((session) => session.lines) ?? [];
const verbsOf = (all: readonly string[]): string =>
  all.map((line) => line.split(/[ :]/)[0] ?? "").join(" ");

/** A good answer, octet by octet, each long before the deadline, and never to its end. */
const dribble = (verb: string): Script => {
  return (heard, _, session): Act => {
    if (heard !== verb) return undefined;
    const say = async (): Promise<void> => {
      for (let i = 0; !session.ended; i++) {
        session.say(i === 0 ? "250-" : "x");
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    void say();
    return "HANG";
  };
};

for (const verb of ["CONNECT", "EHLO", "RCPT", "."])
  test(`octets that dribble in do not move the deadline of ${verb}`, async () => {
    const phases = { CONNECT: "greeting", EHLO: "ehlo", RCPT: "rcpt", ".": "dot" } as const;
    const phase = phases[verb as keyof typeof phases];
    const { send, verdictsOf } = await start({
      servers: [{ script: dribble(verb) }],
      settings: { deadlines: { ...rfcDeadlines, [phase]: 60 } },
    });
    send();
    expect(stepOf((await verdictsOf(1))[0])).toMatchObject({
      outcome: "deferred",
      phase,
      doubt: verb === ".",
    });
  });

// -- PIPELINING

/** Hangs up on the second command of a group, as some filters in front of servers do. */
const hatesGroups: Script = (verb, _, session): Act =>
  verb === "RCPT" && session.pending !== "" ? "CLOSE" : undefined;

test("a server that hangs up on a group gets its commands one by one, now and from then on", async () => {
  const built = await start({ servers: [{ script: hatesGroups }] });
  built.send();
  expect((await built.verdictsOf(1))[0]?.kind).toBe("delivered");
  built.send();
  expect((await built.verdictsOf(2))[1]?.kind).toBe("delivered");
  const [first, second] = built.servers[0]?.sessions ?? [];
  expect(verbsOf(first?.lines ?? [])).toBe("EHLO MAIL RCPT");
  expect(verbsOf(second?.lines ?? [])).toBe("EHLO MAIL RCPT DATA MAIL RCPT DATA");
  expect(built.servers[0]?.sessions).toHaveLength(2);
});

test("a server that leaves one reply of a group out is left at the deadline, and then spoken to slowly", async () => {
  const script: Script = (verb, _, session): Act =>
    verb === "RCPT" && session.pending !== "" ? { raw: "" } : undefined;
  const built = await start({
    servers: [{ script }],
    settings: { deadlines: { ...rfcDeadlines, data: 60, rcpt: 60 } },
  });
  built.send({ recipients: recipients("a", "b") });
  const verdicts = await built.verdictsOf(2);
  expect(verdicts.map((one) => one.kind)).toEqual(["delivered", "delivered"]);
  expect(built.servers[0]?.messages()).toHaveLength(1);
});

test("a server that has answered groups before and hangs up is spoken to as before", async () => {
  let hangsUp = false;
  const script: Script = (verb): Act => (hangsUp && verb === "RCPT" ? "CLOSE" : undefined);
  const groups: boolean[] = [];
  const watching: Script = (verb, line, session): Act => {
    if (verb === "RCPT") groups.push(session.pending !== "");
    return script(verb, line, session) as Act;
  };
  const built = await start({
    servers: [{ script: watching }],
    settings: { connectionMessages: 1 },
  });
  built.send();
  await built.verdictsOf(1);
  hangsUp = true;
  built.send();
  expect((await built.verdictsOf(2))[1]).toMatchObject({ kind: "deferred", class: "network" });
  hangsUp = false;
  built.send();
  await built.verdictsOf(3);
  expect(groups).toEqual([true, true, true]);
});

// -- CHUNKING

const large = Buffer.from(`Subject: x\r\n\r\n${".a line of it\r\n".repeat(8000)}`);
const chunking = ["PIPELINING", "8BITMIME", "SIZE 10000000", "CHUNKING"];

test("a large message goes as one chunk, octet for octet", async () => {
  const built = await start({ servers: [{ offers: chunking }] });
  built.send({}, { body: large });
  built.send();
  await built.verdictsOf(2);
  const [first, second] = built.servers[0]?.messages() ?? [];
  expect(first === large.toString("latin1")).toBe(true);
  expect(second).toContain("the end");
  expect(verbsOf(linesOf(built))).toBe("EHLO MAIL RCPT BDAT MAIL RCPT DATA");
  expect(linesOf(built)).toContain(`BDAT ${large.length} LAST`);
});

const spooled = (
  bytes: Buffer,
  sha256 = createHash("sha256").update(large).digest("base64url"),
) => ({
  spool: async function* (): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
  },
  job: { body: { kind: "spool", file: "f" }, sizeBytes: large.length, sha256 } as const,
});

test("a spooled message is a chunk too, and its last octets wait for the check", async () => {
  const good = spooled(large);
  const built = await start({ servers: [{ offers: chunking }], spool: good.spool });
  built.send(good.job, { body: null });
  expect((await built.verdictsOf(1))[0]?.kind).toBe("delivered");
  expect(built.servers[0]?.messages()[0] === large.toString("latin1")).toBe(true);
});

for (const [what, bytes] of [
  ["other octets", Buffer.from(large.toString("latin1").replaceAll("line", "lime"))],
  ["fewer octets", large.subarray(0, -10)],
  ["more octets", Buffer.concat([large, Buffer.from("QUIT\r\n")])],
] as const)
  test(`a chunk with ${what} than were accepted never ends, and none of it is a command`, async () => {
    const bad = spooled(bytes);
    const built = await start({ servers: [{ offers: chunking }], spool: bad.spool });
    built.send(bad.job, { body: null });
    expect(stepOf((await built.verdictsOf(1))[0])).toMatchObject({
      outcome: "deferred",
      phase: "body",
      doubt: false,
    });
    await until("the session ends", () => built.servers[0]?.openSessions() === 0);
    expect(built.servers[0]?.messages()).toEqual([]);
    expect(verbsOf(linesOf(built))).toBe("EHLO MAIL RCPT BDAT");
  });

test("a server that offers BDAT and does not know it bounces nothing: DATA is next, at once", async () => {
  const script: Script = (verb): Act => (verb === "BDAT" ? "502 5.5.1 what?" : undefined);
  const built = await start({ servers: [{ offers: chunking, script }] });
  built.send({}, { body: large });
  expect((await built.verdictsOf(1))[0]?.kind).toBe("delivered");
  const [first, second] = built.servers[0]?.sessions ?? [];
  expect(verbsOf(first?.lines ?? [])).toStartWith("EHLO MAIL RCPT BDAT");
  expect(verbsOf(second?.lines ?? [])).toBe("EHLO MAIL RCPT DATA");
});

// -- SMTPUTF8

const utf8 = (...locals: string[]) => ({ utf8: true, recipients: recipients(...locals) });

test("SMTPUTF8 that one host lacks is looked for at the next", async () => {
  const built = await start({ servers: [{}, { offers: ["SMTPUTF8", "8BITMIME"] }] });
  built.send(utf8("用户"));
  expect(stepOf((await built.verdictsOf(1))[0])).toMatchObject({
    outcome: "delivered",
    host: "mx2.example.com",
  });
  expect(verbsOf(linesOf(built))).toBe("EHLO QUIT");
});

test("SMTPUTF8 that no host offers fails with 5.6.7", async () => {
  const built = await start({ servers: [{}, {}] });
  built.send(utf8("用户"));
  expect(stepOf((await built.verdictsOf(1))[0])).toMatchObject({
    outcome: "failed",
    enhanced: "5.6.7",
  });
  expect(built.servers.map((server) => server.sessions.length)).toEqual([1, 1]);
});

test("one recipient's address does not keep a message from those who need no SMTPUTF8", async () => {
  const built = await start({ servers: [{}] });
  built.send(utf8("a", "用户", "b"));
  const verdicts = [...(await built.verdictsOf(3))].sort((a, b) => a.n - b.n);
  expect(verdicts.map((one) => one.kind)).toEqual(["delivered", "failed", "delivered"]);
  expect(linesOf(built).some((line) => line.includes("SMTPUTF8"))).toBe(false);
});

test("a host that offers SMTPUTF8 is asked for it only by those who need it", async () => {
  const built = await start({ servers: [{ offers: ["SMTPUTF8", "8BITMIME"] }] });
  built.send(utf8("a"));
  built.send(utf8("a", "用户"));
  await built.verdictsOf(3);
  const mails = linesOf(built).filter((line) => line.startsWith("MAIL"));
  expect(mails.map((line) => line.includes("SMTPUTF8"))).toEqual([false, true]);
});

// -- LIMITS, DSN, PIX

test("the server's own limits are obeyed: recipients, their domains, messages", async () => {
  const offers = ["PIPELINING", "LIMITS RCPTMAX=2 RCPTDOMAINMAX=1 MAILMAX=2"];
  const built = await start({ servers: [{ offers }] });
  const to = ["a@one.test", "b@two.test", "c@one.test", "d@one.test"];
  built.send({ recipients: to.map((address, n) => ({ n, address, claim: n + 1, attempts: 0 })) });
  const verdicts = await built.verdictsOf(4);
  expect(verdicts.every((one) => one.kind === "delivered")).toBe(true);
  const rcpts = (session: FakeSession | undefined) =>
    session?.lines.map((line) => /^(MAIL|RCPT TO:<(.)@)/.exec(line)).map((one) => one?.[2] ?? "");
  expect(built.servers[0]?.sessions.map((one) => rcpts(one)?.join(""))).toEqual(["acb", "d"]);
  expect(built.servers[0]?.messages()).toHaveLength(3);
});

test("a server that wants few messages on a connection still gets their commands with the dot before", async () => {
  const behind: boolean[] = [];
  const script: Script = (verb, _, session): Act => {
    if (verb === ".") behind.push(session.pending.includes("MAIL"));
    return undefined;
  };
  const built = await start({
    servers: [{ offers: ["PIPELINING", "LIMITS MAILMAX=3"], script }],
    settings: { siteConnections: 1 },
  });
  for (let i = 0; i < 12; i++) built.send();
  await built.verdictsOf(12);
  expect(built.servers[0]?.sessions.map((one) => one.messages.length)).toEqual([3, 3, 3, 3]);
  // The last of each connection has nothing behind it, and the first waits for a first answer.
  expect(behind.filter((one) => one).length).toBeGreaterThanOrEqual(4);
  expect(behind.at(-1)).toBe(false);
});

test("notices that a sender asks for travel with its message", async () => {
  const built = await start({ servers: [{ offers: ["DSN"] }] });
  built.send({ dsn: { notify: ["success"], ret: "full", envid: "e1" } });
  await built.verdictsOf(1);
  expect(linesOf(built).slice(1, 3)).toEqual([
    "MAIL FROM:<sender@example.com> RET=FULL ENVID=e1",
    "RCPT TO:<to1@example.net> NOTIFY=SUCCESS ORCPT=rfc822;to1@example.net",
  ]);
});

/** Waits are short, deadlines are not: those look at the clock again. */
const hurried: Clock = {
  ...systemClock,
  after: (ms, run) => systemClock.after(Math.min(ms, 5), run),
};

test("behind a firewall that blanks the banner the dot has a write of its own", async () => {
  const writes: string[] = [];
  const connect =
    (real: Connect): Connect =>
    async (target, deadlineMs, signal) => {
      const connection = await real(target, deadlineMs, signal);
      if (connection.kind === "failure") return connection;
      return {
        ...connection,
        write(octets) {
          writes.push(Buffer.from(octets as string).toString("latin1"));
          return connection.write(octets);
        },
      };
    };
  const script: Script = (verb): Act => (verb === "CONNECT" ? "220 ***********" : undefined);
  const built = await start({ servers: [{ script }], clock: hurried, connect });
  built.send();
  expect((await built.verdictsOf(1))[0]?.kind).toBe("delivered");
  expect(writes[0]).toBe("HELO us.example.com\r\n");
  expect(writes.at(-2)).toEndWith("the end\r\n");
  expect(writes.at(-1)).toBe(".\r\n");
});

// -- ends

for (const then of ["END", "RESET"] as const)
  test(`a 250 to the dot followed at once by ${then} is a delivery`, async () => {
    const script: Script = (verb): Act =>
      verb === "." ? { raw: "250 2.0.0 taken\r\n", then } : undefined;
    const built = await start({ servers: [{ script }] });
    built.send();
    expect((await built.verdictsOf(1))[0]).toMatchObject({ kind: "delivered", doubt: false });
  });

test("a refusal in the middle of the message, and then the end, is the message's", async () => {
  let refused = false;
  const script: Script = (verb, _, session): Act => {
    if (verb !== "DATA") return undefined;
    queueMicrotask(() => void watch(session));
    return undefined;
  };
  const watch = async (session: FakeSession): Promise<void> => {
    while (session.pending.length < 200_000 && !session.ended)
      await new Promise((resolve) => setTimeout(resolve, 1));
    refused = true;
    session.say("550 5.7.1 not this\r\n");
  };
  const built = await start({ servers: [{ script, offers: [] }] });
  built.send({}, { body: Buffer.from(`Subject: x\r\n\r\n${"line\r\n".repeat(2_000_000)}`) });
  expect(stepOf((await built.verdictsOf(1))[0])).toMatchObject({ outcome: "failed", code: 550 });
  expect(refused).toBe(true);
  expect(built.servers[0]?.messages()).toEqual([]);
});

test("a server that does not answer QUIT is not waited for", async () => {
  const script: Script = (verb): Act => (verb === "QUIT" ? "HANG" : undefined);
  const built = await start({ servers: [{ script }], settings: { idleMs: 1 } });
  built.send();
  expect((await built.verdictsOf(1))[0]?.kind).toBe("delivered");
  await built.sender.stop(0);
  expect(built.sender.gauges().connections).toBe(0);
});

test("a refused RSET costs a connection and nothing else", async () => {
  const script: Script = (verb, line): Act => {
    if (verb === "RSET") return "502 5.5.1 no";
    return line.includes("bad@") ? "550 5.1.1 no" : undefined;
  };
  const built = await start({ servers: [{ offers: [], script }] });
  built.send({ recipients: recipients("bad") });
  built.send();
  const verdicts = await built.verdictsOf(2);
  expect(verdicts.map((one) => one.kind)).toEqual(["failed", "delivered"]);
  expect(built.servers[0]?.sessions).toHaveLength(2);
});

// -- logging in

const auth = (...mechanisms: string[]) => ["PIPELINING", `AUTH ${mechanisms.join(" ")}`];
const login = { user: "u", pass: "secret" };

test("a password goes without TLS only where the relay's URL names the mechanism", async () => {
  const logged: string[] = [];
  const built = await start({
    servers: [{ offers: auth("PLAIN", "CRAM-MD5") }],
    route: { via: "relay" },
    log: (level, event) => void logged.push(`${level} ${event}`),
  });
  built.send({}, { route: { tls: "off", login } });
  expect((await built.verdictsOf(1))[0]?.kind).toBe("deferred");
  expect(linesOf(built).some((line) => line.startsWith("AUTH"))).toBe(false);
  expect(logged).toEqual(["error relay.login_impossible"]);
  built.send({}, { route: { tls: "off", login: { ...login, mechanism: "PLAIN" } } });
  expect((await built.verdictsOf(2))[1]?.kind).toBe("delivered");
});

test("a refused login pauses the relay, is said loudly, and bounces nothing", async () => {
  const logged: string[] = [];
  const script: Script = (verb): Act => (verb === "AUTH" ? "535 5.7.8 wrong" : undefined);
  const built = await start({
    servers: [{ offers: auth("PLAIN"), script }],
    route: { via: "relay", login: { ...login, mechanism: "PLAIN" } },
    log: (level, event) => void logged.push(`${level} ${event}`),
  });
  built.send();
  built.send();
  for (const verdict of await built.verdictsOf(2))
    expect(verdict).toMatchObject({ kind: "deferred", scope: "site" });
  expect(logged).toContain("error relay.login_refused");
  expect(JSON.stringify(built.verdicts)).not.toContain("secret");
});
