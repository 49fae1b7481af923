// The same resolver against a server that we did not write.
import { afterAll, beforeAll, expect } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";
import { systemRandom } from "../../src/base/random.ts";
import { parseHosts } from "../../src/dns/servers.ts";
import { createResolver, type Resolver } from "../../src/dns/resolver.ts";
import { createUpstream, type Upstream } from "../../src/dns/upstream.ts";
import { createRouter, defaultRouterSettings } from "../../src/route/router.ts";
import { startDnsmasq, type Dnsmasq } from "../fixtures/dnsmasq.ts";
import { peer } from "../peers.ts";
import { said } from "./lab.ts";

const dnsmasq = peer("dnsmasq");
let running: Dnsmasq;
let upstream: Upstream;
let resolver: Resolver;

beforeAll(async () => {
  if (dnsmasq.missing) return;
  running = await startDnsmasq(dnsmasq.path, {
    mx: [
      ["two.test", "mx1.two.test", 10],
      ["two.test", "mx2.two.test", 20],
      ["null.test", ".", 0],
      ["alias.test", "www.alias.test", 10],
    ],
    hosts: [
      ["mx1.two.test", "192.0.2.1", "2001:db8::1"],
      ["mx2.two.test", "192.0.2.2"],
      ["plain.test", "192.0.2.3"],
    ],
    more: [
      "--cname=www.alias.test,mx1.two.test",
      "--txt-record=plain.test,v=spf1 ,-all",
      `--txt-record=long.test,${new Array(12).fill("x".repeat(200)).join(",")}`,
      "--ptr-record=1.2.0.192.in-addr.arpa,mx1.two.test",
      "--cname=2.2.0.192.in-addr.arpa,2.0-7.2.0.192.in-addr.arpa",
      "--ptr-record=2.0-7.2.0.192.in-addr.arpa,MX2.two.test",
      "--dns-rr=_25._tcp.mx1.two.test,52,030101aabbcc",
    ],
  });
  upstream = createUpstream({
    clock: systemClock,
    random: systemRandom,
    settings: { servers: [{ address: "127.0.0.1", port: running.port }], timeoutMs: 500 },
  });
  const hosts = parseHosts("");
  resolver = createResolver({ clock: systemClock, ask: upstream.ask, hosts });
});

afterAll(async () => {
  if (dnsmasq.missing) return;
  upstream.close();
  await running.stop();
});

dnsmasq.test("records of every type come as they were configured", async () => {
  const { lookup } = resolver;
  const mx = await lookup("MX", "two.test");
  const hosts = mx.kind === "found" ? mx.records : [];
  expect([...hosts].sort((a, b) => a.preference - b.preference)).toEqual([
    { preference: 10, exchange: "mx1.two.test" },
    { preference: 20, exchange: "mx2.two.test" },
  ]);
  expect(said(await lookup("A", "mx1.two.test"))).toBe('["192.0.2.1"]');
  expect(said(await lookup("AAAA", "mx1.two.test"))).toBe('["2001:db8::1"]');
  expect(said(await lookup("AAAA", "mx2.two.test"))).toBe("nodata");
  expect(said(await lookup("MX", "plain.test"))).toBe("nodata");
  expect(said(await lookup("MX", "gone.test"))).toBe("nxdomain");
  expect(said(await lookup("A", "www.alias.test"))).toBe('["192.0.2.1"]');
  expect(await lookup("A", "www.alias.test")).toMatchObject({ owner: "mx1.two.test" });
  expect(await lookup("A", "mx1.two.test")).not.toHaveProperty("owner");
  expect(said(await lookup("TXT", "plain.test"))).toBe('["v=spf1 -all"]');
  expect(said(await lookup("PTR", "1.2.0.192.in-addr.arpa"))).toBe('["mx1.two.test"]');
  // RFC 2317: the zone of a few addresses is somebody else's.
  expect(said(await lookup("PTR", "2.2.0.192.in-addr.arpa"))).toBe('["mx2.two.test"]');
  expect(said(await lookup("TLSA", "_25._tcp.mx1.two.test"))).toContain('"data":"aabbcc"');
});

dnsmasq.test("an answer larger than a datagram comes over TCP", async () => {
  const answer = await resolver.lookup("TXT", "long.test");
  expect(answer.kind === "found" && answer.records[0]?.length).toBe(2_400);
});

dnsmasq.test("what it does not serve is unknown, not absent", async () => {
  expect(said(await resolver.lookup("MX", "example.com"))).toBe("unknown");
});

dnsmasq.test("domains are routed by preference, null MX, implicit MX and alias", async () => {
  const { routeFor } = createRouter({
    lookup: resolver.lookup,
    clock: systemClock,
    settings: defaultRouterSettings,
  });
  const two = await routeFor("two.test");
  expect(two.kind === "route" && two.route.hosts).toEqual([
    { name: "mx1.two.test", preference: 10, addresses: ["2001:db8::1", "192.0.2.1"] },
    { name: "mx2.two.test", preference: 20, addresses: ["192.0.2.2"] },
  ]);
  expect(await routeFor("null.test")).toMatchObject({ kind: "refused", enhanced: "5.1.10" });
  expect(await routeFor("gone.test")).toMatchObject({ kind: "refused", enhanced: "5.1.2" });
  const plain = await routeFor("plain.test");
  expect(plain.kind === "route" && plain.route.hosts[0]?.addresses).toEqual(["192.0.2.3"]);
  const alias = await routeFor("alias.test");
  expect(alias.kind === "route" && alias.route.hosts[0]?.addresses.length).toBe(2);
});
