// Which TLSA records hold for a host: only those that DNSSEC secures along the whole way (RFC 7672 2).
import { describe, expect, test } from "bun:test";
import { daneFor, isUsable } from "../../src/route/dane.ts";
import { handClock } from "../dns/lab.ts";
import { secured, zoneLookup, type Said, type Zone } from "./zone.ts";

const clock = handClock();
const SHA256 = "ab".repeat(32);
const SHA512 = "cd".repeat(64);
const tlsa = (usage: number, selector: number, matchingType: number, data = SHA256) => ({
  usage,
  selector,
  matchingType,
  data,
});
const good = tlsa(3, 1, 1);

async function found(zone: Zone) {
  const { lookup, asked } = zoneLookup(clock, zone);
  const name = "mx.a.test";
  const [v6, v4] = [await lookup("AAAA", name), await lookup("A", name)];
  asked.length = 0;
  const dane = await daneFor(lookup, { name, domain: "a.test", port: 25, v6, v4 });
  return { dane, asked };
}

const host = (addresses: Said, records: Said, more: Zone = {}): Zone => ({
  "A mx.a.test": addresses,
  "AAAA mx.a.test": { records: "nodata", secure: true },
  "TLSA _25._tcp.mx.a.test": records,
  ...more,
});

test("a secured host with usable records asks for one of them", async () => {
  const { dane } = await found(host(secured("192.0.2.1"), secured(good)));
  expect(dane).toMatchObject({
    kind: "demand",
    demand: { source: "dane", tlsa: [good], names: ["mx.a.test"] },
  });
});

test("an insecure host is not asked for records, which its servers may not be able to tell", async () => {
  const { dane, asked } = await found(host(["192.0.2.1"], "fails"));
  expect(dane.kind).toBe("none");
  expect(asked).toEqual([]);
});

test("one insecure address of two makes the host insecure", async () => {
  const zone = host(secured("192.0.2.1"), secured(good), { "AAAA mx.a.test": ["2001:db8::1"] });
  expect((await found(zone)).dane.kind).toBe("none");
});

test("records that cannot be had are not the same as none", async () => {
  for (const none of [{ records: "nodata", secure: true }, "nxdomain", "nodata"] as Said[])
    expect((await found(host(secured("192.0.2.1"), none))).dane.kind).toBe("none");
  expect((await found(host(secured("192.0.2.1"), "fails"))).dane.kind).toBe("unknown");
});

test("insecure records count as none", async () => {
  expect((await found(host(secured("192.0.2.1"), [good]))).dane.kind).toBe("none");
});

test("records that cannot be used leave nothing but the wish for encryption", async () => {
  const records = secured(tlsa(0, 0, 1), tlsa(1, 1, 1), tlsa(3, 2, 1), tlsa(3, 1, 1, "ab"));
  const { dane } = await found(host(secured("192.0.2.1"), records));
  expect(dane).toMatchObject({ kind: "demand", demand: { tlsa: [] } });
});

test("a trust anchor may vouch for the recipient's domain too", async () => {
  const { dane } = await found(host(secured("192.0.2.1"), secured(tlsa(2, 0, 1), good)));
  expect(dane).toMatchObject({ demand: { names: ["mx.a.test", "a.test"] } });
});

describe("behind an alias", () => {
  const there = (zone: Zone, secure = true): Zone => ({
    "A mx.a.test": { records: ["192.0.2.1"], secure, owner: "real.b.test" },
    "AAAA mx.a.test": { records: "nodata", secure },
    ...zone,
  });

  test("the records of where it leads come first, then its own", async () => {
    const both = there({
      "TLSA _25._tcp.real.b.test": secured(good),
      "TLSA _25._tcp.mx.a.test": secured(tlsa(3, 0, 1)),
    });
    expect((await found(both)).dane).toMatchObject({
      demand: { tlsa: [good], names: ["real.b.test"] },
    });
    const own = there({ "TLSA _25._tcp.mx.a.test": secured(good) });
    expect((await found(own)).dane).toMatchObject({ demand: { names: ["mx.a.test"] } });
    const silent = there({ "TLSA _25._tcp.real.b.test": "fails" });
    expect((await found(silent)).dane.kind).toBe("unknown");
  });

  test("that leads out of the secured tree, only the alias itself counts", async () => {
    const zone = { "TLSA _25._tcp.mx.a.test": secured(good) };
    const { dane, asked } = await found(there(zone, false));
    expect(dane).toMatchObject({ kind: "demand", demand: { names: ["mx.a.test"] } });
    expect(asked).toEqual(["TLSA _25._tcp.mx.a.test"]);
    const silent = there({ "TLSA _25._tcp.mx.a.test": "fails" }, false);
    expect((await found(silent)).dane.kind).toBe("none");
  });
});

test("a flood of records is cut, the largest first", async () => {
  const whole = tlsa(3, 0, 0, `30${"ab".repeat(1_500)}`);
  const flood = [...Array.from({ length: 100 }, () => whole), good];
  const { dane } = await found(host(secured("192.0.2.1"), secured(...flood)));
  if (dane.kind !== "demand") throw new Error(dane.kind);
  expect(dane.demand.tlsa.length).toBeLessThan(10);
  expect(dane.demand.tlsa[0]).toEqual(good);
});

test("where a key is told by two digests, the weaker is not believed", async () => {
  const strong = tlsa(3, 1, 2, SHA512);
  const records = secured(good, strong, tlsa(2, 0, 1));
  const { dane } = await found(host(secured("192.0.2.1"), records));
  expect(dane).toMatchObject({ demand: { tlsa: [strong, tlsa(2, 0, 1)] } });
});

test("of all 4 x 3 x 4 kinds of records, those of RFC 7672 3.1 can be used", () => {
  const data = ["30".repeat(40), SHA256, SHA512, SHA256];
  const usable: string[] = [];
  for (const usage of [0, 1, 2, 3])
    for (const selector of [0, 1, 2])
      for (const type of [0, 1, 2, 3])
        if (isUsable(tlsa(usage, selector, type, data[type])))
          usable.push(`${usage}${selector}${type}`);
  expect(usable).toEqual("200 201 202 210 211 212 300 301 302 310 311 312".split(" "));
  for (const wrong of ["", "zz", SHA512, "3001"])
    expect(isUsable(tlsa(3, 1, 1, wrong))).toBe(false);
  expect(isUsable(tlsa(3, 1, 0, SHA256))).toBe(false);
});
