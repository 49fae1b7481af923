import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  createRoutesTold,
  hearRoutes,
  ROUTES_TOLD_MAX,
  type ToldRoutes,
} from "../../src/roles/routesTold.ts";
import type { Route } from "../../src/route/route.ts";

function route(site: string): Route {
  const base = { via: "mx", hosts: [], port: 25, tls: "off", implicitTls: false } as const;
  return { ...base, site, login: null };
}

test("a route travels once, and is found at its place from then on", () => {
  const routes = createRoutesTold();
  const [a, b, c] = [route("a"), route("b"), route("c")];
  expect(routes.tell([a, b, a])).toEqual({ from: 0, routes: [a, b] });
  expect(routes.tell([b, c])).toEqual({ from: 2, routes: [c] });
  expect(routes.tell([a, c])).toEqual({ from: 3, routes: [] });
  expect([a, b, c].map(routes.placeOf)).toEqual([0, 1, 2]);
});

test("whatever the batches, the sender has the route that is meant, and few others", () => {
  const all = Array.from({ length: 2 * ROUTES_TOLD_MAX }, (_, i) => route(`${i}`));
  const batch = fc.record({
    from: fc.nat({ max: all.length - 1 }),
    length: fc.integer({ min: 1, max: 700 }),
  });
  fc.assert(
    fc.property(fc.array(batch, { maxLength: 12 }), (batches) => {
      const routes = createRoutesTold();
      const known: Route[] = [];
      for (const { from, length } of batches) {
        const meant = all.slice(from, from + length);
        hearRoutes(known, structuredClone(routes.tell(meant)));
        expect(meant.map((one) => known[routes.placeOf(one)]?.site)).toEqual(
          meant.map(({ site }) => site),
        );
        expect(known.length).toBeLessThan(ROUTES_TOLD_MAX + 700);
      }
    }),
    { numRuns: 30 },
  );
});

test("an end that missed something says so", () => {
  const told: ToldRoutes = { from: 1, routes: [route("b")] };
  expect(() => hearRoutes([], told)).toThrow("place 1 of 0");
  expect(() => createRoutesTold().placeOf(route("a"))).toThrow("before its route");
});
