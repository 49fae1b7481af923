// Connections that break before any recipient was answered: all addresses are gone through again within the attempt.
import { expect, test } from "bun:test";
import { systemClock, type Clock } from "../../src/base/clock.ts";
import { deliverDefaults } from "../../src/deliver/settings.ts";
import { until } from "../fixtures/until.ts";
import type { Act, FakeSession } from "./fakeMx.ts";
import { rigsOfEachTest, stepOf } from "./rig.ts";

const start = rigsOfEachTest();

for (const verb of ["MAIL", "RCPT"])
  test(`an only address that hangs up at ${verb} is tried again within the attempt, after pauses that double`, async () => {
    const rounds = { times: 2, firstMs: 20 };
    const hangsUp = async (times: number) => {
      const script = (said: string, _: string, { number }: FakeSession): Act =>
        said === verb && number < times ? "CLOSE" : undefined;
      const settings = { rounds: { 0: rounds, 1: rounds, 2: rounds } };
      const { send, verdictsOf, servers, end } = await start({
        servers: [{ offers: [], script }],
        settings,
      });
      const beganMs = performance.now();
      send();
      const [verdict] = await verdictsOf(1);
      const tookMs = performance.now() - beganMs;
      await end();
      return { kind: verdict?.kind, sessions: servers[0]?.sessions.length, tookMs };
    };
    const mended = await hangsUp(2);
    expect(mended).toMatchObject({ kind: "delivered", sessions: 3 });
    expect(mended.tookMs).toBeGreaterThan(55);
    expect(await hangsUp(3)).toMatchObject({ kind: "deferred", sessions: 3 });
  });

test("a further round goes through all addresses again, the one that broke first first", async () => {
  const rounds = { times: 1, firstMs: 20 };
  const once = (said: string, _: string, { number }: FakeSession): Act =>
    said === "MAIL" && number === 0 ? "CLOSE" : undefined;
  const always = (said: string): Act => (said === "MAIL" ? "CLOSE" : undefined);
  const { send, verdictsOf, servers } = await start({
    servers: [{ script: always }, { script: once }],
    settings: { rounds: { 0: rounds, 1: rounds, 2: rounds } },
  });
  send();
  expect(stepOf((await verdictsOf(1))[0])).toMatchObject({
    outcome: "delivered",
    host: "mx2.example.com",
  });
  expect(servers.map(({ sessions }) => sessions.length)).toEqual([2, 2]);
});

test("a code does not wait for the pause of bulk mail under which a connection broke", async () => {
  const script = (said: string, line: string): Act =>
    said === "MAIL" && line.includes("bulk@") ? "CLOSE" : undefined;
  // No pause ends while the test runs.
  const clock: Clock = {
    ...systemClock,
    monotonicMs: () => systemClock.monotonicMs() / 1000,
    after: (delayMs, run) => systemClock.after(delayMs * 1000, run),
  };
  const { rounds } = deliverDefaults;
  const { send, verdictsOf, servers } = await start({
    servers: [{ offers: [], script }],
    settings: { rounds },
    clock,
  });
  send({ priority: 2, from: "bulk@example.com" });
  await until("the break", () => servers[0]?.sessions[0]?.ended === true);
  send({ priority: 0 });
  expect((await verdictsOf(1))[0]).toMatchObject({ message: 2, kind: "delivered" });
});

test("a best host of many dead addresses leaves the last try of an attempt to the next host", async () => {
  const dead = [1, 2, 3, 4, 5, 6, 7].map((n) => `198.51.100.${n}`);
  const hosts = [
    { name: "many.example.com", preference: 0, addresses: dead },
    { name: "next.example.com", preference: 1, addresses: ["192.0.2.1"] },
  ];
  const { send, verdictsOf } = await start({ servers: [{}], route: { hosts } });
  send();
  const [verdict] = await verdictsOf(1);
  expect(stepOf(verdict)).toMatchObject({ outcome: "delivered", host: "next.example.com" });
  const { dialogue = "" } = verdict ?? {};
  expect(dead.map((address) => dialogue.includes(`"${address}"`))).toEqual([
    ...[true, true, true, true],
    ...[false, false, false],
  ]);
});
