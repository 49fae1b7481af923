import { describe, expect, test } from "bun:test";
import { noLog } from "../../src/base/log.ts";
import { SOURCE_UNBOUND, type Verdict } from "../../src/mail/verdict.ts";
import { createSources, type Sources, type SourceSettings } from "../../src/queue/sources.ts";
import type { KeptAnswer } from "../../src/queue/store.ts";
import type { Route } from "../../src/route/route.ts";

const DAY_MS = 86_400_000;
const NOON = 20_000 * DAY_MS + DAY_MS / 2;

const cold = { address: "192.0.2.1", ehlo: "a.test", weight: 1, warmup: true };
const warm = { address: "192.0.2.2", ehlo: null, weight: 1, warmup: false };
const noSenders: SourceSettings["bySender"] = new Map();

const route = (site = "mx.test", via: Route["via"] = "mx"): Route => ({
  site,
  via,
  hosts: [{ name: site, preference: 10, addresses: ["192.0.2.25"] }],
  port: 25,
  tls: "opportunistic",
  implicitTls: false,
  login: null,
});

function open(sources: SourceSettings["sources"], disk = new Map<string, KeptAnswer>()) {
  const made: Sources = createSources({
    settings: { sources, bySender: noSenders },
    log: noLog,
    roll: () => 0,
    recall: (key) => disk.get(key),
  });
  let message = 0;
  return {
    ...made,
    disk,
    commit(): void {
      for (const row of made.rows()) disk.set(row.key, row);
      made.written();
    },
    send(to: Route, now = NOON, from = "x@s.test") {
      return made.assign(to, { message: ++message, from }, now);
    },
  };
}

function addressOf(assigned: ReturnType<Sources["assign"]>): string {
  return assigned.kind === "route" ? (assigned.route.source?.address ?? "any") : "wait";
}

const verdict = (part: Partial<Verdict>): Verdict => ({
  message: 1,
  n: 0,
  claim: 1,
  kind: "delivered",
  scope: "recipient",
  class: "none",
  doubt: false,
  step: "",
  ...part,
});

const unreached = verdict({
  kind: "deferred",
  scope: "host",
  class: "network",
  unreached: { network: "192.0.2.0/24", port25: true },
});

describe("the cap of a new address", () => {
  test("is kept, by site and by day, and what is beyond it goes to a warm one", () => {
    const sources = open([cold, warm]);
    const { send } = sources;
    const to = route();
    const charged: Route[] = [];
    const used = Array.from({ length: 400 }, () => {
      const assigned = send(to);
      const address = addressOf(assigned);
      if (assigned.kind === "route" && address === cold.address) charged.push(assigned.route);
      return address;
    });
    expect(used.filter((address) => address === cold.address).length).toBe(50);
    expect(used).not.toContain("wait");
    const other = Array.from({ length: 400 }, () => addressOf(send(route("other.test"))));
    expect(other.filter((address) => address === cold.address).length).toBe(50);
    expect(sources.look("mx.test", NOON)[0]?.warmup).toEqual({ sent: 50, cap: 50 });
    for (const one of charged.slice(0, 25)) sources.learn(one, verdict({}), NOON);
    const next = Array.from({ length: 400 }, () => addressOf(send(to, NOON + DAY_MS)));
    expect(next.filter((address) => address === cold.address).length).toBe(100);
  });

  test("without a warm one the site waits until tomorrow", () => {
    const { send } = open([cold]);
    const to = route();
    for (let i = 0; i < 50; i++) expect(addressOf(send(to))).toBe(cold.address);
    expect(send(to)).toEqual({ kind: "wait", until: NOON + DAY_MS / 2, site: true });
    expect(addressOf(send(to, NOON + DAY_MS / 2))).toBe(cold.address);
  });

  test("survives a kill, a stop and other settings: never more than the cap, and after a stop exactly it", () => {
    for (const ending of ["killed", "stopped", "configured"]) {
      let life = open([cold]);
      const to = route();
      let sent = 0;
      for (let i = 0; i < 5; i++) {
        for (let j = 0; j < 9 && addressOf(life.send(to)) === cold.address; j++) sent++;
        if (ending === "configured") {
          life.configure({ sources: [], bySender: noSenders });
          life.configure({ sources: [cold], bySender: noSenders });
          continue;
        }
        if (ending === "stopped") life.settle();
        life.commit();
        life = open([cold], life.disk);
      }
      while (addressOf(life.send(to)) === cold.address) sent++;
      expect(sent).toBeLessThanOrEqual(50);
      if (ending !== "killed") expect(sent).toBe(50);
    }
  });

  test("rises by what servers heard of, not by what was written ahead of a kill", () => {
    for (const heard of [0, 24, 25]) {
      const life = open([cold]);
      const charged = Array.from({ length: 50 }, () => life.send(route()));
      life.commit();
      for (const one of charged.slice(0, heard))
        if (one.kind === "route") life.learn(one.route, verdict({}), NOON);
      life.commit();
      const after = open([cold], life.disk);
      expect(after.look("mx.test", NOON)[0]?.warmup).toEqual({ sent: 50, cap: 50 });
      const cap = heard < 25 ? 50 : 100;
      expect(after.look("mx.test", NOON + DAY_MS)[0]?.warmup).toEqual({ sent: 0, cap });
    }
  });

  test("rises by what several lives of one day heard of together", () => {
    let life = open([cold]);
    for (let i = 0; i < 5; i++) {
      for (let j = 0; j < 5; j++) {
        const assigned = life.send(route());
        if (assigned.kind === "route") life.learn(assigned.route, verdict({}), NOON);
      }
      life.settle();
      life.commit();
      life = open([cold], life.disk);
    }
    expect(life.look("mx.test", NOON + DAY_MS)[0]?.warmup?.cap).toBe(100);
  });

  test("a count that was kept without what was heard still counts", () => {
    const key = `source ${cold.address} mx.test`;
    const answer = JSON.stringify({ firstDay: 19_999, day: 20_000, rung: 1, sent: 60 });
    const { look } = open([cold], new Map([[key, { key, answer, expiresAt: NOON + DAY_MS }]]));
    expect(look("mx.test", NOON)[0]?.warmup).toEqual({ sent: 60, cap: 100 });
    expect(look("mx.test", NOON + DAY_MS)[0]?.warmup).toEqual({ sent: 0, cap: 100 });
  });

  test("a clock that is set back gives no second helping", () => {
    const { send } = open([cold]);
    const to = route();
    for (let i = 0; i < 50; i++) send(to);
    expect(addressOf(send(to, NOON - 3 * DAY_MS))).toBe("wait");
  });

  test("counts a recipient that a greylist puts off once, however often it does", () => {
    const sources = open([cold, warm]);
    const step = { source: cold.address, class: "greylist" } as const;
    const greylisted = verdict({ kind: "deferred", class: "greylist" });
    const again = (message: number): Route => {
      const asked = { message, from: "x@s.test", before: () => step };
      const assigned = sources.assign(route(), asked, NOON);
      if (assigned.kind !== "route") throw new Error(assigned.kind);
      return assigned.route;
    };
    const sent = Array.from({ length: 400 }, () => sources.send(route()));
    const charged = sent.flatMap((one) => (one.kind === "route" ? one.route : [])).slice(0, 400);
    const [first, second] = charged.filter(({ source }) => source?.address === cold.address);
    if (first === undefined || second === undefined) throw new Error("none was charged");
    for (const one of [first, second]) sources.learn(one, greylisted, NOON);
    for (let i = 0; i < 3; i++) {
      const retried = again(1);
      expect(retried.source?.address).toBe(cold.address);
      sources.learn(retried, greylisted, NOON);
    }
    sources.learn(again(1), verdict({}), NOON);
    const lost = again(2);
    expect(lost.source?.address).toBe(cold.address);
    // Neither of both is owed anything more, and there is no room.
    expect(again(3).source?.address).toBe(warm.address);
    sources.learn(lost, unreached, NOON);
    expect([again(2), again(3)].map(({ source }) => source?.address)).toEqual([
      cold.address,
      warm.address,
    ]);
    expect(sources.look("mx.test", NOON)[0]?.warmup).toEqual({ sent: 50, cap: 50 });
  });

  test("what never came to a server is given back, on the same day only", () => {
    const { send, learn } = open([cold]);
    const to = route();
    const fill = (now: number) => {
      const taken: Route[] = [];
      for (;;) {
        const assigned = send(to, now);
        if (assigned.kind !== "route") return taken;
        taken.push(assigned.route);
      }
    };
    const first = fill(NOON);
    for (const one of first.slice(0, 7)) learn(one, unreached, NOON);
    for (const one of first.slice(7, 32))
      learn(one, verdict({ kind: "deferred", class: "greylist" }), NOON);
    expect(fill(NOON).length).toBe(7);
    expect(fill(NOON + DAY_MS).length).toBe(100);
    for (const one of first.slice(32)) learn(one, unreached, NOON + DAY_MS);
    expect(fill(NOON + DAY_MS).length).toBe(0);
  });

  test("holds towards an MX, not towards a relay, and never for the sink", () => {
    const { send } = open([cold]);
    for (let i = 0; i < 100; i++) {
      expect(addressOf(send(route("relay:r.test:25", "relay")))).toBe(cold.address);
      expect(addressOf(send(route("postrider.test", "sink")))).toBe("any");
    }
  });
});

describe("an address that fails", () => {
  const unbound = verdict({
    kind: "interrupted",
    scope: "host",
    class: "local",
    alert: SOURCE_UNBOUND,
  });
  const other = { ...warm, address: "192.0.2.3" };
  const share = (sources: ReturnType<typeof open>, now: number): number => {
    const used = Array.from({ length: 50 }, () => addressOf(sources.send(route(), now)));
    return used.filter((address) => address === other.address).length;
  };
  const from = (address: string, site: string): Route => ({
    ...route(site),
    source: { address, ehlo: null },
  });

  test("because this host has it not is passed over at once, and comes back", () => {
    const sources = open([warm, other]);
    expect(share(sources, NOON)).toBeGreaterThan(0);
    sources.learn(from(other.address, "mx.test"), unbound, NOON);
    expect(share(sources, NOON + 59_999)).toBe(0);
    expect(share(sources, NOON + 60_000)).toBeGreaterThan(0);
    sources.learn(from(other.address, "mx.test"), unbound, NOON + 60_000);
    expect(share(sources, NOON + 119_999)).toBe(0);
    sources.learn(from(other.address, "mx.test"), verdict({}), NOON + 119_999);
    expect(share(sources, NOON + 119_999)).toBeGreaterThan(0);
    for (const { address } of [warm, other])
      sources.learn(from(address, "mx.test"), unbound, NOON + 200_000);
    expect(sources.send(route(), NOON + 200_000)).toEqual({
      kind: "stranded",
      text: "this host does not have 192.0.2.2, 192.0.2.3, as [[source]] says",
      forMs: 60_000,
    });
  });

  test("at three sites in a row rests only if another one works", () => {
    const sites = ["a.test", "b.test", "c.test"];
    for (const works of [false, true]) {
      const sources = open([warm, other]);
      sources.learn(from(other.address, "a.test"), unreached, NOON);
      if (works) sources.learn(from(warm.address, "a.test"), verdict({}), NOON + 1);
      for (const site of sites) sources.learn(from(other.address, site), unreached, NOON + 2);
      expect(share(sources, NOON + 3) === 0).toBe(works);
    }
  });

  test("where its family leads to dead hosts alone, the other family is next, and they take turns while both fail", () => {
    const v6 = { ...other, address: "2001:db8::2" };
    const sources = open([warm, v6]);
    const to: Route = {
      ...route(),
      hosts: [
        { name: "best.test", preference: 10, addresses: ["2001:db8::25"] },
        { name: "next.test", preference: 20, addresses: ["192.0.2.25"] },
      ],
    };
    const use = (now: number, host = to): Route => {
      const assigned = sources.send(host, now);
      if (assigned.kind !== "route") throw new Error(assigned.kind);
      return assigned.route;
    };
    const elsewhere = { ...to, site: "elsewhere.test" };
    const refused = verdict({ kind: "deferred", scope: "host", class: "other" });
    for (const failure of [unreached, refused]) {
      sources.learn(use(NOON), verdict({}), NOON);
      const first = use(NOON);
      expect(first.source?.address).toBe(v6.address);
      sources.learn(first, failure, NOON);
      const second = use(NOON + 1);
      expect(second.source?.address).toBe(warm.address);
      expect(second.hosts.map(({ name }) => name)).toEqual(["next.test"]);
      expect(use(NOON + 1, elsewhere).source?.address).toBe(v6.address);
      sources.learn(second, failure, NOON + 1);
      expect(use(NOON + 2).source?.address).toBe(v6.address);
      sources.learn(use(NOON + 2), verdict({}), NOON + 2);
      expect(use(NOON + 3).source?.address).toBe(v6.address);
      sources.learn(second, verdict({}), NOON + 3);
    }
    sources.learn(use(NOON + 4), unreached, NOON + 4);
    expect(use(NOON + 899_999).source?.address).toBe(warm.address);
    expect(use(NOON + 900_004).source?.address).toBe(v6.address);
  });

  test("where only a site's hosts fail, an address that rests still goes last", () => {
    const sources = open([warm, other]);
    sources.learn(from(other.address, "a.test"), unreached, NOON);
    sources.learn(from(warm.address, "a.test"), verdict({}), NOON + 1);
    for (const site of ["a.test", "b.test", "c.test"])
      sources.learn(from(other.address, site), unreached, NOON + 2);
    expect(share(sources, NOON + 3)).toBe(0);
    sources.learn(from(warm.address, "mx.test"), unreached, NOON + 3);
    expect(share(sources, NOON + 4)).toBe(0);
  });

  test("keeps a greylisted recipient on its family, whatever code the greylist says it with", () => {
    const v6 = { ...other, address: "2001:db8::2" };
    const sources = open([warm, v6]);
    const to: Route = {
      ...route(),
      hosts: [{ name: "mx.test", preference: 10, addresses: ["2001:db8::25", "192.0.2.25"] }],
    };
    const greylisted = verdict({ kind: "deferred", scope: "host", class: "greylist" });
    for (const { address } of [warm, v6]) {
      sources.learn({ ...to, source: { address, ehlo: null } }, greylisted, NOON);
      const before = () => ({ source: address, class: "greylist" }) as const;
      const assigned = sources.assign(to, { message: 1, from: "x@s.test", before }, NOON);
      expect(addressOf(assigned)).toBe(address);
    }
  });

  test("at one site only, however often, is the site's matter", () => {
    const sources = open([warm, other]);
    sources.learn(from(warm.address, "a.test"), verdict({}), NOON);
    for (let i = 0; i < 20; i++) sources.learn(from(other.address, "a.test"), unreached, NOON);
    expect(share(sources, NOON)).toBeGreaterThan(0);
  });
});

test("how each address stands with a site can be looked at", () => {
  const { send, learn, look } = open([cold, warm]);
  const to = route();
  for (let i = 0; i < 30; i++) send(to);
  const resting = { ...to, source: { address: warm.address, ehlo: null } };
  learn(resting, verdict({ kind: "interrupted", scope: "host", alert: SOURCE_UNBOUND }), NOON);
  const [first, second] = look("mx.test", NOON);
  expect(first).toMatchObject({ address: cold.address, ehlo: "a.test", rests_until: null });
  expect(first?.warmup?.cap).toBe(50);
  expect(first?.warmup?.sent).toBeGreaterThan(0);
  expect(second).toMatchObject({
    warmup: null,
    rests_until: new Date(NOON + 60_000).toISOString(),
  });
});

test("a sender's mail leaves from its own address, and waits alone when that is full", () => {
  const sources = open([cold, warm]);
  const settings = { sources: [cold, warm], bySender: new Map([["s.test", cold.address]]) };
  sources.configure(settings);
  for (let i = 0; i < 50; i++) expect(addressOf(sources.send(route()))).toBe(cold.address);
  expect(sources.send(route())).toMatchObject({ kind: "wait", site: false });
  expect(addressOf(sources.send(route(), NOON, "x@other.test"))).toBe(warm.address);
});
