// Under which TLS policy the hosts of a domain may be spoken to: settings, MTA-STS and DANE together.
import { describe, expect, test } from "bun:test";
import { sameEndpoints, type Route, type Routing } from "../../src/route/route.ts";
import {
  createRouter,
  defaultRouterSettings,
  type RouterSettings,
} from "../../src/route/router.ts";
import type { StsMode } from "../../src/route/mtaSts.ts";
import type { StsBook } from "../../src/route/stsBook.ts";
import { attemptOrder } from "../../src/route/order.ts";
import { seededRandom } from "../../src/base/random.ts";
import { handClock } from "../dns/lab.ts";
import { secured, zoneLookup, type Zone } from "./zone.ts";

const mx = (preference: number, exchange: string) => ({ preference, exchange });
const record = { usage: 3, selector: 1, matchingType: 1, data: "ab".repeat(32) };
const unusable = { ...record, usage: 1 };

/** Two domains share the hosts; DNSSEC secures one of them. */
const zone: Zone = {
  "MX plain.test": [mx(10, "mx1.host.test"), mx(20, "mx2.host.test")],
  "MX signed.test": secured(mx(10, "mx1.host.test"), mx(20, "mx2.host.test")),
  "A mx1.host.test": secured("192.0.2.1"),
  "A mx2.host.test": secured("192.0.2.2"),
  "AAAA mx1.host.test": { records: "nodata", secure: true },
  "AAAA mx2.host.test": { records: "nodata", secure: true },
};
const mx1 = "TLSA _25._tcp.mx1.host.test";
const mx2 = "TLSA _25._tcp.mx2.host.test";

interface Published {
  readonly mode: StsMode;
  readonly mx: readonly string[];
}

function open(more: Zone, settings: Partial<RouterSettings> = {}, sts?: Published) {
  const clock = handClock();
  const { lookup, asked } = zoneLookup(clock, { ...zone, ...more });
  const expiresAt = clock.now() + 1e9;
  const kept = sts && { id: "7", ...sts, fetchedAt: clock.now(), expiresAt };
  const book: StsBook = {
    stateOf: () => ({ policy: kept ?? null, why: "no MTA-STS record", freshUntil: expiresAt }),
    forgetFailures: () => {},
  };
  const all = { ...defaultRouterSettings, ...settings };
  return { ...createRouter({ lookup, clock, settings: all, sts: book }), asked };
}

function routeOf(routing: Routing | Promise<Routing>): Route {
  if (routing instanceof Promise) throw new Error("a promise");
  if (routing.kind !== "route") throw new Error(`${routing.kind}: ${routing.text}`);
  return routing.route;
}

/** `host: tls source` for each host that may be used. */
function told(routing: Routing | Promise<Routing>): string[] {
  const route = routeOf(routing);
  return route.hosts.map(({ name, endpoint }) => {
    const { tls, demand } = endpoint ?? route;
    const mode = demand?.source === "mta-sts" ? `-${demand.mode}` : "";
    return `${name.slice(0, 3)}: ${tls}${demand === undefined ? "" : ` ${demand.source}${mode}`}`;
  });
}

describe("DANE", () => {
  test("asks for it where a secured domain's host has records, and of the others as before", () => {
    const { routeFor } = open({ [mx1]: secured(record) });
    expect(told(routeFor("signed.test"))).toEqual(["mx1: verify dane", "mx2: opportunistic"]);
  });

  test("does not count for a domain whose MX records are not secured, and asks no TLSA", () => {
    const { routeFor, asked } = open({ [mx1]: secured(record) });
    expect(told(routeFor("plain.test"))).toEqual(["mx1: opportunistic", "mx2: opportunistic"]);
    expect(asked.filter((key) => key.startsWith("TLSA"))).toEqual([]);
  });

  test("makes two domains of one site ask for different things of the same hosts", () => {
    const { routeFor } = open({ [mx1]: secured(record) });
    const [plain, signed] = [routeOf(routeFor("plain.test")), routeOf(routeFor("signed.test"))];
    expect(plain.site).toBe(signed.site);
    expect(sameEndpoints(plain, signed)).toBe(false);
    expect(sameEndpoints(signed, { ...signed })).toBe(true);
    expect(sameEndpoints(plain, { ...plain })).toBe(true);
  });

  test("leaves out a host whose records cannot be had, and waits when it is the last", () => {
    const one = open({ [mx1]: "fails" });
    expect(told(one.routeFor("signed.test"))).toEqual(["mx2: opportunistic"]);
    const both = open({ [mx1]: "fails", [mx2]: "fails" });
    expect(both.routeFor("signed.test")).toMatchObject({ kind: "unknown", class: "tls" });
  });

  test("of records that cannot be used asks for encryption alone, or for what the operator wants", () => {
    const zoneOf = { [mx1]: secured(unusable) };
    const [first] = told(open(zoneOf).routeFor("signed.test"));
    expect(first).toBe("mx1: required dane");
    const [strict] = told(open(zoneOf, { tls: "verify" }).routeFor("signed.test"));
    expect(strict).toBe("mx1: verify dane");
  });

  test("a domain without MX records is its own host", () => {
    const { routeFor } = open({
      "MX own.test": { records: "nodata", secure: true },
      "A own.test": secured("192.0.2.3"),
      "AAAA own.test": { records: "nodata", secure: true },
      "TLSA _25._tcp.own.test": secured(record),
    });
    expect(told(routeFor("own.test"))).toEqual(["own: verify dane"]);
  });

  test("is switched off for all, or for one domain", () => {
    const off = open({ [mx1]: secured(record) }, { dane: false });
    expect(told(off.routeFor("signed.test"))[0]).toBe("mx1: opportunistic");
    const domains = new Map([["signed.test", { dane: true }]]);
    const one = open({ [mx1]: secured(record) }, { dane: false, domains });
    expect(told(one.routeFor("signed.test"))[0]).toBe("mx1: verify dane");
  });

  test("the port of the records is the port of the mail", () => {
    const { asked, routeFor } = open({}, { smtpPort: 2525 });
    void routeFor("signed.test");
    expect(asked).toContain("TLSA _2525._tcp.mx1.host.test");
  });
});

describe("MTA-STS", () => {
  const sts = (mode: StsMode, ...list: string[]): Published => ({ mode, mx: list });

  test("enforced, keeps to the hosts it lists and wants them proven", () => {
    const { routeFor } = open({}, {}, sts("enforce", "mx2.host.test"));
    expect(told(routeFor("plain.test"))).toEqual(["mx2: verify mta-sts-enforce"]);
    const all = open({}, {}, sts("enforce", "*.host.test"));
    expect(told(all.routeFor("plain.test")).length).toBe(2);
  });

  test("enforced, lets mail wait when it lists none of the hosts", () => {
    const routing = open({}, {}, sts("enforce", "mx.other.test")).routeFor("plain.test");
    expect(routing).toMatchObject({ kind: "unknown", class: "tls" });
    expect(routing).toMatchObject({ text: expect.stringContaining("not listed") });
  });

  test("in testing, asks for nothing and keeps what would have been refused", () => {
    const { routeFor } = open({}, {}, sts("testing", "mx1.host.test"));
    const route = routeOf(routeFor("plain.test"));
    expect(told(routeFor("plain.test"))[1]).toBe("mx2: opportunistic mta-sts-testing");
    const listed = route.hosts.map(({ endpoint }) => endpoint?.demand);
    expect(listed).toMatchObject([{ listed: true }, { listed: false }]);
  });

  test("of mode none, or switched off, changes nothing", () => {
    const plain = ["mx1: opportunistic", "mx2: opportunistic"];
    expect(told(open({}, {}, sts("none")).routeFor("plain.test"))).toEqual(plain);
    const published = sts("enforce", "mx2.host.test");
    expect(told(open({}, { mtaSts: false }, published).routeFor("plain.test"))).toEqual(plain);
    const domains = new Map([["plain.test", { mtaSts: false }]]);
    expect(told(open({}, { domains }, published).routeFor("plain.test"))).toEqual(plain);
  });

  test("never loosens what DANE asks for, nor bars a host that DANE vouches for", () => {
    const { routeFor } = open({ [mx1]: secured(record) }, {}, sts("enforce", "mx2.host.test"));
    expect(told(routeFor("signed.test"))).toEqual([
      "mx1: verify dane",
      "mx2: verify mta-sts-enforce",
    ]);
    const broken = open({ [mx1]: "fails" }, {}, sts("enforce", "mx1.host.test"));
    expect(broken.routeFor("signed.test")).toMatchObject({ kind: "unknown", class: "tls" });
  });
});

describe("the operator's word", () => {
  test("for one domain stands in the place of that for all", () => {
    const domains = new Map([["plain.test", { tls: "required" as const }]]);
    const { routeFor } = open({}, { tls: "verify", domains });
    expect(told(routeFor("plain.test"))[0]).toBe("mx1: required settings");
    expect(told(routeFor("signed.test"))[0]).toBe("mx1: verify");
  });

  test("`off` is off, whatever a domain publishes, and asks nothing", () => {
    const published = { mode: "enforce", mx: ["mx1.host.test"] } as const;
    const { routeFor, asked } = open({ [mx1]: secured(record) }, { tls: "off" }, published);
    expect(told(routeFor("signed.test"))).toEqual(["mx1: off", "mx2: off"]);
    expect(asked.some((key) => key.startsWith("TLSA"))).toBe(false);
  });

  test("changes with a reload, and every route with it", () => {
    const { routeFor, configure } = open({});
    expect(routeOf(routeFor("plain.test")).tls).toBe("opportunistic");
    configure({ ...defaultRouterSettings, tls: "required" });
    expect(routeOf(routeFor("plain.test")).tls).toBe("required");
  });
});

test("what is asked of a host travels with each of its addresses", () => {
  const { routeFor } = open({ [mx1]: secured(record) });
  const [first, second] = attemptOrder(routeOf(routeFor("signed.test")), seededRandom(1));
  expect(first).toMatchObject({ tls: "verify", demand: { source: "dane", tlsa: [record] } });
  expect(second).not.toHaveProperty("demand");
});

describe("explained", () => {
  test("are the policy, its source and each host", async () => {
    const published = { mode: "enforce", mx: ["mx2.host.test"] } as const;
    const { explainTls } = open({ [mx1]: secured(record) }, {}, published);
    expect(await explainTls("signed.test")).toMatchObject({
      tls: "opportunistic",
      setting: "tls_policy",
      mtaSts: { kind: "policy", mode: "enforce", id: "7" },
      dane: { kind: "on" },
      hosts: [
        { host: "mx1.host.test", policy: "dane", usable: true },
        { host: "mx2.host.test", policy: "mta-sts", usable: true },
      ],
    });
    const plain = await explainTls("plain.test");
    expect(plain.dane.kind).toBe("insecure");
    expect(plain.hosts[0]).toMatchObject({ usable: false, policy: "mta-sts" });
  });

  test("are what is switched off, and a domain that has no host", async () => {
    const domains = new Map([["plain.test", { tls: "off" as const }]]);
    const { explainTls } = open({}, { domains, mtaSts: false, dane: false });
    expect(await explainTls("plain.test")).toMatchObject({
      setting: '[domains."plain.test"]',
      tls: "off",
      mtaSts: { kind: "off" },
      dane: { kind: "off" },
    });
    expect(await explainTls("gone.test")).toMatchObject({ hosts: [], mtaSts: { kind: "off" } });
  });
});
