// What the engine does while our own line is down, and when it is back.
import { describe, expect, test } from "bun:test";
import { type Bench, createBench, DAY, HOUR, MINUTE, routeTo, type Sent, START } from "./bench.ts";
import type { UplinkView } from "../../src/mail/query.ts";
import type { Verdict } from "../../src/mail/verdict.ts";
import type { NetworkSigns } from "../../src/queue/outage.ts";
import type { Signs } from "../../src/queue/uplink.ts";
import type { Routing } from "../../src/route/route.ts";

const SECOND = 1000;

interface Sea {
  readonly bench: Bench;
  readonly told: UplinkView[];
  signs: Signs;
  asked: number;
}

/** A queue whose resolver says what the test says. */
function createSea(overrides = {}): Sea {
  const signs: NetworkSigns = {
    read: () => sea.signs,
    // Answers within the same turn, since the bench does not wait for promises.
    askResolver: () => ({ then: (done: () => void) => (sea.asked++, done()) }) as Promise<void>,
  };
  const told: UplinkView[] = [];
  const onUplink = (uplink: UplinkView): void => void told.push(uplink);
  const sea: Sea = {
    bench: undefined as unknown as Bench,
    told,
    signs: { resolverSilent: false, answeredAtMono: -1, wayOut: true },
    asked: 0,
  };
  const bench = createBench(overrides, 1, undefined, { signs, onUplink });
  return Object.assign(sea, { bench });
}

let network = 0;
const missing = (): Partial<Verdict> => ({
  kind: "deferred",
  scope: "host",
  class: "network",
  unreached: { network: `192.${network++}`, port25: true },
});

/** Mail to three sites that cannot be reached. */
function lose({ bench }: Sea): number[] {
  const ids = ["one", "two", "three"].map((name) => bench.submit({ to: [`a@${name}.example`] }));
  bench.run();
  for (const sent of bench.sent.splice(0)) bench.settle(sent, missing());
  bench.run(100);
  return ids;
}

/** Everything that is sent fails, as it does without a line. */
function drift({ bench }: Sea, forMs: number, stepMs = 10 * SECOND): Sent[] {
  const probes: Sent[] = [];
  for (let passed = 0; passed < forMs; passed += stepMs) {
    bench.run(stepMs);
    for (const sent of bench.sent.splice(0)) {
      probes.push(sent);
      bench.settle(sent, missing());
    }
  }
  bench.run(10);
  return probes;
}

const stateOf = (bench: Bench, id: number) => bench.recipient(id).state;

describe("a lost line", () => {
  test("holds everything, and its sites are not blamed", () => {
    const sea = createSea();
    const { bench } = sea;
    const ids = lose(sea);
    expect(sea.told.map((one) => one.state)).toEqual(["down"]);
    expect(bench.queue.health().uplink).toMatchObject({ state: "down" });
    const later = bench.submit({ to: ["a@four.example"] });
    bench.run(500);
    expect(bench.sent).toEqual([]);
    expect(stateOf(bench, later)).toMatchObject({ at: "queued", attempts: 0 });
    for (const id of ids) expect(stateOf(bench, id)).toMatchObject({ attempts: 0 });
    expect(bench.queue.look("one.example")).toMatchObject({ paused_until: null });
    expect(bench.logs).toContain("uplink.down");
  });

  test("sends one probe at a time, the first after a second, then ever more seldom", () => {
    const sea = createSea();
    lose(sea);
    const { bench } = sea;
    bench.run(SECOND);
    expect(bench.sent).toHaveLength(1);
    bench.run(MINUTE);
    expect(bench.sent).toHaveLength(1);
    const probes = drift(sea, HOUR);
    expect(probes.length).toBeWithin(55, 70);
    // Each line in its turn.
    expect(new Set(probes.map((one) => one.route.site)).size).toBe(3);
  });

  test("is looked for first where nothing bad is known, however many dead sites wait", () => {
    const sea = createSea();
    const { bench } = sea;
    lose(sea);
    for (let i = 0; i < 40; i++) bench.submit({ to: [`a@dead${i}.example`] });
    drift(sea, HOUR);
    const alive = bench.submit({ to: ["a@alive.example"] });
    bench.run(2 * MINUTE);
    expect(bench.sent.map(({ job }) => job.message)).toEqual([alive]);
  });

  test("burns no attempt and no lifetime, for as long as it takes", () => {
    const sea = createSea();
    const { bench } = sea;
    const ids = lose(sea);
    drift(sea, 30 * DAY, HOUR);
    // One of them is the probe that is out.
    for (const id of ids) expect(stateOf(bench, id)).toMatchObject({ attempts: 0 });
    expect(bench.events().some((one) => one.type === "email.failed")).toBe(false);
    // The line comes back, and the mail has its whole life before it.
    bench.run(2 * MINUTE);
    for (const sent of bench.sent.splice(0))
      bench.settle(sent, { kind: "deferred", scope: "recipient", class: "greylist" });
    bench.run(MINUTE);
    expect(bench.queue.health().uplink.state).toBe("up");
    for (const sent of bench.sent.splice(0))
      bench.settle(sent, { kind: "deferred", scope: "recipient", class: "other" });
    bench.run(MINUTE);
    expect(ids.map((id) => stateOf(bench, id).at)).toEqual(["deferred", "deferred", "deferred"]);
    expect(bench.events().some((one) => one.type === "email.failed")).toBe(false);
  });

  test("keeps its time through a restart", () => {
    const sea = createSea();
    const { bench } = sea;
    const [id = 0] = lose(sea);
    drift(sea, 6 * DAY, HOUR);
    bench.restart();
    bench.run(MINUTE);
    for (const sent of bench.sent.splice(0))
      bench.settle(sent, { kind: "deferred", scope: "recipient", class: "other" });
    bench.run();
    expect(stateOf(bench, id)).toMatchObject({ at: "deferred", attempts: 1 });
  });

  test("does not keep what asked for a time of its own", () => {
    const sea = createSea();
    const { bench } = sea;
    const before = bench.submit({ to: ["b@one.example"], dueAt: START + MINUTE });
    const early = bench.submit({
      to: ["c@one.example"],
      dueAt: START + 10,
      expiresAt: START + 3 * MINUTE,
    });
    lose(sea);
    const code = bench.submit({ to: ["a@four.example"], expiresAt: START + 2 * MINUTE });
    bench.run(90 * SECOND);
    expect(stateOf(bench, code).at).not.toBe("expired");
    drift(sea, 5 * MINUTE);
    expect(stateOf(bench, code)).toMatchObject({ at: "expired", attempts: 0 });
    expect(stateOf(bench, early).at).toBe("expired");
    expect(stateOf(bench, before).at).not.toBe("expired");
  });

  test("tells why in the timelines of some, and not of a million", () => {
    const sea = createSea({ queueMessagesMax: 10_000 });
    const { bench } = sea;
    lose(sea);
    const ids = Array.from({ length: 1500 }, (_, i) =>
      bench.submit({ to: [`r${i}@four.example`] }),
    );
    bench.run(10 * SECOND);
    const held = bench.events().filter((one) => one.type === "email.held");
    expect(held.length).toBeWithin(1000, 1010);
    const notes = bench.timeline(ids[1] ?? 0).filter((step) => step.kind === "note");
    expect(notes).toHaveLength(1);
    expect(notes[0]?.text).toContain("the uplink is down");
  });

  test("is over with the first server reached, and what waited leaves by priority", () => {
    const sea = createSea({ windowMax: 4 });
    const { bench } = sea;
    lose(sea);
    const bulk = [1, 2, 3].map(() => bench.submit({ to: ["a@four.example"], priority: 2 }));
    const codes = [1, 2, 3].map(() => bench.submit({ to: ["a@four.example"], priority: 0 }));
    bench.run(200);
    for (;;) {
      bench.run(MINUTE);
      const [probe] = bench.sent.splice(0);
      if (probe === undefined) throw new Error("no probe");
      bench.settle(probe, probe.job.priority === 1 ? missing() : { kind: "delivered" });
      bench.run(10);
      if (bench.queue.health().uplink.state === "up") break;
    }
    const four = bench.sent.filter((one) => one.route.site === "four.example");
    expect(four.slice(0, 2).map((one) => one.job.priority)).toEqual([0, 0]);
    expect(sea.told.map((one) => one.state)).toEqual(["down", "up"]);
    expect([...bulk, ...codes].every((id) => stateOf(bench, id).at !== "expired")).toBe(true);
  });
});

describe("a silent resolver", () => {
  const unknown: Routing = { kind: "unknown", text: "no server answered" };

  test("holds what has no route, without counting and without rest", () => {
    const sea = createSea();
    const { bench } = sea;
    bench.routes.set("far.example", unknown);
    sea.signs = { ...sea.signs, resolverSilent: true };
    const id = bench.submit({ to: ["a@far.example"] });
    drift(sea, 10 * MINUTE);
    expect(bench.queue.health().uplink).toMatchObject({ state: "down" });
    expect(bench.queue.health().uplink.detail).toContain("no resolver answers");
    expect(stateOf(bench, id)).toMatchObject({ at: "queued", attempts: 0 });
    expect(sea.asked).toBeGreaterThan(50);
    bench.routes.set("far.example", routeTo("far.example"));
    sea.signs = { ...sea.signs, resolverSilent: false };
    bench.run(15 * SECOND);
    expect(bench.sent).toHaveLength(1);
    expect(bench.queue.health().uplink.state).toBe("up");
  });

  test("holds nothing while servers are reached by routes that are known", () => {
    const sea = createSea();
    const { bench } = sea;
    bench.submit();
    bench.run();
    for (const sent of bench.sent.splice(0)) bench.settle(sent, { kind: "delivered" });
    sea.signs = { ...sea.signs, resolverSilent: true };
    bench.submit();
    bench.run(SECOND);
    expect(bench.sent).toHaveLength(1);
  });
});

test("a port that somebody forbids is told apart from a lost line, with its remedy", () => {
  const sea = createSea();
  lose(sea);
  sea.signs = { ...sea.signs, answeredAtMono: 1000 };
  drift(sea, 5 * MINUTE);
  expect(sea.told.map((one) => one.state)).toEqual(["down", "port25_blocked"]);
  expect(sea.bench.queue.health().uplink.detail).toContain("relay =");
  expect(sea.bench.logs).toContain("uplink.port25_blocked");
});

test("three dead sites among many that live hold nothing", () => {
  const sea = createSea();
  const { bench } = sea;
  for (let round = 0; round < 20; round++) {
    for (const name of ["one", "two", "three", "good"]) bench.submit({ to: [`a@${name}.example`] });
    bench.run(MINUTE);
    for (const sent of bench.sent.splice(0))
      bench.settle(sent, sent.route.site === "good.example" ? { kind: "delivered" } : missing());
  }
  expect(sea.told.filter((one) => one.state !== "up").length).toBeLessThanOrEqual(1);
  expect(bench.queue.health().uplink.state).toBe("up");
  expect(bench.queue.look("one.example")?.paused_until).not.toBeNull();
});

test("a route that never comes gives its mail back", () => {
  const bench = createBench();
  bench.routes.set("never.example", new Promise(() => {}));
  const id = bench.submit({ to: ["a@never.example"] });
  bench.run(2 * MINUTE);
  expect(stateOf(bench, id).at).toBe("sending");
  bench.run(MINUTE + SECOND);
  expect(stateOf(bench, id)).toMatchObject({ at: "deferred", attempts: 0 });
});

test("a damaged message is held, with its reason", () => {
  const bench = createBench();
  const id = bench.submit();
  bench.run();
  const damaged = { kind: "deferred", scope: "message", class: "local", hold: true } as const;
  for (const sent of bench.sent.splice(0)) bench.settle(sent, damaged);
  bench.run();
  expect(stateOf(bench, id).at).toBe("held");
  expect(bench.events().at(-1)?.type).toBe("email.held");
  expect(bench.timeline(id)).toHaveLength(1);
});

test("what must be mended is said once an hour for a site and class", () => {
  const bench = createBench();
  const refused = {
    kind: "failed",
    scope: "message",
    class: "authentication",
    alert: "x",
  } as const;
  const refuse = (times: number): void => {
    for (let i = 0; i < times; i++) bench.submit();
    bench.run();
    for (const sent of bench.sent.splice(0)) bench.settle(sent, refused);
    bench.run(100);
  };
  const alerts = (): number => bench.logs.filter((one) => one === "deliver.alert").length;
  refuse(20);
  expect(alerts()).toBe(1);
  bench.run(HOUR);
  refuse(20);
  expect(alerts()).toBe(2);
});

describe("a clock that is set forward by a year", () => {
  test("expires nothing, not even what fails meanwhile", () => {
    const bench = createBench();
    const ids = [1, 2, 3].map((n) => bench.submit({ to: [`a@s${n}.example`] }));
    bench.run();
    bench.clock.jump(365 * DAY);
    for (const sent of bench.sent.splice(0))
      bench.settle(sent, { kind: "deferred", scope: "recipient", class: "other" });
    bench.run(HOUR);
    for (const sent of bench.sent.splice(0))
      bench.settle(sent, { kind: "deferred", scope: "recipient", class: "other" });
    bench.run();
    for (const id of ids) expect(stateOf(bench, id)).toMatchObject({ at: "deferred", attempts: 2 });
  });

  test("and back again leaves every lifetime as long as it was", () => {
    const bench = createBench();
    const id = bench.submit();
    bench.run();
    bench.clock.jump(365 * DAY);
    bench.run(MINUTE);
    bench.clock.jump(-365 * DAY);
    for (let day = 0; day < 7; day++) {
      for (let hour = 0; hour < 24; hour++) {
        for (const sent of bench.sent.splice(0))
          bench.settle(sent, { kind: "deferred", scope: "recipient", class: "other" });
        bench.run(HOUR);
      }
    }
    expect(stateOf(bench, id).at).toBe("expired");
  });
});

test("the built-in sink takes its mail without any line", () => {
  const sea = createSea();
  const { bench } = sea;
  lose(sea);
  const id = bench.submit({ to: ["delivered@postrider.test"] });
  bench.run();
  const [sent] = bench.sent.splice(0);
  if (sent === undefined) throw new Error("nothing is sent");
  bench.settle(sent, { kind: "deferred", scope: "recipient", class: "other" });
  bench.run(10);
  expect(stateOf(bench, id)).toMatchObject({ at: "deferred", attempts: 1 });
  const probes = drift(sea, 2 * MINUTE, SECOND);
  expect(bench.queue.health().uplink.state).toBe("down");
  expect(probes.some((one) => one.route.site === "postrider.test")).toBe(true);
  expect(stateOf(bench, id)).toMatchObject({ at: "deferred" });
});

test("what expires while it waits for a probe costs one look, not a thousand", () => {
  const sea = createSea();
  const { bench } = sea;
  lose(sea);
  bench.run(SECOND);
  expect(bench.sent).toHaveLength(1);
  const id = bench.submit({ to: ["a@four.example"], expiresAt: bench.clock.now() + 5 * SECOND });
  bench.run(6 * SECOND);
  expect(stateOf(bench, id).at).toBe("expired");
  let steps = 0;
  const until = bench.clock.monotonicMs() + MINUTE;
  while (bench.clock.step(until)) steps++;
  expect(steps).toBeLessThan(200);
});
