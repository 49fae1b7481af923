// Policies by MTA-STS over time: fetched once, kept to their end, renewed in the background, and never lost to a failure.
import { expect, test } from "bun:test";
import { noLog } from "../../src/base/log.ts";
import type { KeptAnswer } from "../../src/dns/kept.ts";
import { createStsBook, type FetchedPolicy } from "../../src/route/stsBook.ts";
import { handClock } from "../dns/lab.ts";
import { zoneLookup, type Zone } from "./zone.ts";

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

const policy = (mode: string, maxAgeS = 604_800, mx = "mx.a.test"): FetchedPolicy => ({
  kind: "text",
  text: `version: STSv1\nmode: ${mode}\nmx: ${mx}\nmax_age: ${maxAgeS}\n`,
});
const failed: FetchedPolicy = { kind: "failed", why: "status 404" };

/** The web answers with whatever `web.said` is at the moment. */
function openBook(zone: Zone = { "TXT _mta-sts.a.test": ["v=STSv1; id=1"] }, entriesMax = 100) {
  const clock = handClock();
  const rows = new Map<string, KeptAnswer>();
  const web = { said: policy("enforce"), fetches: 0, hold: Promise.resolve() };
  const changed: string[] = [];
  const open = () =>
    createStsBook({
      clock,
      lookup: zoneLookup(clock, zone).lookup,
      async fetch() {
        web.fetches++;
        await web.hold;
        return web.said;
      },
      log: noLog,
      keep: (row) => void rows.set(row.key, row),
      recall: (key) => rows.get(key),
      changed: (domain) => void changed.push(domain),
      entriesMax,
    });
  return { book: open(), reopen: open, clock, web, zone, rows, changed };
}

test("a domain without a record is asked for nothing", async () => {
  for (const said of [undefined, "nodata", "fails", ["v=spf1 -all"]] as const) {
    const { book, web } = openBook(said === undefined ? {} : { "TXT _mta-sts.a.test": said });
    expect((await book.stateOf("a.test")).policy).toBeNull();
    expect(web.fetches).toBe(0);
  }
});

test("a policy is fetched once, however many want it, and then known at once", async () => {
  const { book, web } = openBook();
  const [one, two] = await Promise.all([book.stateOf("a.test"), book.stateOf("a.test")]);
  expect(one.policy).toMatchObject({ id: "1", mode: "enforce", mx: ["mx.a.test"] });
  expect(two.policy).toBe(one.policy);
  expect(book.stateOf("a.test")).not.toBeInstanceOf(Promise);
  expect(web.fetches).toBe(1);
});

test("it survives a restart, and its record that is gone", async () => {
  const { book, reopen, web, zone, rows, clock } = openBook();
  await book.stateOf("a.test");
  expect([...rows.keys()]).toEqual(["sts a.test"]);
  for (const said of ["nodata", "fails", ["v=STSv1; id=1", "v=STSv1; id=2"]] as const) {
    zone["TXT _mta-sts.a.test"] = said;
    expect((await reopen().stateOf("a.test")).policy?.mode).toBe("enforce");
  }
  expect(web.fetches).toBe(1);
  await clock.advance(604_800_000);
  expect((await reopen().stateOf("a.test")).policy).toBeNull();
});

test("a damaged row is as good as none", async () => {
  const { reopen, rows, web, clock } = openBook();
  const expiresAt = clock.now() + DAY_MS;
  for (const answer of ["", "{", "null", "[]", '{"id":1}', '{"id":"1","mode":"on"}']) {
    rows.set("sts a.test", { key: "sts a.test", answer, expiresAt });
    expect((await reopen().stateOf("a.test")).policy?.id).toBe("1");
  }
  expect(web.fetches).toBe(6);
});

test("a new id brings the new policy in the background; until it is there the old one holds", async () => {
  const { book, web, zone, changed } = openBook();
  await book.stateOf("a.test");
  zone["TXT _mta-sts.a.test"] = ["v=STSv1; id=2"];
  web.said = policy("testing");
  let go = (): void => {};
  web.hold = new Promise((resolve) => (go = resolve));
  expect(book.stateOf("a.test")).toMatchObject({ policy: { id: "1", mode: "enforce" } });
  expect(book.stateOf("a.test")).toMatchObject({ policy: { id: "1" } });
  expect([web.fetches, changed.length]).toEqual([2, 0]);
  go();
  while (changed.length === 0) await Promise.resolve();
  expect(book.stateOf("a.test")).toMatchObject({ policy: { id: "2", mode: "testing" } });
});

test("a refresh that fails keeps the old policy, and is tried again later and later", async () => {
  const { book, web, zone, clock } = openBook();
  await book.stateOf("a.test");
  zone["TXT _mta-sts.a.test"] = ["v=STSv1; id=2"];
  web.said = failed;
  const fetched: number[] = [];
  for (let minute = 0; minute < 200; minute++) {
    const before = web.fetches;
    expect(book.stateOf("a.test")).toMatchObject({ policy: { id: "1" } });
    if (web.fetches > before) fetched.push(minute);
    await clock.advance(0);
    await clock.advance(MINUTE_MS);
  }
  expect(fetched).toEqual([0, 5, 15, 35, 75, 135, 195]);
});

test("a policy is looked at again after a day, or half its life", async () => {
  for (const [maxAgeS, afterMs] of [
    [604_800, DAY_MS],
    [3_600, 1_800_000],
  ] as const) {
    const { book, web, clock } = openBook();
    web.said = policy("enforce", maxAgeS);
    await book.stateOf("a.test");
    await clock.advance(afterMs);
    void book.stateOf("a.test");
    expect(web.fetches).toBe(1);
    await clock.advance(1);
    void book.stateOf("a.test");
    expect(web.fetches).toBe(2);
  }
});

test("a first fetch that fails means no policy for a while", async () => {
  const { book, web, clock } = openBook();
  web.said = failed;
  const state = await book.stateOf("a.test");
  expect(state).toMatchObject({ policy: null, why: expect.stringContaining("status 404") });
  expect(state.freshUntil).toBe(clock.now() + 5 * MINUTE_MS);
  await book.stateOf("a.test");
  expect(web.fetches).toBe(1);
  await clock.advance(5 * MINUTE_MS);
  web.said = policy("enforce");
  expect((await book.stateOf("a.test")).policy?.mode).toBe("enforce");
});

test("other settings let what failed be tried again at once", async () => {
  const { book, web } = openBook();
  web.said = failed;
  await book.stateOf("a.test");
  book.forgetFailures();
  web.said = policy("enforce");
  expect((await book.stateOf("a.test")).policy?.mode).toBe("enforce");
});

test("a policy that says almost nothing of its life is not fetched for each mail", async () => {
  const { book, web, clock } = openBook();
  web.said = policy("enforce", 0);
  await book.stateOf("a.test");
  await clock.advance(MINUTE_MS);
  await book.stateOf("a.test");
  expect(web.fetches).toBe(1);
});

test("a clock that was set back makes no policy live longer than any may", async () => {
  const { book, clock, web } = openBook();
  web.said = policy("enforce", 31_557_600);
  await book.stateOf("a.test");
  clock.setWall(clock.now() - DAY_MS);
  web.said = failed;
  expect((await book.stateOf("a.test")).policy).toBeNull();
});

test("many domains at once are fetched a few at a time, each in its turn", async () => {
  const zone: Zone = {};
  for (let i = 0; i < 600; i++) zone[`TXT _mta-sts.d${i}.test`] = ["v=STSv1; id=1"];
  const { book, web } = openBook(zone, 1_000);
  let go = (): void => {};
  web.hold = new Promise((resolve) => (go = resolve));
  const states = Object.keys(zone).map((_, i) => book.stateOf(`d${i}.test`));
  for (let i = 0; i < 50; i++) await Promise.resolve();
  expect(web.fetches).toBe(32);
  go();
  const all = await Promise.all(states);
  // As many as there is room for to wait; the last ones go without.
  expect(all.filter(({ policy: one }) => one !== null).length).toBe(532);
  expect(all[599]).toMatchObject({ policy: null, why: expect.stringContaining("too many") });
});
