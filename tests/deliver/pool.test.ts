// How connections are shared: reuse, limits, fairness between lanes, and a stop that loses nothing.
import { expect, test } from "bun:test";
import { createLanes } from "../../src/deliver/lanes.ts";
import type { Priority } from "../../src/mail/message.ts";
import { until } from "../fixtures/until.ts";
import type { Act, FakeSession } from "./fakeMx.ts";
import { message, rigsOfEachTest, stepOf, type Rig } from "./rig.ts";

const start = rigsOfEachTest();

/** A gate that holds a server's answers until it is opened. */
function createGate(): { readonly opened: Promise<void>; open(): void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}

test("one connection carries one message after another", async () => {
  const { send, verdictsOf, servers, sender } = await start({ servers: [{}] });
  for (let i = 0; i < 5; i++) send();
  const verdicts = await verdictsOf(5);
  expect(verdicts.every((one) => one.kind === "delivered")).toBe(true);
  expect(servers[0]?.sessions).toHaveLength(1);
  expect(new Set(verdicts.map((one) => stepOf(one).session)).size).toBe(1);
  expect(sender.gauges()).toMatchObject({ connections: 1, idle: 1, waiting: 0, running: 0 });
});

test("an idle connection says QUIT and goes", async () => {
  const { send, verdictsOf, servers, sender } = await start({
    servers: [{}],
    settings: { idleMs: 20 },
  });
  send();
  await verdictsOf(1);
  await until("the connection to end", () => servers[0]?.openSessions() === 0);
  expect(servers[0]?.sessions[0]?.lines.at(-1)).toBe("QUIT");
  expect(sender.gauges()).toMatchObject({ sites: 0, connections: 0 });
});

test("a connection is replaced after its share of messages", async () => {
  const { send, verdictsOf, servers } = await start({
    servers: [{}],
    settings: { connectionMessages: 2 },
  });
  for (let i = 0; i < 5; i++) send();
  await verdictsOf(5);
  expect(servers[0]?.sessions.map((session) => session.messages.length)).toEqual([2, 2, 1]);
});

test("more connections open only when more than eight jobs wait for each", async () => {
  const gate = createGate();
  const script = async (verb: string): Promise<Act> => {
    if (verb === "MAIL") await gate.opened;
    return undefined;
  };
  const settings = { startConnections: 10 };
  const { send, verdictsOf, sender, servers } = await start({ servers: [{ script }], settings });
  for (let i = 0; i < 8; i++) send();
  await until("a connection at work", () => sender.gauges().running === 1);
  send();
  expect(sender.gauges()).toMatchObject({ connections: 1, opening: 0, waiting: 8 });
  send();
  await until("a second one", () => sender.gauges().running === 2);
  gate.open();
  await verdictsOf(10);
  expect(servers[0]?.sessions).toHaveLength(2);
});

test("a site never has more connections than its limit", async () => {
  const { send, verdictsOf, sender } = await start({
    servers: [{}],
    settings: { siteConnections: 3, startConnections: 3 },
  });
  let most = 0;
  for (let i = 0; i < 300; i++) {
    send();
    const { connections, opening } = sender.gauges();
    most = Math.max(most, connections + opening);
  }
  await verdictsOf(300);
  // Normal mail leaves one of them to what is urgent.
  expect(most).toBe(2);
});

test("urgent mail finds a slot where normal mail and bulk have left one", async () => {
  const gate = createGate();
  const script = async (verb: string, line: string): Promise<Act> => {
    if (verb === "RCPT" && !line.includes("urgent")) await gate.opened;
    return undefined;
  };
  const { send, verdictsOf, sender } = await start({
    servers: [{ script }],
    settings: { siteConnections: 4, startConnections: 4 },
  });
  for (let i = 0; i < 60; i++) send({ priority: 2 });
  await until("bulk in three slots", () => sender.gauges().running === 3);
  expect(sender.gauges()).toMatchObject({ connections: 3, opening: 0 });
  send({
    priority: 0,
    recipients: [{ n: 0, address: "urgent@example.net", claim: 1, attempts: 0 }],
  });
  expect((await verdictsOf(1))[0]).toMatchObject({ kind: "delivered", message: 61 });
  gate.open();
  await verdictsOf(61);
});

test("a network error at all addresses is looked at again within the attempt", async () => {
  let connections = 0;
  const rounds = {
    0: { times: 5, firstMs: 1 },
    1: { times: 2, firstMs: 1 },
    2: { times: 0, firstMs: 1 },
  };
  const { send, verdictsOf } = await start({
    servers: [
      { script: (verb) => (verb === "CONNECT" && connections++ < 2 ? "CLOSE" : undefined) },
    ],
    settings: { rounds },
  });
  send();
  expect((await verdictsOf(1))[0]?.kind).toBe("delivered");
  expect(connections).toBe(3);
});

test("an attempt tries five addresses of many, the next one those that did not just break", async () => {
  const tried: string[] = [];
  const servers = Array.from({ length: 7 }, () => ({
    script: (verb: string): Act => (verb === "MAIL" ? "CLOSE" : undefined),
  }));
  const { send, verdictsOf } = await start({
    servers,
    connect: (real) => (target, deadlineMs, signal) => {
      tried.push(target.address.slice("192.0.2.".length));
      return real(target, deadlineMs, signal);
    },
  });
  send();
  send();
  await verdictsOf(1);
  expect(tried.slice(0, 5)).toEqual(["1", "2", "3", "4", "5"]);
  await verdictsOf(2);
  expect(tried.slice(5, 8)).toEqual(["5", "6", "7"]);
});

test("at the limit of all connections the longest idle one makes room", async () => {
  const { send, verdictsOf, sender, servers } = await start({
    servers: [{}],
    settings: { maxConnections: 2 },
  });
  for (const site of ["a", "b", "c"]) {
    send({}, { route: { site } });
    await verdictsOf(sender.gauges().running);
    await until("idle", () => sender.gauges().running === 0 && sender.gauges().waiting === 0);
  }
  expect(await verdictsOf(3)).toHaveLength(3);
  expect(sender.gauges().connections).toBe(2);
  await until("the first to end", () => servers[0]?.sessions[0]?.ended);
  expect(servers[0]?.openSessions()).toBe(2);
});

test("a site that finds no place waits for one and gets it, and the sender says that it is full", async () => {
  const gate = createGate();
  const script = async (verb: string, line: string): Promise<Act> => {
    if (verb === "RCPT" && line.includes("to1@")) await gate.opened;
    return undefined;
  };
  const { send, verdictsOf, sender } = await start({
    servers: [{ script }],
    settings: { maxConnections: 1 },
  });
  send({}, { route: { site: "a" } });
  send({}, { route: { site: "b" } });
  await until("the first at work", () => sender.gauges().running === 1);
  expect(sender.gauges()).toMatchObject({ waiting: 1, connections: 1 });
  expect(sender.isFull()).toBe(true);
  gate.open();
  expect((await verdictsOf(2)).map((one) => one.kind)).toEqual(["delivered", "delivered"]);
  expect(sender.isFull()).toBe(false);
});

test("a kept connection that died is replaced without counting anything", async () => {
  let ended: FakeSession | undefined;
  const script = (verb: string, _: string, session: FakeSession): Act => {
    if (verb !== "MAIL" || session.number > 0 || session.messages.length === 0) return undefined;
    ended = session;
    return "CLOSE";
  };
  const { send, verdictsOf, servers } = await start({ servers: [{ script }] });
  send();
  await verdictsOf(1);
  send();
  expect((await verdictsOf(2)).map((one) => one.kind)).toEqual(["delivered", "delivered"]);
  expect(ended).toBe(servers[0]?.sessions[0]);
  expect(servers[0]?.sessions).toHaveLength(2);
});

test("a kept connection that says 421 to the next MAIL is replaced too", async () => {
  const script = (verb: string, _: string, session: FakeSession): Act =>
    verb === "MAIL" && session.messages.length > 0 ? "421 4.7.0 too many messages" : undefined;
  const { send, verdictsOf, servers } = await start({ servers: [{ script }] });
  for (let i = 0; i < 3; i++) send();
  expect((await verdictsOf(3)).map((one) => one.kind)).toEqual(new Array(3).fill("delivered"));
  expect(servers[0]?.sessions).toHaveLength(3);
});

test("a server that hangs up on an idle connection costs nothing", async () => {
  const { send, verdictsOf, servers, sender } = await start({
    servers: [{ script: (verb) => (verb === "." ? { raw: "250 2.0.0 ok\r\n" } : undefined) }],
  });
  send();
  await verdictsOf(1);
  await servers[0]?.hangUp();
  await until("the connection to be forgotten", () => sender.gauges().connections === 0);
  send();
  expect((await verdictsOf(2))[1]?.kind).toBe("delivered");
});

/** Four jobs wait, so that there is always one to send ahead; the first answer to a dot only measures how fast they come. */
async function fourJobs(script: (verb: string, session: FakeSession) => Act): Promise<Rig> {
  const rig = await start({
    servers: [
      {
        script: (verb, _, session) => (session.number === 0 ? script(verb, session) : undefined),
      },
    ],
  });
  for (let i = 0; i < 4; i++) rig.send();
  await rig.verdictsOf(4);
  return rig;
}

test("the next job's commands leave with the dot before them", async () => {
  const pending: boolean[] = [];
  const { servers, verdicts } = await fourJobs((verb, session) => {
    if (verb === ".") pending.push(session.pending.startsWith("MAIL FROM"));
    return undefined;
  });
  expect(pending).toEqual([false, true, true, false]);
  expect(verdicts.map((one) => one.kind)).toEqual(new Array(4).fill("delivered"));
  expect(servers[0]?.sessions).toHaveLength(1);
});

test("a refusal at the dot does not touch the job that was sent ahead", async () => {
  const { verdicts } = await fourJobs((verb, { messages }) =>
    verb === "." && messages.length === 1 ? "550 5.7.1 no" : undefined,
  );
  expect(verdicts.map((one) => one.kind).slice(0, 3)).toEqual(["delivered", "failed", "failed"]);
});

test("a connection lost at the dot leaves doubt on that job only", async () => {
  const { verdicts } = await fourJobs((verb, { messages }) =>
    verb === "." && messages.length === 1 ? "CLOSE" : undefined,
  );
  const doubted = verdicts.filter((one) => one.doubt);
  expect(doubted).toHaveLength(1);
  expect(doubted[0]).toMatchObject({ message: 2, kind: "deferred" });
  expect(verdicts.filter((one) => one.kind === "delivered")).toHaveLength(3);
});

test("a server that takes a message and hangs up gets the job that was sent ahead anew", async () => {
  const { verdicts, servers } = await fourJobs((verb, { messages }) =>
    verb === "MAIL" && messages.length === 2 ? "CLOSE" : undefined,
  );
  expect(verdicts.map((one) => [one.kind, one.doubt])).toEqual(
    new Array(4).fill(["delivered", false]),
  );
  expect(servers[0]?.messages()).toHaveLength(4);
});

test("lanes are served by weight, none is starved", () => {
  const lanes = createLanes<Priority>();
  for (let i = 0; i < 100; i++)
    for (const priority of [0, 1, 2] as const) lanes.push(priority, priority);
  const round = Array.from({ length: 21 }, () => lanes.take());
  const count = (priority: Priority): number => round.filter((one) => one === priority).length;
  expect([count(0), count(1), count(2)]).toEqual([16, 4, 1]);
  expect(lanes.size()).toBe(279);
});

test("a lane alone is served at full speed, and in order", () => {
  const lanes = createLanes<number>();
  for (let i = 0; i < 5000; i++) lanes.push(2, i);
  lanes.putBack(2, -1);
  const taken = Array.from({ length: 5001 }, () => lanes.take());
  expect(taken).toEqual(Array.from({ length: 5001 }, (_, i) => i - 1));
  expect(lanes.take()).toBeUndefined();
});

test("a stop lets the running job end and gives the waiting ones back uncounted", async () => {
  const gate = createGate();
  const script = async (verb: string): Promise<Act> => {
    if (verb === ".") await gate.opened;
    return undefined;
  };
  const { send, verdicts, sender, servers } = await start({ servers: [{ script }] });
  for (let i = 0; i < 4; i++) send();
  await until("a job at work", () => (servers[0]?.sessions[0]?.lines.length ?? 0) >= 4);
  const stopped = sender.stop(10_000);
  send();
  expect(verdicts.map((one) => one.kind)).toEqual(new Array(4).fill("interrupted"));
  gate.open();
  await stopped;
  expect(verdicts.at(-1)).toMatchObject({ kind: "delivered", message: 1 });
  expect(sender.gauges()).toMatchObject({ connections: 0, running: 0, waiting: 0 });
});

test("a stop does not wait for ever: what is past the dot comes back with doubt", async () => {
  const { send, verdicts, sender, servers } = await start({
    servers: [{ script: (verb) => (verb === "." ? "HANG" : undefined) }],
  });
  send();
  await until(
    "the dot",
    () =>
      (servers[0]?.sessions[0]?.pending.length ?? 1) === 0 &&
      servers[0]?.sessions[0]?.lines.includes("DATA"),
  );
  await sender.stop(50);
  expect(verdicts).toHaveLength(1);
  expect(verdicts[0]).toMatchObject({ kind: "interrupted", doubt: true });
});

test("a stop while a connection is being opened gives the mail back at once", async () => {
  const { send, verdicts, sender, servers } = await start({
    servers: [{ script: (verb) => (verb === "CONNECT" ? "HANG" : undefined) }],
  });
  send();
  await until("the connection", () => servers[0]?.sessions.length === 1);
  await sender.stop(10_000);
  expect(verdicts.map((one) => one.kind)).toEqual(["interrupted"]);
});

test("metrics count transactions, errors and open connections", async () => {
  const { send, verdictsOf, meter } = await start({ servers: [{}] });
  send();
  send();
  await verdictsOf(2);
  const samples = meter.drain();
  const counted = samples.filter((one) => one.name === "smtp_transactions_total");
  expect(counted).toEqual([
    expect.objectContaining({
      labels: { site: "example.net", tls: "false", reused: "false" },
      delta: 1,
    }),
    expect.objectContaining({
      labels: { site: "example.net", tls: "false", reused: "true" },
      delta: 1,
    }),
  ]);
  const value = (name: string): unknown => samples.find((one) => one.name === name);
  expect(value("postrider_site_connections")).toMatchObject({ value: 1 });
  expect(value("smtp_sessions_active")).toMatchObject({ value: 1 });
  expect(message.length).toBe(47);
});
