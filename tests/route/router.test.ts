import { describe, expect, test } from "bun:test";
import { parseCidrList } from "../../src/base/cidr.ts";
import type { Answer, Lookup } from "../../src/dns/answer.ts";
import { parseRelays } from "../../src/route/relay.ts";
import type { Route, Routing } from "../../src/route/route.ts";
import {
  createRouter,
  defaultRouterSettings,
  type RouterSettings,
} from "../../src/route/router.ts";
import { handClock } from "../dns/lab.ts";

type Zone = Record<string, readonly unknown[] | "nxdomain" | "nodata" | "fails">;

const TTL_MS = 60_000;

/** A router over a zone written as `"MX a.test": [...]`; what is not there does not exist. */
function openRouter(zone: Zone, settings: Partial<RouterSettings> = {}, isCached = true) {
  const clock = handClock();
  const asked: string[] = [];
  const lookup = ((type: string, name: string) => {
    const key = `${type} ${name}`;
    asked.push(key);
    const said = zone[key] ?? "nxdomain";
    const freshUntil = clock.now() + TTL_MS;
    const answer: Answer<unknown> =
      said === "fails"
        ? { kind: "unknown", why: `${key} SERVFAIL`, freshUntil }
        : typeof said === "string"
          ? { kind: "none", why: said, freshUntil, secure: false }
          : { kind: "found", records: said, freshUntil, secure: false };
    return isCached ? answer : Promise.resolve(answer);
  }) as Lookup;
  const all = { ...defaultRouterSettings, ...settings };
  const router = createRouter({ lookup, clock, settings: all });
  return { ...router, clock, asked };
}

const mx = (preference: number, exchange: string) => ({ preference, exchange });
const zone: Zone = {
  "MX a.test": [mx(10, "mx.a.test")],
  "AAAA mx.a.test": ["2001:db8::1"],
  "A mx.a.test": ["192.0.2.1"],
  "MX plain.test": "nodata",
  "A plain.test": ["192.0.2.2"],
  "AAAA plain.test": "nodata",
  "MX null.test": [mx(0, "")],
  "MX dead.test": "fails",
  "MX lost.test": [mx(10, "mx.lost.test")],
  "MX half.test": [mx(10, "mx.lost.test"), mx(20, "mx.dead.test")],
  "A mx.dead.test": "fails",
  "MX own.test": [mx(10, "mx.own.test")],
  "A mx.own.test": ["127.0.0.1"],
};

function routeOf(routing: Routing | Promise<Routing>): Route {
  if (routing instanceof Promise) throw new Error("a promise");
  if (routing.kind !== "route") throw new Error(`${routing.kind}: ${routing.text}`);
  return routing.route;
}

function outcome(routing: Routing | Promise<Routing>): string {
  if (routing instanceof Promise) return "promise";
  return routing.kind === "refused" ? routing.enhanced : routing.kind;
}

describe("straight to the MX", () => {
  test("a route has site, hosts with addresses, port and policy", () => {
    const { routeFor } = openRouter(zone, { smtpPort: 2525 });
    expect(routeOf(routeFor("a.test"))).toEqual({
      site: "mx.a.test",
      via: "mx",
      hosts: [{ name: "mx.a.test", preference: 10, addresses: ["2001:db8::1", "192.0.2.1"] }],
      port: 2525,
      tls: "opportunistic",
      implicitTls: false,
      login: null,
    });
    expect(routeOf(routeFor("plain.test")).hosts[0]).toMatchObject({ name: "plain.test" });
  });

  test("facts refuse, failures do not", () => {
    const { routeFor } = openRouter(zone);
    const domains = ["gone.test", "null.test", "lost.test", "own.test", "dead.test", "half.test"];
    expect(domains.map((domain) => outcome(routeFor(domain)))).toEqual([
      "5.1.2",
      "5.1.10",
      "unknown",
      "5.4.4",
      "unknown",
      "unknown",
    ]);
    expect(["localhost", "mail", "a..test"].map((domain) => outcome(routeFor(domain)))).toEqual([
      "5.1.2",
      "5.1.2",
      "5.1.2",
    ]);
  });

  test("MX records that name hosts without an address may be mended; a domain without both has no mail", () => {
    const none = { "MX none.test": "nodata", "A none.test": "nodata", "AAAA none.test": "nodata" };
    const { routeFor } = openRouter({ ...zone, ...none } as Zone);
    expect(routeFor("lost.test")).toEqual({
      kind: "unknown",
      bounces: "5.4.4",
      text: "No mail server of lost.test has an address",
    });
    expect(outcome(routeFor("none.test"))).toBe("5.4.4");
    expect(routeFor("half.test")).not.toHaveProperty("bounces");
  });

  test("what is denied is said, and may be allowed", () => {
    const { routeFor } = openRouter(zone, { denyDestinations: [] });
    expect(routeOf(routeFor("own.test")).hosts[0]?.addresses).toEqual(["127.0.0.1"]);
    const denied = openRouter(zone).routeFor("own.test");
    expect(denied).toMatchObject({ text: expect.stringContaining("deny_destinations") });
    const list = parseCidrList("192.0.2.0/24");
    const strict = openRouter(zone, { denyDestinations: list.kind === "parsed" ? list.value : [] });
    expect(routeOf(strict.routeFor("a.test")).hosts[0]?.addresses).toEqual(["2001:db8::1"]);
  });

  test("mail that would come back to this host is refused, unless a better host takes it", () => {
    const own = { names: ["mx.a.test"], addresses: [] };
    expect(outcome(openRouter(zone, { own }).routeFor("a.test"))).toBe("5.4.6");
    const list = parseCidrList("192.0.2.1");
    const addresses = list.kind === "parsed" ? list.value : [];
    const byAddress = openRouter(zone, { own: { names: [], addresses } });
    expect(outcome(byAddress.routeFor("[192.0.2.1]"))).toBe("5.4.6");
    expect(outcome(byAddress.routeFor("[192.0.2.2]"))).toBe("route");
    const refused = byAddress.routeFor("a.test");
    expect("text" in refused && refused.text).toContain("(mx.a.test)");
    const two = { ...zone, "MX a.test": [mx(10, "mx.plain.test"), mx(20, "mx.a.test")] };
    const better = { ...two, "A mx.plain.test": ["192.0.2.9"] };
    const route = routeOf(openRouter(better, { own }).routeFor("a.test"));
    expect(route.hosts.map((host) => host.name)).toEqual(["mx.plain.test"]);
  });

  test("address literals need no question, and are denied like any address", () => {
    const { routeFor, asked } = openRouter(zone);
    expect(routeOf(routeFor("[192.0.2.9]")).hosts[0]?.addresses).toEqual(["192.0.2.9"]);
    expect(routeOf(routeFor("[IPv6:2001:db8::9]")).site).toBe("[IPv6:2001:db8::9]");
    expect(outcome(routeFor("[127.0.0.1]"))).toBe("5.4.4");
    expect(outcome(routeFor("[IPv6:::ffff:127.0.0.1]"))).toBe("5.4.4");
    expect(outcome(routeFor("[nonsense]"))).toBe("5.1.2");
    expect(asked).toEqual([]);
  });
});

describe("what is known", () => {
  test("is answered at once until its shortest time is over", async () => {
    const { routeFor, asked, clock } = openRouter(zone, {}, false);
    const [one, two] = [routeFor("a.test"), routeFor("a.test")];
    expect(one).toBe(two);
    expect(await one).toBe(await two);
    expect(asked.length).toBe(3);
    expect(routeOf(routeFor("a.test")).site).toBe("mx.a.test");
    await clock.advance(TTL_MS);
    expect(routeFor("a.test")).toBeInstanceOf(Promise);
  });

  test("an unknown is not kept here: the DNS cache decides when to ask again", () => {
    const { routeFor, asked } = openRouter(zone);
    routeFor("dead.test");
    routeFor("dead.test");
    expect(asked.length).toBe(2);
  });

  test("tells how many domains share a site, and of very many nothing", () => {
    const many = Array.from({ length: 20_001 }, (_, i) => `d${i}.test`);
    const hosted = Object.fromEntries(many.map((name) => [`MX ${name}`, [mx(10, "mx.a.test")]]));
    const router = openRouter({ ...zone, ...hosted }, { entriesMax: 50_000 });
    for (const domain of ["a.test", "plain.test", "null.test", "d0.test"]) router.routeFor(domain);
    expect([...router.domainsBySite()]).toEqual([
      ["mx.a.test", 2],
      ["plain.test", 1],
    ]);
    for (const domain of many) router.routeFor(domain);
    expect(router.domainsBySite().size).toBe(0);
  });

  test("is bounded: the oldest unused domain goes first", () => {
    const { routeFor, asked } = openRouter(zone, { entriesMax: 2 });
    for (const domain of ["a.test", "gone.test", "null.test", "a.test"]) routeFor(domain);
    expect(asked.filter((key) => key === "MX a.test").length).toBe(2);
  });
});

describe("through relays", () => {
  const relays = (text: string) => {
    const parsed = parseRelays(text);
    return parsed.kind === "parsed" ? parsed.value : [];
  };

  test("every domain goes there in the order of the setting, each relay with its own endpoint", () => {
    const list = relays("smtp://u:p@mx.own.test:587, smtps://mx.a.test");
    const { routeFor } = openRouter(zone, { relays: list });
    const route = routeOf(routeFor("gone.test"));
    expect(route).toMatchObject({ site: "relay:mx.own.test:587", via: "relay", port: 587 });
    expect(route.login).toEqual({ user: "u", pass: "p" });
    expect(route.hosts).toMatchObject([
      // An explicit relay is exempt from the list of denied destinations.
      {
        name: "mx.own.test",
        addresses: ["127.0.0.1"],
        endpoint: { port: 587, implicitTls: false },
      },
      { name: "mx.a.test", endpoint: { port: 465, implicitTls: true, login: null } },
    ]);
    expect(routeOf(routeFor("a.test"))).toBe(route);
  });

  test("a sender domain's own relay stands in the place of all else, at a site of its own", () => {
    const senderRelays = new Map([["s.test", relays("smtp://192.0.2.7:2525")]]);
    for (const general of [[], relays("smtp://192.0.2.8")]) {
      const { routeFor } = openRouter(zone, { relays: general, senderRelays });
      const own = routeOf(routeFor("a.test", "s.test"));
      expect([own.site, own.hosts[0]?.addresses]).toEqual([
        "relay:192.0.2.7:2525/s.test",
        ["192.0.2.7"],
      ]);
      expect(routeOf(routeFor("b.test", "s.test"))).toBe(own);
      const other = general.length === 0 ? "mx.a.test" : "relay:192.0.2.8:25";
      expect(routeOf(routeFor("a.test", "t.test")).site).toBe(other);
      expect(routeOf(routeFor("a.test")).site).toBe(other);
      expect(routeOf(routeFor("postrider.test", "s.test")).via).toBe("sink");
    }
  });

  test("a relay that does not exist is never a bounce", () => {
    const { routeFor } = openRouter(zone, { relays: relays("smtp://gone.test") });
    expect(outcome(routeFor("a.test"))).toBe("unknown");
  });

  test("a relay given by address needs no question", () => {
    const { routeFor, asked } = openRouter(zone, { relays: relays("smtp://[::1]:2525") });
    const route = routeOf(routeFor("a.test"));
    expect([route.site, route.hosts[0]?.addresses]).toEqual(["relay:[::1]:2525", ["::1"]]);
    expect(asked).toEqual([]);
  });

  test("the second relay serves while the first has no address", () => {
    const { routeFor } = openRouter(zone, {
      relays: relays("smtp://gone.test,smtp://mx.a.test:26"),
    });
    const [host, ...others] = routeOf(routeFor("a.test")).hosts;
    expect([host?.name, host?.endpoint?.port, others.length]).toEqual(["mx.a.test", 26, 0]);
  });
});

test("postrider.test goes to the sink without a question, and with capture everything does", () => {
  const sink = { address: "127.0.0.1", port: 4025 };
  const list = parseRelays("smtp://mx.a.test");
  const relayed = openRouter(zone, { sink, relays: list.kind === "parsed" ? list.value : [] });
  expect(routeOf(relayed.routeFor("postrider.test"))).toMatchObject({
    site: "postrider.test",
    via: "sink",
    port: 4025,
    hosts: [{ addresses: ["127.0.0.1"] }],
  });
  expect(relayed.asked).toEqual([]);
  expect(routeOf(relayed.routeFor("a.test")).via).toBe("relay");
  const captured = openRouter(zone, { sink, capture: true });
  expect(routeOf(captured.routeFor("a.test")).via).toBe("sink");
  expect(captured.asked).toEqual([]);
});
