// Every fault of a resolver and of what it says, over real sockets (fault catalogue D1 to D21).
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";
import { systemRandom } from "../../src/base/random.ts";
import { createUdpExchange, udpLimits } from "../../src/dns/udp.ts";
import { makeQuery } from "../../src/dns/wire.ts";
import { addRecord, startFakeDns, USUAL_A } from "./fakeServer.ts";
import { openLab, said, type Lab } from "./lab.ts";

let lab: Lab;
beforeAll(async () => void (lab = await openLab()));
afterAll(() => lab.close());

const mx = async (name: string) => said(await lab.resolver.lookup("MX", name));
const usualMx = (name: string) => `[{"preference":10,"exchange":"ok-mx.${name}"}]`;

describe("what a server may answer", () => {
  test("a name that does not exist is a fact, and so is one without such records", async () => {
    expect(await mx("nxdomain.a.test")).toBe("nxdomain");
    expect(await mx("nodata.a.test")).toBe("nodata");
  });

  test("SERVFAIL, REFUSED and a referral say nothing about the name", async () => {
    expect(await mx("servfail.a.test")).toBe("unknown");
    expect(await mx("refused.a.test")).toBe("unknown");
    expect(await mx("lame.a.test")).toBe("unknown");
  });

  test("a truncated reply is asked for again over TCP", async () => {
    expect(await mx("truncate.a.test")).toBe(usualMx("truncate.a.test"));
    expect(lab.fakes[0]?.asked.at(-1)?.over).toBe("tcp");
    expect(await mx("tcprefused.a.test")).toBe("unknown");
  });

  test("a server that does not know EDNS is asked without it, now and later", async () => {
    for (const label of ["formerr", "bareformerr"]) {
      const own = await openLab();
      const name = `${label}.a.test`;
      expect(said(await own.resolver.lookup("MX", name))).toBe(usualMx(name));
      await own.resolver.lookup("MX", "ok.b.test");
      expect(own.fakes[0]?.asked.map((one) => one.edns)).toEqual([true, false, false]);
      await own.close();
    }
  });

  test("one address family that fails does not hide the other", async () => {
    expect(said(await lab.resolver.lookup("AAAA", "aaaafails.a.test"))).toBe("unknown");
    expect(said(await lab.resolver.lookup("A", "aaaafails.a.test"))).toBe(`["${USUAL_A}"]`);
  });

  test("the strings of one TXT record are joined", async () => {
    expect(said(await lab.resolver.lookup("TXT", "ok.txt.test"))).toBe('["v=spf1 -all"]');
  });

  test("an answer is secure if a trusted server has validated it, and all aliases on the way", async () => {
    const isSecure = async ({ resolver }: Lab, name: string) => {
      const answer = await resolver.lookup("A", name);
      return answer.kind === "found" && answer.secure;
    };
    expect(await isSecure(lab, "validated.a.test")).toBe(true);
    expect(await isSecure(lab, "ok.plain.test")).toBe(false);
    const [fake] = lab.fakes;
    if (fake === undefined) throw new Error("no server");
    addRecord(fake.zone, {
      type: "CNAME",
      name: "alias.a.test",
      ttl: 60,
      data: "validated.b.test",
    });
    expect(await isSecure(lab, "alias.a.test")).toBe(false);
    const stranger = await openLab({ trusted: false });
    expect(await isSecure(stranger, "validated.a.test")).toBe(false);
    await stranger.close();
  });

  test("a truncated reply is temporary where TCP is refused, and the server is not given up", async () => {
    const own = await openLab();
    expect(said(await own.resolver.lookup("MX", "tcprefused.a.test"))).toBe("unknown");
    expect(own.upstream.isSilent()).toBe(false);
    expect(said(await own.resolver.lookup("MX", "ok.a.test"))).toBe(usualMx("ok.a.test"));
    await own.close();
  });

  test("2,000 MX records in 64 KB are cut, not refused", async () => {
    const answer = await lab.resolver.lookup("MX", "many.t");
    expect(answer.kind === "found" && answer.records.length).toBe(512);
  });

  test("the case of letters does not matter", async () => {
    expect(await mx("case.a.test")).toBe(usualMx("case.a.test"));
  });
});

describe("packets that are not the reply", () => {
  for (const label of ["wrongid", "wrongquestion", "isquery", "spoof"]) {
    test(`${label} is ignored, and the true reply is waited for`, async () => {
      expect(await mx(`${label}.a.test`)).toBe(usualMx(`${label}.a.test`));
    });
  }
});

describe("replies that cannot be read", () => {
  for (const label of ["cut", "pointers", "counts"]) {
    test(`${label}: unknown after another try, never a throw`, async () => {
      const own = await openLab();
      expect(said(await own.resolver.lookup("MX", `${label}.a.test`))).toBe("unknown");
      expect(own.queries).toEqual(["broken", "broken"]);
      await own.close();
    });
  }

  test("eight bytes of nonsense are ignored", async () => {
    const own = await openLab({ timeoutMs: 30 });
    expect(said(await own.resolver.lookup("MX", "garbage.a.test"))).toBe("unknown");
    expect(own.queries).toEqual(["silent", "silent"]);
    await own.close();
  });
});

describe("servers that are gone", () => {
  test("silence is unknown, after a second try from another port with another id", async () => {
    const own = await openLab({ timeoutMs: 30 });
    expect(said(await own.resolver.lookup("MX", "silent.a.test"))).toBe("unknown");
    const [first, second] = own.fakes[0]?.asked ?? [];
    expect(own.fakes[0]?.asked.length).toBe(2);
    expect([first?.id, first?.port]).not.toEqual([second?.id, second?.port]);
    await own.close();
  });

  test("a lost datagram is asked for again", async () => {
    const own = await openLab({ timeoutMs: 100 });
    expect(said(await own.resolver.lookup("MX", "flaky.a.test"))).toBe(usualMx("flaky.a.test"));
    await own.close();
  });

  test("the next server is asked when the first is dead, and first from then on", async () => {
    const own = await openLab({ timeoutMs: 100, fakeCount: 2 });
    const [dead, alive] = own.fakes;
    if (dead === undefined || alive === undefined) throw new Error("two servers were started");
    dead.silent = true;
    expect(said(await own.resolver.lookup("MX", "ok.a.test"))).toBe(usualMx("ok.a.test"));
    expect(said(await own.resolver.lookup("MX", "ok.b.test"))).toBe(usualMx("ok.b.test"));
    expect([dead.asked.length, alive.asked.length]).toEqual([1, 2]);
    await own.close();
  });

  test("a closed port is noticed at once, and another server answers", async () => {
    const gone = await startFakeDns();
    await gone.close();
    const own = await openLab({ servers: [gone.server] });
    expect(said(await own.resolver.lookup("MX", "ok.a.test"))).toBe(usualMx("ok.a.test"));
    expect(own.queries).toEqual(["silent", "ok"]);
    await own.close();
  });

  test("a server that refuses is not asked twice, another one is", async () => {
    const own = await openLab({ fakeCount: 2 });
    expect(said(await own.resolver.lookup("MX", "servfail.a.test"))).toBe("unknown");
    expect(own.fakes.map((fake) => fake.asked.length)).toEqual([1, 1]);
    await own.close();
  });

  test("all tries together are bounded", async () => {
    const own = await openLab({ timeoutMs: 1_000, totalMs: 20, fakeCount: 3, rounds: 9 });
    for (const fake of own.fakes) fake.silent = true;
    expect(said(await own.resolver.lookup("MX", "ok.a.test"))).toBe("unknown");
    expect(own.queries).toEqual(["silent"]);
    await own.close();
  });

  test("a resolver that never replies is told to be silent, and one reply ends that", async () => {
    const own = await openLab({ timeoutMs: 20 });
    const [fake] = own.fakes;
    if (fake === undefined) throw new Error("a server was started");
    fake.silent = true;
    await own.resolver.lookup("MX", "ok.a.test");
    await own.resolver.lookup("MX", "ok.b.test");
    expect(own.upstream.isSilent()).toBe(true);
    fake.silent = false;
    expect(said(await own.resolver.lookup("MX", "ok.c.test"))).toBe(usualMx("ok.c.test"));
    expect(own.upstream.isSilent()).toBe(false);
    await own.close();
  });

  test("other servers from now on: what is out goes on to them", async () => {
    const own = await openLab();
    const [fake] = own.fakes;
    const [next] = lab.fakes;
    if (fake === undefined || next === undefined) throw new Error("no server");
    fake.silent = true;
    const open = own.resolver.lookup("MX", "ok.moved.test");
    own.upstream.configure({ servers: [next.server], timeoutMs: 5_000 });
    expect(said(await open)).toBe(usualMx("ok.moved.test"));
    expect(next.asked.some(({ name }) => name === "ok.moved.test")).toBe(true);
    await own.close();
  });

  test("closing settles what is open", async () => {
    const own = await openLab();
    const open = own.resolver.lookup("MX", "silent.a.test");
    own.upstream.close();
    expect(said(await open)).toBe("unknown");
    await own.close();
  });
});

describe("aliases", () => {
  function chain(name: string, length: number): void {
    for (let i = 0; i < length; i++)
      lab.fakes[0]?.zone.set(`${name}${i}.test`, [
        { type: "CNAME", name: `${name}${i}.test`, ttl: 60, data: `${name}${i + 1}.test` },
      ]);
    lab.fakes[0]?.zone.set(`${name}${length}.test`, [
      { type: "A", name: `${name}${length}.test`, ttl: 60, data: USUAL_A },
    ]);
  }

  test("a chain of twelve is followed, one question each if the server leaves it to us", async () => {
    chain("short", 12);
    expect(said(await lab.resolver.lookup("A", "short0.test"))).toBe(`["${USUAL_A}"]`);
  });

  test("a longer one, and a loop in one reply or over several, end as unknown", async () => {
    chain("long", 13);
    expect(said(await lab.resolver.lookup("A", "long0.test"))).toBe("unknown");
    expect(said(await lab.resolver.lookup("A", "loop.a.test"))).toBe("unknown");
    expect(said(await lab.resolver.lookup("A", "ringa.test"))).toBe("unknown");
  });

  test("an alias of a name that does not exist is no name", async () => {
    lab.fakes[0]?.zone.set("dangling.test", [
      { type: "CNAME", name: "dangling.test", ttl: 60, data: "gone.test" },
    ]);
    expect(said(await lab.resolver.lookup("A", "dangling.test"))).toBe("nxdomain");
  });
});

describe("many at once", () => {
  test("2,000 questions at once are all answered, over several ports", async () => {
    const own = await openLab();
    const names = Array.from({ length: 2_000 }, (_, i) => `ok.n${i}.test`);
    const answers = await Promise.all(names.map((name) => own.resolver.lookup("MX", name)));
    expect(answers.filter((answer) => answer.kind === "found").length).toBe(2_000);
    expect(own.queries.filter((result) => result !== "ok")).toEqual([]);
    const ports = new Set(own.fakes[0]?.asked.map((one) => one.port));
    expect(ports.size).toBeGreaterThanOrEqual(8);
    await own.close();
  });

  test("sockets are replaced, and at most so many questions are in flight", async () => {
    const fake = await startFakeDns();
    const limits = { inFlightMax: 4, socketsMax: 2, questionsPerSocket: 10, waitingMax: 90 };
    const { server } = fake;
    const udp = createUdpExchange({ server, clock: systemClock, random: systemRandom, limits });
    const query = makeQuery({ type: "A", name: "ok.a.test" }, { edns: true });
    const results = await Promise.all(
      Array.from({ length: 100 }, () => udp.exchange(query, { timeoutMs: 5_000, waitMs: 5_000 })),
    );
    const kinds = results.map((result) => result.kind);
    expect(kinds.filter((kind) => kind === "reply").length).toBe(94);
    expect(kinds.slice(94)).toEqual(new Array<"busy">(6).fill("busy"));
    expect(new Set(fake.asked.map((one) => one.port)).size).toBeGreaterThanOrEqual(8);
    udp.close();
    await fake.close();
  });
});

test("what waits for its turn is not taken for silence of the server", async () => {
  const limits = { ...udpLimits, inFlightMax: 1 };
  const own = await openLab({ timeoutMs: 40, totalMs: 60_000, limits });
  const open = own.resolver.lookup("MX", "silent.a.test");
  const names = Array.from({ length: 20 }, (_, i) => `ok.n${i}.test`);
  const answers = await Promise.all(names.map((name) => own.resolver.lookup("MX", name)));
  expect(answers.filter((answer) => answer.kind === "found").length).toBe(20);
  expect(own.upstream.isSilent()).toBe(false);
  expect(said(await open)).toBe("unknown");
  await own.close();
});

test("what is no domain name is not asked", async () => {
  const before = lab.fakes[0]?.asked.length;
  for (const name of ["", ".", "a..b", `${"x".repeat(64)}.test`, "bücher.test", "a b.test"])
    expect(await mx(name)).toBe("unknown");
  expect(lab.fakes[0]?.asked.length).toBe(before);
});

test("the hosts file is honoured for addresses, and localhost needs no question", async () => {
  const own = await openLab({
    hosts: "192.0.2.7 mail.lan mail # the gateway\n2001:db8::7 mail.lan",
  });
  const { lookup } = own.resolver;
  expect(said(await lookup("A", "MAIL.lan."))).toBe('["192.0.2.7"]');
  expect(said(await lookup("AAAA", "mail.lan"))).toBe('["2001:db8::7"]');
  expect(said(await lookup("AAAA", "mail"))).toBe("nodata");
  expect(said(await lookup("A", "localhost"))).toBe('["127.0.0.1"]');
  expect(said(await lookup("MX", "mail.lan"))).toBe("nxdomain");
  expect(own.fakes[0]?.asked.map((one) => one.type)).toEqual(["MX"]);
  await own.close();
});
