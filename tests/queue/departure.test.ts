import { describe, expect, test } from "bun:test";
import { noLog } from "../../src/base/log.ts";
import { createSources, type Sources, type SourceSettings } from "../../src/queue/sources.ts";
import type { QueueStore } from "../../src/queue/store.ts";
import type { Route } from "../../src/route/route.ts";
import { createBench, DAY, HOUR, MINUTE, routeTo, type Sent, START, stepOf } from "./bench.ts";

const cold = { address: "198.51.100.1", ehlo: null, weight: 1, warmup: true };
const warm = { address: "198.51.100.2", ehlo: null, weight: 1, warmup: false };
const others: SourceSettings = { sources: [cold, warm], bySender: new Map() };

function open(settings: SourceSettings) {
  let made: Sources | undefined;
  const bench = createBench({}, 1, (store: QueueStore) => {
    made = createSources({ settings, log: noLog, roll: () => 0.5, recall: store.recallOne });
    return made;
  });
  return {
    bench,
    configure(next: SourceSettings): void {
      made?.configure(next);
      bench.queue.reopen();
    },
    /** What left since the last call, each delivered. */
    taken(): Sent[] {
      const sent = bench.sent.splice(0);
      for (const one of sent) bench.settle(one, { kind: "delivered" });
      bench.run();
      return sent;
    },
  };
}

const from = (sent: readonly Sent[], { address }: { readonly address: string }): number =>
  sent.filter(({ route }) => route.source?.address === address).length;

describe("a site that each address has had enough of", () => {
  test("waits until the next day, as a line, and loses nothing", () => {
    const { bench, taken } = open({ sources: [cold], bySender: new Map() });
    const ids = Array.from({ length: 120 }, () => bench.submit());
    bench.run(HOUR);
    expect(from(taken(), cold)).toBe(50);
    bench.run(DAY - 2 * HOUR);
    expect(taken().length).toBe(0);
    bench.run(2 * HOUR);
    expect(from(taken(), cold)).toBe(70);
    for (const id of ids) expect(bench.recipient(id).state.at).toBe("delivered");
  });

  test("takes no more on the same day after a kill", () => {
    const { bench, taken } = open({ sources: [cold], bySender: new Map() });
    let sent = 0;
    for (let life = 0; life < 6; life++) {
      for (let i = 0; i < 12; i++) bench.submit();
      bench.run(MINUTE);
      sent += taken().length;
      bench.restart();
      bench.run(MINUTE);
    }
    expect(sent).toBeLessThanOrEqual(50);
    expect(sent).toBeGreaterThan(20);
  });

  test("opens at once when the settings give it another address", () => {
    const { bench, configure, taken } = open({ sources: [cold], bySender: new Map() });
    for (let i = 0; i < 60; i++) bench.submit();
    bench.run(MINUTE);
    expect(taken().length).toBe(50);
    configure(others);
    bench.run(MINUTE);
    expect(from(taken(), warm)).toBe(10);
  });

  test("leaves other sites alone, also by the same address", () => {
    const { bench, taken } = open({ sources: [cold], bySender: new Map() });
    for (let i = 0; i < 60; i++) bench.submit();
    for (let i = 0; i < 20; i++) bench.submit({ to: ["b@other.example"] });
    bench.run(MINUTE);
    const sent = taken();
    expect(sent.filter(({ route }) => route.site === "other.example").length).toBe(20);
    expect(sent.length).toBe(70);
  });
});

test("mail that no address of ours can carry says so in its timeline, and ends with its lifetime", () => {
  const v6 = { ...warm, address: "2001:db8::1" };
  const { bench, configure, taken } = open({ sources: [v6], bySender: new Map() });
  const [lost, late] = [bench.submit(), bench.submit()];
  bench.run(4 * DAY);
  expect(bench.sent).toEqual([]);
  const [first] = bench.timeline(lost);
  expect(first).toMatchObject({ outcome: "deferred", class: "local", phase: "route" });
  expect(first?.text).toBe("no address of [[source]] reaches example.com, which has IPv4 only");
  bench.run(2 * DAY);
  expect(bench.recipient(lost).state.at).toBe("expired");
  expect(bench.recipient(late).state.at).toBe("expired");
  const next = bench.submit();
  bench.run(MINUTE);
  configure({ sources: [v6, warm], bySender: new Map() });
  bench.run(HOUR);
  expect(from(taken(), warm)).toBe(1);
  expect(bench.recipient(next).state.at).toBe("delivered");
});

test("all attempts of a message leave from one address, and its recipients at a site share a job", () => {
  const { bench } = open({ ...others, sources: [{ ...cold, warmup: false }, warm] });
  const to = ["a@example.com", "b@example.com"];
  const ids = Array.from({ length: 20 }, () => bench.submit({ to }));
  bench.run();
  expect(bench.sent.map(({ job }) => job.recipients.length)).toEqual(ids.map(() => 2));
  const addresses = new Map(ids.map((id) => [id, new Set<string | undefined>()]));
  for (let hour = 0; hour < 4; hour++) {
    for (const sent of bench.sent.splice(0)) {
      addresses.get(sent.job.message)?.add(sent.route.source?.address);
      for (const { n } of sent.job.recipients)
        bench.settle(sent, { kind: "deferred", scope: "recipient", class: "greylist" }, n);
    }
    bench.run(HOUR);
  }
  for (const id of ids) expect(bench.recipient(id).state).toMatchObject({ at: "sending" });
  expect([...addresses.values()].map((used) => used.size)).toEqual(ids.map(() => 1));
  expect(new Set([...addresses.values()].flatMap((used) => [...used])).size).toBe(2);
});

describe("a sender domain with relays of its own", () => {
  const relay: Route = {
    site: "relay:r.test:25/s.test",
    via: "relay",
    hosts: [{ name: "r.test", preference: 0, addresses: ["192.0.2.9"] }],
    port: 25,
    tls: "opportunistic",
    implicitTls: false,
    login: null,
  };

  test("is not held up by the DNS of its recipients, and holds up nobody", () => {
    const bench = createBench();
    bench.routes.set("dead.test", { kind: "unknown", text: "SERVFAIL" });
    bench.routes.set("dead.test s.test", {
      kind: "route",
      route: relay,
      freshUntil: START + 10 * DAY,
    });
    const plain = bench.submit({ to: ["a@dead.test"], from: "x@t.test" });
    const own = bench.submit({ to: ["a@dead.test"], from: "x@s.test" });
    bench.run(MINUTE);
    expect(bench.sent.map(({ job, route }) => [job.message, route.site])).toEqual([
      [own, relay.site],
    ]);
    bench.routes.set("dead.test", routeTo("dead.test"));
    bench.routes.set("dead.test s.test", { kind: "unknown", text: "SERVFAIL" });
    bench.run(HOUR);
    expect(bench.sent.some(({ job }) => job.message === plain)).toBe(true);
  });
});

test("what a server put off comes again from the same address, over midnight and a kill", () => {
  const { bench } = open(others);
  bench.run(DAY - MINUTE);
  const ids = Array.from({ length: 120 }, () => bench.submit());
  bench.run();
  const first = bench.sent.splice(0);
  const addresses = new Map(first.map(({ job, route }) => [job.message, route.source?.address]));
  expect(from(first, cold)).toBe(50);
  for (const one of first) {
    const step = stepOf("deferred", bench.clock.now(), "greylist", one.route.source?.address);
    bench.settle(one, { kind: "deferred", class: "greylist", step });
  }
  bench.run();
  bench.restart();
  bench.run(HOUR);
  const again = bench.sent.splice(0);
  expect(again.length).toBe(ids.length);
  for (const { job, route } of again)
    expect(route.source?.address).toBe(addresses.get(job.message));
});

test("what a greylist put off comes again from the same address, though it has had its share of the day", () => {
  const { bench } = open(others);
  const ids = Array.from({ length: 120 }, () => bench.submit());
  bench.run();
  const first = bench.sent.splice(0);
  const addresses = new Map(first.map(({ job, route }) => [job.message, route.source?.address]));
  expect(from(first, cold)).toBe(50);
  for (const one of first) {
    const step = stepOf("deferred", bench.clock.now(), "greylist", one.route.source?.address);
    bench.settle(one, { kind: "deferred", class: "greylist", step });
  }
  for (let i = 0; i < 50; i++) bench.submit();
  bench.run(HOUR);
  const again = bench.sent.splice(0).filter(({ job }) => addresses.has(job.message));
  expect(again.length).toBe(ids.length);
  for (const { job, route } of again)
    expect(route.source?.address).toBe(addresses.get(job.message));
});
