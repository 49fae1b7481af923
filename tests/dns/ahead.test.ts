import { describe, expect, test } from "bun:test";
import { createAhead, dueKeys, type Peek } from "../../src/dns/ahead.ts";
import type { Answer, RecordOf, RecordType } from "../../src/dns/answer.ts";
import { createBusy } from "../../src/dns/busy.ts";
import type { Peeked } from "../../src/dns/cache.ts";
import { handClock } from "./lab.ts";

type Known = Answer<RecordOf[RecordType]>;

const found = (...records: RecordOf[RecordType][]): Known => ({
  kind: "found",
  records,
  freshUntil: 1_000,
  secure: false,
});

/** A cache as `"MX a.test": [answer, renewAt]`. */
function cacheOf(entries: Readonly<Record<string, readonly [Known, number]>>): Peek {
  return (type, name): Peeked | undefined => {
    const entry = entries[`${type} ${name}`];
    if (entry === undefined) return undefined;
    return { answer: entry[0], level: "l1", stale: false, renewAt: entry[1] };
  };
}

const mx = found({ preference: 10, exchange: "mx.test" }, { preference: 20, exchange: "mx2.test" });
const address = found("192.0.2.1");
const unknown: Known = { kind: "unknown", why: "SERVFAIL", freshUntil: 1_000 };
const namesOf = (keys: readonly { type: string; name: string }[]): string[] =>
  keys.map(({ type, name }) => `${type} ${name}`);

describe("what is due", () => {
  const peek = cacheOf({
    "MX a.test": [mx, 100],
    "A mx.test": [address, 50],
    "AAAA mx.test": [{ kind: "none", why: "nodata", freshUntil: 1_000, secure: false }, 100],
    "A mx2.test": [address, 101],
    "AAAA mx2.test": [unknown, 0],
    "TLSA _25._tcp.mx.test": [found("x"), 100],
    "TXT _mta-sts.a.test": [found("v=STSv1"), 100],
    "MX b.test": [mx, 90],
    "MX plain.test": [{ kind: "none", why: "nodata", freshUntil: 1_000, secure: false }, 200],
    "A plain.test": [address, 10],
  });

  test("is what a domain's mail asks for, in the last part of its life, each question once", () => {
    expect(namesOf(dueKeys(["a.test", "b.test"], peek, 100, 99))).toEqual([
      "MX a.test",
      "TXT _mta-sts.a.test",
      "A mx.test",
      "AAAA mx.test",
      "TLSA _25._tcp.mx.test",
      "MX b.test",
    ]);
    expect(dueKeys(["a.test", "b.test"], peek, 49, 99)).toEqual([]);
  });

  test("is the domain's own address where it has no MX, and nothing of a stranger", () => {
    expect(namesOf(dueKeys(["plain.test", "stranger.test"], peek, 100, 99))).toEqual([
      "A plain.test",
    ]);
  });

  test("is bounded, the busiest first", () => {
    expect(namesOf(dueKeys(["b.test", "a.test"], peek, 100, 2))).toEqual([
      "MX b.test",
      "A mx.test",
    ]);
  });
});

describe("use", () => {
  test("is counted, fades by half, and what is not used any more is forgotten", () => {
    const busy = createBusy();
    for (const [domain, times] of [
      ["a.test", 1],
      ["b.test", 5],
      ["c.test", 3],
    ] as const)
      for (let i = 0; i < times; i++) busy.note(domain);
    expect(busy.top(2)).toEqual(["b.test", "c.test"]);
    busy.fade();
    expect(busy.top(9)).toEqual(["b.test", "c.test"]);
    busy.fade();
    busy.fade();
    expect(busy.size()).toBe(0);
  });

  test("of a million domains takes bounded room, and those in use stay", () => {
    const busy = createBusy(1_000);
    for (let i = 0; i < 100_000; i++) {
      busy.note(`n${i}.test`);
      if (i % 10 === 0) busy.note("hot.test");
      if (i % 1_000 === 0) expect(busy.size()).toBeLessThanOrEqual(1_000);
    }
    expect(busy.top(1)).toEqual(["hot.test"]);
  });
});

describe("in the background", () => {
  function open(silent = false) {
    const clock = handClock();
    const busy = createBusy();
    busy.note("a.test");
    const asked: string[] = [];
    const state = { silent };
    const entries: Record<string, readonly [Known, number]> = { "MX a.test": [mx, clock.now()] };
    const ahead = createAhead({
      clock,
      busy,
      cache: {
        peek: (type, name) => cacheOf(entries)(type, name),
        async renew(type, name) {
          asked.push(`${type} ${name}`);
          entries[`${type} ${name}`] = [mx, clock.now() + 7_000];
        },
      },
      isSilent: () => state.silent,
    });
    return { ahead, clock, asked, state };
  }

  const seconds = async (clock: ReturnType<typeof handClock>, count: number) => {
    for (let i = 0; i < count; i++) await clock.advance(1_000);
  };

  test("what is due is asked for within seconds, until it stops", async () => {
    const { ahead, clock, asked } = open();
    ahead.start();
    await seconds(clock, 17);
    expect(asked).toEqual(["MX a.test", "MX a.test"]);
    ahead.stop();
    await seconds(clock, 60);
    expect(asked.length).toBe(2);
  });

  test("nothing is asked while the resolver is silent, or of domains that fell out of use", async () => {
    const { ahead, clock, asked, state } = open(true);
    ahead.start();
    await seconds(clock, 6);
    expect(asked).toEqual([]);
    state.silent = false;
    await seconds(clock, 5);
    expect(asked.length).toBe(1);
    // Ten minutes, until the counts are halved and the busiest are chosen anew.
    await seconds(clock, 700);
    const last = asked.length;
    await seconds(clock, 60);
    expect(asked.length).toBe(last);
    ahead.stop();
  });
});
