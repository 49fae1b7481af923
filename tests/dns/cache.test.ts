import { describe, expect, test } from "bun:test";
import {
  cacheLimits,
  createDnsCache,
  type CacheLimits,
  type Fetched,
} from "../../src/dns/cache.ts";
import type { MxRecord } from "../../src/dns/answer.ts";
import type { KeptAnswer } from "../../src/dns/kept.ts";
import { handClock, said } from "./lab.ts";

type Said = Fetched<MxRecord>;

const found = (ttlMs: number, exchange = "mx.test"): Said => ({
  kind: "found",
  records: [{ preference: 10, exchange }],
  ttlMs,
  secure: false,
});
const none = (ttlMs: number): Said => ({ kind: "none", why: "nxdomain", ttlMs, secure: false });
const failed: Said = { kind: "unknown", why: "SERVFAIL" };

function openCache(limits: Partial<CacheLimits> = {}, kept: readonly KeptAnswer[] = []) {
  const clock = handClock();
  const asked: string[] = [];
  const rows: KeptAnswer[] = [];
  const seen: string[] = [];
  const line = { silent: false };
  let next: Said | Promise<Said> = found(60_000);
  const cache = createDnsCache({
    clock,
    limits: { ...cacheLimits, entriesMax: 100, bytesMax: 100_000, ...limits },
    obtain: async (type, name) => {
      asked.push(`${type} ${name}`);
      // The tests ask for MX only.
      return (await next) as never;
    },
    keep: (row) => void rows.push(row),
    recall: (key) => kept.find((row) => row.key === key),
    isSilent: () => line.silent,
    onLookup: (level, result) => void seen.push(`${level} ${result}`),
  });
  const answerWith = (said: Said | Promise<Said>): void => void (next = said);
  const mx = async (name: string) => said(await cache.lookup("MX", name));
  return { clock, asked, rows, seen, line, cache, answerWith, mx };
}

const known = '[{"preference":10,"exchange":"mx.test"}]';

describe("what is known", () => {
  test("comes back without a promise until its time is over", async () => {
    const { cache, clock, asked, mx } = openCache();
    expect(cache.lookup("MX", "a.test")).toBeInstanceOf(Promise);
    await mx("a.test");
    expect(cache.lookup("MX", "a.test")).not.toBeInstanceOf(Promise);
    await clock.advance(59_999);
    expect(cache.lookup("MX", "a.test")).not.toBeInstanceOf(Promise);
    await clock.advance(1);
    expect(cache.lookup("MX", "a.test")).toBeInstanceOf(Promise);
    expect(asked).toEqual(["MX a.test", "MX a.test"]);
  });

  test("lives at least five seconds and at most a day, whatever the server says", async () => {
    for (const [ttlMs, livesMs] of [
      [0, 5_000],
      [60_000, 60_000],
      [2_147_483_647_000, 86_400_000],
      [Number.POSITIVE_INFINITY, 86_400_000],
    ] as const) {
      const { cache, clock, answerWith } = openCache();
      answerWith(found(ttlMs));
      const answer = await cache.lookup("MX", "a.test");
      expect(answer.freshUntil - clock.now()).toBe(livesMs);
    }
  });

  test("does not live longer when the wall clock is set back", async () => {
    const { cache, clock, mx } = openCache();
    await mx("a.test");
    clock.setWall(clock.now() - 10 * 86_400_000);
    expect(cache.lookup("MX", "a.test")).toBeInstanceOf(Promise);
  });

  test("is asked for once, however many want it at the same time", async () => {
    const { asked, seen, mx } = openCache();
    const answers = await Promise.all([mx("a.test"), mx("a.test"), mx("a.test")]);
    expect(answers).toEqual([known, known, known]);
    expect(asked.length).toBe(1);
    expect(seen).toEqual(["l1 miss", "l1 joined", "l1 joined"]);
  });

  test("is told by type: an MX says nothing about the addresses", async () => {
    const { cache, asked, mx } = openCache();
    await mx("a.test");
    await cache.lookup("A", "a.test");
    expect(asked).toEqual(["MX a.test", "A a.test"]);
  });
});

describe("what is unknown", () => {
  test("is remembered for five seconds, so that a dead zone is not asked all the time", async () => {
    const { clock, asked, answerWith, mx } = openCache();
    answerWith(failed);
    expect(await mx("a.test")).toBe("unknown");
    expect(await mx("a.test")).toBe("unknown");
    expect(asked.length).toBe(1);
    await clock.advance(5_000);
    answerWith(found(60_000));
    expect(await mx("a.test")).toBe(known);
  });

  test("too many names at once are unknown, and the next ones are asked again", async () => {
    const { asked, answerWith, mx } = openCache({ inFlightMax: 2 });
    let release = (_: Said): void => {};
    answerWith(new Promise<Said>((resolve) => (release = resolve)));
    const open = [mx("a.test"), mx("b.test")];
    expect(await mx("c.test")).toBe("unknown");
    release(found(60_000));
    expect(await Promise.all(open)).toEqual([known, known]);
    expect(await mx("c.test")).toBe(known);
    expect(asked.length).toBe(3);
  });
});

describe("what a server fails to say, again and again", () => {
  test("rests twice as long each time, up to five minutes, and begins anew after an answer", async () => {
    const { cache, clock, answerWith } = openCache();
    const told: Said = { kind: "unknown", why: "SERVFAIL", told: true };
    const restS = async (): Promise<number> => {
      const answer = await cache.lookup("MX", "a.test");
      const restMs = answer.freshUntil - clock.now();
      await clock.advance(restMs);
      return restMs / 1000;
    };
    answerWith(told);
    const rests: number[] = [];
    for (let i = 0; i < 9; i++) rests.push(await restS());
    expect(rests).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300]);
    answerWith(none(60_000));
    await restS();
    answerWith(told);
    expect(await restS()).toBe(5);
  });

  test("silence rests five seconds each time: the line may be back", async () => {
    const { cache, clock, answerWith } = openCache();
    answerWith(failed);
    for (let i = 0; i < 5; i++) {
      const answer = await cache.lookup("MX", "a.test");
      expect(answer.freshUntil - clock.now()).toBe(5_000);
      await clock.advance(5_000);
    }
  });
});

describe("while the resolver is down", () => {
  test("for hours, every lookup is answered, and each is counted as stale", async () => {
    const { clock, seen, answerWith, mx } = openCache();
    await mx("a.test");
    answerWith(failed);
    await clock.advance(60_000);
    const before = seen.length;
    for (let minute = 0; minute < 5 * 60; minute++) {
      expect(await mx("a.test")).toBe(known);
      expect(await mx("a.test")).toBe(known);
      await clock.advance(60_000);
    }
    const counts = seen.slice(before).filter((one) => one === "l1 stale").length;
    expect(counts).toBe(2 * 5 * 60);
  });

  test("what was found serves for three days, asked again every half minute", async () => {
    const { clock, asked, seen, answerWith, mx } = openCache();
    await mx("a.test");
    answerWith(failed);
    await clock.advance(3_600_000);
    expect(await mx("a.test")).toBe(known);
    expect(seen.at(-1)).toBe("l1 stale");
    expect(await mx("a.test")).toBe(known);
    expect(asked.length).toBe(2);
    await clock.advance(30_000);
    expect(await mx("a.test")).toBe(known);
    expect(asked.length).toBe(3);
    await clock.advance(3 * 86_400_000);
    expect(await mx("a.test")).toBe("unknown");
  });

  test("what did not exist is unknown again: no bounce follows from an old absence", async () => {
    const { clock, answerWith, mx } = openCache();
    answerWith(none(60_000));
    expect(await mx("a.test")).toBe("nxdomain");
    answerWith(failed);
    await clock.advance(60_000);
    expect(await mx("a.test")).toBe("unknown");
  });

  test("a new fact replaces the stale one, also when the name is gone", async () => {
    const { clock, answerWith, mx } = openCache();
    await mx("a.test");
    answerWith(failed);
    await clock.advance(60_000);
    expect(await mx("a.test")).toBe(known);
    answerWith(none(60_000));
    await clock.advance(30_000);
    expect(await mx("a.test")).toBe("nxdomain");
  });

  test("who could have a stale answer does not wait for the timeouts", async () => {
    const { clock, answerWith, mx } = openCache();
    await mx("a.test");
    await clock.advance(60_000);
    answerWith(new Promise<Said>(() => {}));
    const answer = mx("a.test");
    await clock.advance(1_800);
    expect(await answer).toBe(known);
  });
});

test("once the resolver is known to be silent, a stale answer is there without a promise", async () => {
  const { cache, clock, asked, line, answerWith, mx } = openCache();
  await mx("a.test");
  answerWith(failed);
  line.silent = true;
  await clock.advance(60_000);
  expect(cache.lookup("MX", "a.test")).not.toBeInstanceOf(Promise);
  // It is asked for in the background, and what comes of it counts.
  expect(asked.length).toBe(2);
  await clock.advance(0);
  line.silent = false;
  answerWith(found(60_000, "new.test"));
  await clock.advance(30_000);
  expect(await mx("a.test")).toContain("new.test");
});

describe("the second level", () => {
  test("facts are told as rows, failures are not, and the rows serve after a restart", async () => {
    const first = openCache();
    await first.mx("a.test");
    first.answerWith(none(60_000));
    await first.mx("gone.test");
    first.answerWith(failed);
    await first.mx("broken.test");
    expect(first.rows.map((row) => row.key)).toEqual(["MX a.test", "MX gone.test"]);

    const second = openCache({}, first.rows);
    expect(await second.mx("a.test")).toBe(known);
    expect(await second.mx("gone.test")).toBe("nxdomain");
    expect(await second.mx("a.test")).toBe(known);
    expect(second.asked).toEqual([]);
    expect(second.seen).toEqual(["l2 hit", "l2 hit", "l1 hit"]);
  });

  test("an expired row serves only while the resolver is down, one too old not at all", async () => {
    const answer = JSON.stringify({ kind: "found", records: [{ preference: 1, exchange: "old" }] });
    const { clock } = openCache();
    const { answerWith, mx } = openCache({}, [
      { key: "MX a.test", answer, expiresAt: clock.now() - 1 },
      { key: "MX b.test", answer, expiresAt: clock.now() - 3 * 86_400_000 },
    ]);
    answerWith(failed);
    expect(await mx("a.test")).toContain("old");
    expect(await mx("b.test")).toBe("unknown");
  });

  test("a damaged row is as good as none", async () => {
    const { clock } = openCache();
    const expiresAt = clock.now() + 1_000;
    const rows: KeptAnswer[] = [
      { key: "MX a.test", answer: "{", expiresAt },
      { key: "MX b.test", answer: "null", expiresAt },
      { key: "MX c.test", answer: '{"kind":"found","records":[]}', expiresAt },
      { key: "MX d.test", answer: '{"kind":"found","records":[{"preference":"1"}]}', expiresAt },
      { key: "MX e.test", answer: '{"kind":"none","why":"maybe"}', expiresAt },
      { key: "MX f.test", answer: '{"kind":"none","why":"nodata"}', expiresAt: Number.NaN },
      { key: "MX g.test", answer: "", expiresAt: 0 },
    ];
    const { asked, mx } = openCache({}, rows);
    for (const { key } of rows) expect(await mx(key.slice(3))).toBe(known);
    expect(asked.length).toBe(rows.length);
  });

  test("a name that left the memory is read back, without a question", async () => {
    const first = openCache();
    for (let i = 0; i < 200; i++) await first.mx(`n${i}.test`);
    const second = openCache({ entriesMax: 10 }, first.rows);
    for (let i = 0; i < 200; i++) expect(await second.mx(`n${i}.test`)).toBe(known);
    expect(second.asked).toEqual([]);
    expect(second.cache.size()).toBe(10);
  });
});

describe("ahead of its end", () => {
  test("an answer is asked for again without being missed, and a failure takes nothing away", async () => {
    const { cache, clock, asked, seen, answerWith, mx } = openCache();
    await mx("a.test");
    await clock.advance(50_000);
    answerWith(failed);
    await cache.renew("MX", "a.test");
    expect(await mx("a.test")).toBe(known);
    expect(seen.at(-1)).toBe("l1 hit");
    answerWith(found(60_000, "new.test"));
    await cache.renew("MX", "a.test");
    expect(await mx("a.test")).toContain("new.test");
    expect(asked.length).toBe(3);
    expect(cache.peek("MX", "a.test")?.renewAt).toBe(clock.now() + 54_000);
  });
});

test("one name is forgotten with all its types, or everything is", async () => {
  const { cache, mx } = openCache();
  await mx("a.test");
  await cache.lookup("A", "a.test");
  await mx("b.test");
  expect(cache.flush("a.test")).toEqual(["MX a.test", "A a.test"]);
  expect(cache.peek("MX", "a.test")).toBeUndefined();
  expect(cache.flush()).toEqual(["MX b.test"]);
  expect(cache.size()).toBe(0);
});

describe("a flood of names", () => {
  test("the number of entries is bounded, and what is in use stays", async () => {
    const { cache, asked, mx } = openCache({ entriesMax: 50 });
    await mx("hot.test");
    for (let i = 0; i < 5_000; i++) {
      await mx(`n${i}.test`);
      await mx("hot.test");
      expect(cache.size()).toBeLessThanOrEqual(50);
    }
    expect(asked.filter((key) => key === "MX hot.test").length).toBe(1);
  });

  test("the bytes are bounded too: large answers leave room for fewer", async () => {
    const { cache, answerWith, mx } = openCache({ bytesMax: 10_000 });
    answerWith(found(60_000, "x".repeat(1_000)));
    for (let i = 0; i < 100; i++) await mx(`n${i}.test`);
    expect(cache.size()).toBeLessThanOrEqual(8);
    answerWith(found(60_000, "x".repeat(20_000)));
    expect(await mx("huge.test")).toContain("xxx");
    expect(cache.size()).toBeGreaterThan(0);
  });
});
