import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { seededRandom } from "../../src/base/random.ts";
import { attemptOrder } from "../../src/route/order.ts";
import type { Route, RouteHost } from "../../src/route/route.ts";

const route = (...hosts: RouteHost[]): Route => ({
  site: "a.test",
  via: "mx",
  hosts,
  port: 25,
  tls: "opportunistic",
  implicitTls: false,
  login: null,
});
const host = (name: string, preference: number, ...addresses: string[]): RouteHost => ({
  name,
  preference,
  addresses,
});
const first = { roll: () => 0.999999 };
const addressesOf = (made: Route) => attemptOrder(made, first).map((target) => target.address);

describe("the order of one attempt", () => {
  test("follows the preferences, whatever order the hosts come in", () => {
    const made = route(host("c", 30, "3"), host("a", 10, "1"), host("b", 20, "2"));
    expect(addressesOf(made)).toEqual(["1", "2", "3"]);
  });

  test("hosts of equal preference are drawn evenly (chi-square, p > 0.001)", () => {
    const names = ["a", "b", "c", "d"];
    const made = route(...names.map((name) => host(name, 10, name)), host("z", 20, "z"));
    const random = seededRandom(42);
    const counts = new Map<string, number>();
    const rounds = 4_000;
    for (let i = 0; i < rounds; i++) {
      const order = attemptOrder(made, random).map((target) => target.host);
      expect(order[4]).toBe("z");
      for (const [place, name] of order.slice(0, 4).entries()) {
        const key = `${place} ${name}`;
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
    }
    const expected = rounds / names.length;
    for (let place = 0; place < 4; place++) {
      const square = names.reduce((sum, name) => {
        const off = (counts.get(`${place} ${name}`) ?? 0) - expected;
        return sum + (off * off) / expected;
      }, 0);
      // The 0.999 quantile for three degrees of freedom.
      expect(square).toBeLessThan(16.27);
    }
  });

  test("both families are among the first two tries when the best preference has both", () => {
    const made = route(host("a", 10, "::1", "::2", "::3", "::4", "::5", "192.0.2.1"));
    expect(addressesOf(made)).toEqual(["::1", "192.0.2.1", "::2", "::3", "::4", "::5"]);
    const apart = route(host("a", 10, "::1", "::2"), host("b", 10, "192.0.2.1"));
    expect(
      addressesOf(apart)
        .slice(0, 2)
        .map((one) => one.includes(":")),
    ).toContain(false);
  });

  test("a worse preference is not tried early for the sake of its family", () => {
    const made = route(host("a", 10, "::1", "::2"), host("b", 20, "192.0.2.1"));
    expect(addressesOf(made)).toEqual(["::1", "::2", "192.0.2.1"]);
  });

  test("of a route without hosts is empty", () => {
    expect(addressesOf(route())).toEqual([]);
  });

  test("each relay keeps its own port and login", () => {
    const endpoint = { port: 465, tls: "required", implicitTls: true, login: null } as const;
    const made = route({ ...host("a", 0, "192.0.2.1"), endpoint }, host("b", 1, "192.0.2.2"));
    expect(attemptOrder(made, first)).toEqual([
      { host: "a", address: "192.0.2.1", ...endpoint },
      {
        host: "b",
        address: "192.0.2.2",
        port: 25,
        tls: "opportunistic",
        implicitTls: false,
        login: null,
      },
    ]);
  });

  test("always holds each of the route's addresses once, preferences ascending", () => {
    const anyHost = fc.record({
      preference: fc.nat(3),
      addresses: fc.uniqueArray(fc.oneof(fc.ipV4(), fc.ipV6()), { maxLength: 5 }),
    });
    fc.assert(
      fc.property(fc.array(anyHost, { maxLength: 6 }), fc.nat(), (hosts, seed) => {
        const named = hosts.map((one, i) => ({ ...one, name: `h${i}` }));
        const order = attemptOrder(route(...named), seededRandom(seed));
        const key = (target: { host: string; address: string }) =>
          `${target.host} ${target.address}`;
        const all = named.flatMap((one) =>
          one.addresses.map((address) => key({ host: one.name, address })),
        );
        expect(order.map(key).sort()).toEqual(all.sort());
        const preferences = order.map(
          (target) => named[Number(target.host.slice(1))]?.preference ?? -1,
        );
        expect(preferences).toEqual([...preferences].sort((a, b) => a - b));
      }),
      { numRuns: 300 },
    );
  });
});
