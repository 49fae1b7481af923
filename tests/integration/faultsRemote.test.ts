// What remote servers and resolvers can do wrong, met by the compiled daemon through a resolver and real sockets: all of it is
// deferred and told, none of it bounces, others are not held up, and what is well again gets its mail.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Act, type FakeMx, startFakeMx } from "../deliver/fakeMx.ts";
import { type FakeDns, addRecord, startFakeDns } from "../dns/fakeServer.ts";
import { type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { freePort } from "../fixtures/process.ts";
import { until } from "../fixtures/until.ts";
import {
  counts,
  createEnds,
  newFolder,
  reaches,
  send,
  shown,
  timeline,
  type Told,
} from "./faultsRig.ts";

/** At which verb a server does what; servers of one port differ in their loopback address. */
const faults = {
  "hangs.test": { verb: "EHLO", act: "HANG", address: "127.0.0.2" },
  "dot.test": { verb: ".", act: "CLOSE", address: "127.0.0.3" },
  "long.test": {
    verb: "RCPT",
    act: { raw: `250 ${"x".repeat(2_000_000)}\r\n` },
    address: "127.0.0.4",
  },
  "closes.test": { verb: "CONNECT", act: "CLOSE", address: "127.0.0.5" },
  "good.test": { verb: "", act: undefined, address: "127.0.0.6" },
} as const satisfies Record<string, { verb: string; act: Act; address: string }>;
type Domain = keyof typeof faults;
const domains = Object.keys(faults) as Domain[];

const ends = createEnds();
const servers = new Map<Domain, FakeMx>();
const ids = new Map<string, string>();
let dns: FakeDns;
let daemon: Daemon;
/** From then on every server is a good one. */
let healed = false;

beforeAll(async () => {
  const port = await freePort();
  dns = await startFakeDns();
  ends.add(dns.close);
  for (const domain of domains) {
    const { verb: wrongVerb, act, address } = faults[domain];
    addRecord(dns.zone, { type: "A", name: domain, ttl: 300, data: address });
    const server = await startFakeMx({
      listen: { host: address, port },
      script: (verb) => (!healed && verb === wrongVerb ? act : undefined),
    });
    ends.add(server.close);
    servers.set(domain, server);
  }
  const settings = {
    "--dns-servers": `127.0.0.1:${dns.server.port}`,
    "--dns-timeout": "100ms",
    "--smtp-port": String(port),
    "--deny-destinations": "none",
    "--hostname": "sender.test",
  };
  daemon = await startDaemon({ dataDir: newFolder(ends), flags: Object.entries(settings).flat() });
  ends.add(() => daemon.stop());
  for (const domain of [...domains, "servfail.test", "silent.test"])
    ids.set(domain, await send(daemon, `x@${domain}`));
});
afterAll(() => ends.run(), 60_000);

const idOf = (domain: string): string => ids.get(domain) ?? "";

/** The first attempt as it is told once the mail waits for another one. */
async function firstDelay(domain: string): Promise<Told["postrider"]> {
  const one = await reaches(daemon, idOf(domain), "deferred");
  expect(Date.parse(one.next_attempt_at ?? "")).toBeGreaterThan(Date.now());
  const told = await timeline(daemon, idOf(domain));
  expect(told.map(({ type }) => type)).not.toContain("email.bounced");
  return told.find(({ type }) => type === "email.delivery_delayed")?.postrider ?? {};
}

describe("mail is deferred and not bounced", () => {
  test("when the server closes after the dot, and marked, since it may have been taken", async () => {
    expect(await firstDelay("dot.test")).toMatchObject({
      host: "dot.test",
      address: "127.0.0.3",
      phase: "dot",
      code: null,
      class: "network",
      doubt: true,
    });
  });

  test("when a reply is 2 MB long", async () => {
    expect(await firstDelay("long.test")).toMatchObject({
      phase: "rcpt",
      class: "protocol",
      doubt: false,
    });
  });

  test("when the server accepts the connection and closes", async () => {
    expect(await firstDelay("closes.test")).toMatchObject({
      phase: "greeting",
      class: "network",
      doubt: false,
    });
    // The network error was looked at again within the attempt, which counts as one.
    expect(servers.get("closes.test")?.sessions.length).toBeGreaterThan(1);
  });

  test.each(["servfail.test", "silent.test"])("when the resolver says: %s", async (domain) => {
    expect(await firstDelay(domain)).toMatchObject({ doubt: false });
    expect((await shown(daemon, idOf(domain))).last).not.toBe("");
  });
});

test("a server that hangs after its banner keeps only its own mail waiting", async () => {
  await until("it was greeted", () =>
    servers.get("hangs.test")?.sessions.some(({ lines }) => lines[0]?.startsWith("EHLO")),
  );
  await reaches(daemon, idOf("good.test"), "delivered");
  await reaches(daemon, await send(daemon, "y@good.test"), "delivered");
  expect((await shown(daemon, idOf("hangs.test"))).state).toBe("sending");
});

test("nothing is lost: what is well again gets its mail", async () => {
  await Promise.all([...ids.keys()].filter((d) => !/good|hangs/.test(d)).map(firstDelay));
  healed = true;
  for (const name of ["servfail.test", "silent.test"])
    addRecord(dns.zone, { type: "A", name, ttl: 300, data: faults["good.test"].address });
  // Its deadline is five minutes (RFC 5321 4.5.3.2): nobody waits for that here.
  await servers.get("hangs.test")?.hangUp();
  for (const id of ids.values()) await reaches(daemon, id, "delivered");
  expect(await counts(daemon)).toEqual({ delivered: ids.size + 1 });
  for (const server of servers.values()) expect(server.messages().length).toBeGreaterThanOrEqual(1);
  const doubts = (await timeline(daemon, idOf("dot.test"))).filter(
    ({ postrider }) => postrider["doubt"] === true,
  );
  expect(doubts.map(({ type }) => type)).toEqual(["email.attempted", "email.delivery_delayed"]);
});
