import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Route } from "../../src/route/route.ts";
import {
  chooseSource,
  ranked,
  routeFrom,
  type Source,
  type SourceState,
} from "../../src/route/source.ts";

const source = (address: string, weight = 1): Source => ({
  address,
  ehlo: null,
  weight,
  warmup: false,
});
const [a, b, c] = [source("192.0.2.1"), source("192.0.2.2"), source("192.0.2.3", 2)];
const v6 = source("2001:db8::1");

const route = (...addresses: string[]): Route => ({
  site: "mx.test",
  via: "mx",
  hosts: [{ name: "mx.test", preference: 10, addresses }],
  port: 25,
  tls: "opportunistic",
  implicitTls: false,
  login: null,
});
const both = route("2001:db8::25", "192.0.2.25");
const calm: SourceState = {
  isHere: () => true,
  restsUntil: () => 0,
  deadEndUntil: () => 0,
  roomOf: () => Infinity,
};

function chosen(
  sources: readonly Source[],
  ask: Parameters<typeof chooseSource>[2],
  state = calm,
): string {
  const result = chooseSource(sources, both, ask, state, 1000);
  return result.kind === "source" ? result.source.address : result.kind;
}

describe("rendezvous", () => {
  test("gives each address its share of the weights (chi-square, p > 0.001)", () => {
    const rounds = 20_000;
    const counts = new Map<string, number>();
    for (let i = 0; i < rounds; i++) {
      const [first] = ranked([a, b, c], `message ${i}`);
      counts.set(first?.address ?? "", (counts.get(first?.address ?? "") ?? 0) + 1);
    }
    const expected = [rounds / 4, rounds / 4, rounds / 2];
    const chi = [a, b, c].reduce((sum, one, i) => {
      const wanted = expected[i] ?? 1;
      return sum + ((counts.get(one.address) ?? 0) - wanted) ** 2 / wanted;
    }, 0);
    expect(chi).toBeLessThan(13.8);
  });

  test("a message that is tried again has the same address, and a list that shrinks moves no other", () => {
    fc.assert(
      fc.property(fc.string(), (key) => {
        const all = ranked([a, b, c], key);
        expect(ranked([c, a, b], key)).toEqual(all);
        const [first, ...rest] = all;
        expect(
          ranked(
            [a, b, c].filter((one) => one !== first),
            key,
          ),
        ).toEqual(rest);
      }),
    );
  });
});

describe("the choice", () => {
  test("keeps to the address that carried the message before, if it may", () => {
    for (const { address } of [a, b, c])
      expect(chosen([a, b, c], { key: "m", before: address })).toBe(address);
    const full = { ...calm, roomOf: (one: Source) => (one === a ? 0 : 1) };
    expect(chosen([a, b], { key: "m", before: a.address }, full)).toBe(b.address);
  });

  test("passes over what rests and what has had its share; rest is better than nothing", () => {
    const tired = { ...calm, restsUntil: (address: string) => (address === a.address ? 2000 : 0) };
    for (let i = 0; i < 50; i++) expect(chosen([a, b], { key: `${i}` }, tired)).toBe(b.address);
    expect(chosen([a], { key: "m" }, tired)).toBe(a.address);
    const full = { ...tired, roomOf: (one: Source) => (one === b ? 0 : 1) };
    expect(chosen([a, b], { key: "m" }, full)).toBe(a.address);
    expect(chosen([a, b], { key: "m" }, { ...calm, roomOf: () => 0 })).toBe("capped");
  });

  test("an address that is not here is never tried, and where none is, that is said", () => {
    const away = { ...calm, isHere: (address: string) => address !== a.address };
    for (let i = 0; i < 50; i++) expect(chosen([a, b], { key: `${i}` }, away)).toBe(b.address);
    expect(chosen([a, b], { key: "m", before: a.address }, away)).toBe(b.address);
    expect(chosen([a], { key: "m" }, away)).toBe("away");
  });

  test("a sender's own address is the only one", () => {
    for (let i = 0; i < 50; i++)
      expect(chosen([a, b, c], { key: `${i}`, only: b.address })).toBe(b.address);
    expect(chosen([a, c], { key: "m", only: b.address })).toBe("none");
  });

  test("is of a family that the best hosts have, while such an address may carry it", () => {
    const [first] = route("192.0.2.25").hosts;
    const hosts = [first, { name: "backup.test", preference: 20, addresses: ["2001:db8::26"] }];
    const to = { hosts } as Pick<Route, "hosts">;
    const rested = { ...calm, restsUntil: (one: string) => (one === a.address ? 2000 : 0) };
    const full = { ...calm, roomOf: (one: Source) => (one === a ? 0 : 1) };
    for (let i = 0; i < 50; i++) {
      const use = (state: SourceState, before?: string): unknown => {
        const result = chooseSource([a, v6], to, { key: `${i}`, before }, state, 1000);
        return result.kind === "source" ? result.source.address : result.kind;
      };
      expect(use(calm)).toBe(a.address);
      expect(use(calm, v6.address)).toBe(v6.address);
      expect(use(rested)).toBe(v6.address);
      expect(use(full)).toBe(v6.address);
    }
  });

  test("is of a family that the hosts have", () => {
    const ask = { key: "m" };
    const onlyV4 = chooseSource([a, v6], route("192.0.2.25"), ask, calm, 0);
    expect(onlyV4).toMatchObject({ kind: "source", source: { address: a.address } });
    expect(chooseSource([v6], route("192.0.2.25"), ask, calm, 0)).toEqual({ kind: "none" });
  });
});

test("from an address, a route has only the hosts that it can reach", () => {
  const two: Route = {
    ...both,
    hosts: [...both.hosts, { name: "old.test", preference: 20, addresses: ["192.0.2.26"] }],
  };
  const from = routeFrom(two, v6);
  expect(from.hosts).toEqual([{ name: "mx.test", preference: 10, addresses: ["2001:db8::25"] }]);
  expect(from.source).toEqual({ address: v6.address, ehlo: null });
  expect(routeFrom(two, a).hosts.map((host) => host.name)).toEqual(["mx.test", "old.test"]);
});
