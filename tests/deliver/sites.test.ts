// Sites in their sender, with real sockets: rates, what a provider's tenants share, what is learned, and that one site slows no other.
import { expect, test } from "bun:test";
import { deliverDefaults, type DeliverSettings } from "../../src/deliver/settings.ts";
import { HOST_FAILURES } from "../../src/mail/blame.ts";
import type { Job } from "../../src/mail/job.ts";
import type { Verdict } from "../../src/mail/verdict.ts";
import type { Route } from "../../src/route/route.ts";
import { until } from "../fixtures/until.ts";
import type { Act, FakeMxOptions, Script } from "./fakeMx.ts";
import { createPushedClock } from "./pushedClock.ts";
import { once, recipients, rigsOfEachTest } from "./rig.ts";

const start = rigsOfEachTest();

const MINUTE = 60_000;
const onePerMinute = { count: 1, perMs: MINUTE };

/** The part of a route that leads to the server of this place in the rig. */
function to(server: number, site = `s${server}.test`, name = `mx.s${server}.test`): Partial<Route> {
  return { site, hosts: [{ name, preference: 0, addresses: [`192.0.2.${server + 1}`] }] };
}

const settingsOf = (change: Partial<DeliverSettings>): DeliverSettings => ({
  ...deliverDefaults,
  rounds: once,
  ...change,
});

const idOf = (job: Job): number => job.message;
const orderOf = (verdicts: readonly Verdict[]): number[] => verdicts.map((one) => one.message);

test("a site gets its messages at its rate, and other sites are not held up by that", async () => {
  const clock = createPushedClock();
  const sites = { "s0.test": { messageRate: onePerMinute } };
  const { send, verdictsOf, sender } = await start({
    servers: [{}, {}],
    clock,
    settings: { sites },
  });
  for (let i = 0; i < 3; i++) send({}, { route: to(0) });
  for (let i = 0; i < 5; i++) send({}, { route: to(1) });
  await verdictsOf(6);
  await until("the rest to wait", () => sender.gauges().running === 0);
  expect(sender.gauges()).toMatchObject({ waiting: 2 });
  expect(sender.sites().find(({ site }) => site === "s0.test")?.message_wait_ms).toBeGreaterThan(0);
  clock.push(MINUTE);
  await verdictsOf(7);
  clock.push(MINUTE);
  await verdictsOf(8);
});

test("connections are opened at their rate, and one that stands goes on beyond its usual share", async () => {
  const clock = createPushedClock();
  const { send, verdictsOf, servers } = await start({
    servers: [{}],
    clock,
    settings: { connectRate: onePerMinute, connectionMessages: 2 },
  });
  for (let i = 0; i < 5; i++) send();
  await verdictsOf(5);
  expect(servers[0]?.sessions.map((session) => session.messages.length)).toEqual([5]);
  clock.push(MINUTE);
  for (let i = 0; i < 2; i++) send();
  await verdictsOf(7);
  expect(servers[0]?.sessions).toHaveLength(2);
});

test("a limit of messages that a site's own row names is kept, though a new connection must wait", async () => {
  const clock = createPushedClock();
  const sites = { "example.net": { connectionMessages: 2, connectRate: onePerMinute } };
  const { send, verdictsOf, sender, servers } = await start({
    servers: [{}],
    clock,
    settings: { sites },
  });
  for (let i = 0; i < 3; i++) send();
  await verdictsOf(2);
  await until("the connection to end", () => servers[0]?.openSessions() === 0);
  expect(sender.gauges()).toMatchObject({ waiting: 1, connections: 0, opening: 0 });
  clock.push(MINUTE);
  await verdictsOf(3);
  expect(servers[0]?.sessions).toHaveLength(2);
});

test("tenants of one provider share its limits, and never a connection", async () => {
  const { send, verdicts, verdictsOf, servers, sender } = await start({
    servers: [{}, {}, {}],
    settings: { siteConnections: 1 },
  });
  for (let round = 0; round < 4; round++)
    for (let tenant = 0; tenant < 3; tenant++)
      send({}, { route: to(tenant, "outlook.com", `t${tenant}.mail.protection.outlook.com`) });
  expect(sender.gauges()).toMatchObject({ sites: 1, opening: 1 });
  let most = 0;
  while (verdicts.length < 12) {
    const { connections, opening } = sender.gauges();
    most = Math.max(most, connections + opening);
    await verdictsOf(verdicts.length + 1);
  }
  expect(most).toBe(1);
  for (const server of servers) expect(server.messages()).toHaveLength(4);
});

test("domains whose routes name the same hosts share a connection", async () => {
  const { send, verdictsOf, servers } = await start({ servers: [{}] });
  for (let i = 0; i < 3; i++) send({}, { route: { ...to(0) } });
  await verdictsOf(3);
  expect(servers[0]?.sessions).toHaveLength(1);
});

test("what a site asks for to be paused is heeded by all that waits there, and counts for none of it", async () => {
  const script = (verb: string): Act =>
    verb === "MAIL" ? "421-4.7.28 unusual rate of unsolicited mail - gsmtp" : undefined;
  const said = (verb: string): Act => {
    const act = script(verb);
    return typeof act === "string" ? act.replace("421-", "421 ") : act;
  };
  const { send, verdictsOf, servers } = await start({ servers: [{ script: said }, {}] });
  for (let i = 0; i < 20; i++) send({}, { route: to(0, "google.com", "aspmx.l.google.com") });
  const other = send({}, { route: to(1) });
  const verdicts = await verdictsOf(21);
  const [first, ...rest] = verdicts.filter((one) => one.message !== idOf(other));
  expect(first).toMatchObject({ kind: "deferred", pause: { rule: "google.rate" } });
  expect(new Set(rest.map((one) => one.kind))).toEqual(new Set(["interrupted"]));
  const asked = servers[0]?.sessions.flatMap(({ lines }) => lines.filter(isMail)) ?? [];
  expect(asked).toHaveLength(1);
  expect(verdicts.find((one) => one.message === idOf(other))?.kind).toBe("delivered");
});

const isMail = (line: string): boolean => line.startsWith("MAIL");

test("jobs that the queue sent before it heard of the pause come back untried, later ones are tried", async () => {
  const clock = createPushedClock();
  let isThrottling = true;
  const script = (verb: string): Act =>
    verb === "MAIL" && isThrottling ? "451 4.7.650 rate limited (S775)" : undefined;
  const { send, verdictsOf } = await start({ servers: [{ script }], clock });
  const route = to(0, "outlook.com", "a.mail.protection.outlook.com");
  send({}, { route });
  expect((await verdictsOf(1))[0]?.pause?.rule).toContain("microsoft");
  send({}, { route });
  expect((await verdictsOf(2))[1]?.kind).toBe("interrupted");
  isThrottling = false;
  // The queue may stand at its disk for a while, and send what it decided before.
  clock.push(25_000);
  send({}, { route });
  expect((await verdictsOf(3))[2]?.kind).toBe("interrupted");
  clock.push(10_000);
  send({}, { route });
  expect((await verdictsOf(4))[3]?.kind).toBe("delivered");
});

test("of a message that needs several transactions, none is begun once the site asked for a pause", async () => {
  const offers = ["LIMITS RCPTMAX=1", "ENHANCEDSTATUSCODES"];
  const script = (verb: string, line: string): Act =>
    verb === "RCPT" && line.includes("second") ? "451 4.7.650 rate limited (S775)" : undefined;
  const { send, verdictsOf, servers } = await start({ servers: [{ offers, script }] });
  const route = to(0, "outlook.com", "a.mail.protection.outlook.com");
  send({ recipients: recipients("first", "second", "third", "fourth") }, { route });
  const verdicts = await verdictsOf(4);
  const kinds = verdicts.map((one) => one.kind);
  expect(kinds).toEqual(["delivered", "deferred", "interrupted", "interrupted"]);
  expect(servers[0]?.sessions.flatMap(({ lines }) => lines.filter(isMail))).toHaveLength(2);
});

test("a site that fails without asking for a pause is tried again soon", async () => {
  const clock = createPushedClock();
  let isFailing = true;
  const script = (verb: string): Act =>
    verb === "CONNECT" && isFailing ? "421 4.3.2 Too busy" : undefined;
  const { send, verdictsOf } = await start({ servers: [{ script }], clock });
  for (let i = 0; i < HOST_FAILURES; i++) {
    send();
    await verdictsOf(i + 1);
    clock.push(6_000);
  }
  isFailing = false;
  send();
  expect((await verdictsOf(HOST_FAILURES + 1)).at(-1)?.kind).toBe("delivered");
});

test("the number of connections grows with success", async () => {
  const { send, verdictsOf, sender } = await start({ servers: [{}] });
  for (let i = 0; i < 200; i++) send();
  expect(sender.sites()[0]).toMatchObject({ concurrency: 2, connections: 0, waiting: 200 });
  await verdictsOf(200);
  expect(sender.sites()[0]?.concurrency).toBeGreaterThan(4);
});

test("a server that bears two connections is found out, and all of its mail arrives", async () => {
  let open = 0;
  const script = (verb: string): Act => {
    if (verb === "CONNECT" && ++open > 2) return "421 4.7.0 Too many connections";
    return undefined;
  };
  const settings = { connectionMessages: 1000 };
  const { send, verdictsOf, sender, servers } = await start({ servers: [{ script }], settings });
  for (let i = 0; i < 400; i++) send();
  const verdicts = await verdictsOf(400);
  expect(verdicts.filter((one) => one.kind === "delivered")).toHaveLength(400);
  expect(sender.sites()[0]?.ceiling).toBe(2);
  // The second one, and a few that were refused: not one for each message.
  expect(servers[0]?.sessions.length).toBeLessThan(6);
});

test("limits change while mail flows, and what was learned stays", async () => {
  const { send, verdicts, verdictsOf, sender } = await start({
    servers: [{}],
    settings: { startConnections: 4 },
  });
  for (let i = 0; i < 100; i++) send();
  await until("several connections", () => sender.gauges().connections >= 3);
  const { concurrency } = sender.sites()[0] ?? { concurrency: 0 };
  expect(concurrency).toBeGreaterThanOrEqual(4);
  sender.configure(settingsOf({ siteConnections: 1 }));
  expect(sender.sites()[0]?.concurrency).toBe(1);
  await verdictsOf(100);
  await until("one connection", () => sender.gauges().connections === 1);
  for (let i = 0; i < 100; i++) send();
  sender.configure(settingsOf({}));
  expect(sender.sites()[0]?.concurrency).toBeGreaterThanOrEqual(4);
  await verdictsOf(200);
  expect(verdicts.every((one) => one.kind === "delivered")).toBe(true);
});

test("a long line of one site does not keep another from the only connection", async () => {
  const { send, verdictsOf } = await start({ servers: [{}, {}], settings: { maxConnections: 1 } });
  for (let i = 0; i < 200; i++) send({}, { route: to(0) });
  const late = idOf(send({}, { route: to(1) }));
  const order = orderOf(await verdictsOf(201));
  expect(order.indexOf(late)).toBeLessThan(60);
});

test("silent servers leave places for those that have answered before", async () => {
  const silent: FakeMxOptions = { script: (verb) => (verb === "CONNECT" ? "HANG" : undefined) };
  const servers = [{}, ...Array.from({ length: 8 }, () => silent)];
  const { send, verdictsOf, sender } = await start({
    servers,
    settings: { maxConnections: 4, idleMs: 1 },
  });
  send({}, { route: to(0) });
  await verdictsOf(1);
  await until("it to be closed", () => sender.gauges().connections === 0);
  for (let i = 1; i <= 8; i++) send({}, { route: to(i) });
  await until("all they may have", () => sender.gauges().opening === 3);
  send({}, { route: to(0) });
  expect((await verdictsOf(2))[1]?.kind).toBe("delivered");
});

test("one of twenty sites refuses, and the other nineteen do not notice", async () => {
  const refusing: FakeMxOptions = {
    script: (verb) => (verb === "CONNECT" ? "421 4.3.2 not now" : undefined),
  };
  const servers = [refusing, ...Array.from({ length: 19 }, () => ({}))];
  const { send, verdictsOf } = await start({ servers, settings: { maxConnections: 20 } });
  const good = new Set<number>();
  for (let i = 0; i < 10; i++)
    for (let site = 0; site < 20; site++) {
      const job = send({}, { route: to(site) });
      if (site > 0) good.add(job.message);
    }
  const verdicts = await verdictsOf(200);
  const delivered = verdicts.filter((one) => one.kind === "delivered").map((one) => one.message);
  expect(new Set(delivered)).toEqual(good);
  // Nothing of the refusing site was said for good, and nothing of it burnt an attempt.
  for (const one of verdicts)
    if (!good.has(one.message))
      expect(one.kind === "interrupted" || one.scope === "host" || one.scope === "site").toBe(true);
});

test("a reply that does not come is told while it is waited for, and its time once it came", async () => {
  const clock = createPushedClock();
  let answer = (): void => {};
  const late = new Promise<string>((resolve) => (answer = () => resolve("250 2.1.5 Ok")));
  const script: Script = (verb) => (verb === "RCPT" ? late : undefined);
  const { send, verdictsOf, sender } = await start({ servers: [{ script }], clock });
  send();
  const waits = () => sender.sites()[0]?.waits;
  await until("the reply to be waited for", () => waits()?.phase === "rcpt");
  clock.push(7000);
  expect(waits()?.ms).toBeGreaterThanOrEqual(7000);
  answer();
  await verdictsOf(1);
  const site = sender.sites()[0]?.site ?? "";
  const [slowest] = sender.phases(site);
  expect(slowest?.phase).toBe("rcpt");
  // Within a quarter.
  expect(slowest?.p50_ms).toBeGreaterThan(5200);
  expect(sender.phases(site).map(({ phase }) => phase)).toContain("connect");
});
