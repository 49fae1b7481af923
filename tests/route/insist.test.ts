// Mail that must be encrypted: the route that it takes, and what stays as it was.
import { expect, test } from "bun:test";
import { createInsist } from "../../src/route/insist.ts";
import type { Route, TlsDemand } from "../../src/route/route.ts";

const route: Route = {
  site: "example.com",
  via: "mx",
  port: 25,
  tls: "opportunistic",
  implicitTls: false,
  login: null,
  hosts: [{ name: "mx.example.com", preference: 10, addresses: ["192.0.2.1"] }],
};

test("what may go in clear must be encrypted, as a wish of this mail", () => {
  const insist = createInsist();
  for (const tls of ["opportunistic", "off", "required"] as const)
    expect(insist({ ...route, tls })).toMatchObject({
      tls: "required",
      demand: { source: "settings" },
    });
});

test("what is stricter stays, and what the domain asks for as well", () => {
  const dane: TlsDemand = { source: "dane", tlsa: [], names: ["mx.example.com"] };
  const strict = createInsist()({ ...route, tls: "verify", demand: dane });
  expect(strict).toMatchObject({ tls: "verify", demand: dane });
});

test("each host with a way of its own is asked for the same", () => {
  const endpoint = { port: 2525, tls: "opportunistic", implicitTls: false, login: null } as const;
  const [host] = route.hosts;
  if (host === undefined) throw new Error("no host");
  const strict = createInsist()({ ...route, hosts: [host, { ...host, endpoint }] });
  expect(strict.hosts[0]?.endpoint).toBeUndefined();
  expect(strict.hosts[1]?.endpoint).toMatchObject({ port: 2525, tls: "required" });
});

test("a route is the same object each time, and the built-in sink's is left alone", () => {
  const insist = createInsist();
  expect(insist(route)).toBe(insist(route));
  const sink: Route = { ...route, via: "sink" };
  expect(insist(sink)).toBe(sink);
});
