// What a site is given at most, and whence.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { limitsOf, type LimitSettings, type Rate } from "../../src/route/limits.ts";
import { providerOf, providers } from "../../src/route/providers.ts";
import { siteOf } from "../../src/route/site.ts";

const perMinute = (count: number): Rate => ({ count, perMs: 60_000 });

const general: LimitSettings = {
  siteConnections: 10,
  relayConnections: 20,
  connectRate: perMinute(100),
  messageRate: null,
  connectionMessages: 100,
  transactionRecipients: 100,
  sites: {},
};

describe("limits in force", () => {
  test("are the general settings for a site of which nothing is known", () => {
    const { limits, from } = limitsOf(general, { site: "mx.a.test", via: "mx" });
    expect(limits).toEqual({
      connections: 10,
      connectRate: perMinute(100),
      messageRate: null,
      connectionMessages: 100,
      transactionRecipients: 100,
    });
    expect(new Set(Object.values(from))).toEqual(new Set(["general"]));
  });

  test("are tightened by what the provider wants, and never loosened by it", () => {
    const yahoo = limitsOf(general, { site: "yahoo.com", via: "mx" });
    expect(yahoo.limits).toMatchObject({ connections: 10, connectionMessages: 20 });
    expect(yahoo.from).toMatchObject({ connections: "general", connectionMessages: "shipped" });
    const careful = { ...general, connectionMessages: 5, siteConnections: 2 };
    expect(limitsOf(careful, { site: "yahoo.com", via: "mx" }).limits).toMatchObject({
      connections: 2,
      connectionMessages: 5,
    });
  });

  test("follow a word of the operator about this very site before all else", () => {
    const sites = { "yahoo.com": { connectionMessages: 50, messageRate: perMinute(1) } };
    const { limits, from } = limitsOf({ ...general, sites }, { site: "yahoo.com", via: "mx" });
    expect(limits).toMatchObject({ connectionMessages: 50, messageRate: perMinute(1) });
    expect(from).toMatchObject({ connectionMessages: "own", messageRate: "own" });
  });

  test("of a relay are its own, and its connections come as fast as they are wanted", () => {
    const { limits } = limitsOf(general, { site: "relay:a.test:25", via: "relay" });
    expect(limits).toMatchObject({ connections: 20, connectRate: null });
    const sites = { "relay:a.test:25": { connectRate: perMinute(5) } };
    const told = limitsOf({ ...general, sites }, { site: "relay:a.test:25", via: "relay" });
    expect(told.limits.connectRate).toEqual(perMinute(5));
  });

  test("of the built-in sink hold nothing up", () => {
    const slow = { ...general, messageRate: perMinute(1) };
    const { limits } = limitsOf(slow, { site: "sink", via: "sink" });
    expect(limits).toMatchObject({ connectRate: null, messageRate: null });
  });

  test("are never looser than the general ones without a word of the operator", () => {
    const rate = fc.option(fc.integer({ min: 1, max: 1e6 }).map(perMinute));
    const settings = fc.record({
      siteConnections: fc.integer({ min: 1, max: 1000 }),
      relayConnections: fc.integer({ min: 1, max: 1000 }),
      connectRate: rate,
      messageRate: rate,
      connectionMessages: fc.integer({ min: 1, max: 1000 }),
      transactionRecipients: fc.integer({ min: 1, max: 1000 }),
      sites: fc.constant({}),
    });
    const site = fc.constantFrom("mx.a.test", ...providers.map((one) => one.site));
    fc.assert(
      fc.property(settings, site, (given, name) => {
        const { limits } = limitsOf(given, { site: name, via: "mx" });
        expect(limits.connections).toBeLessThanOrEqual(given.siteConnections);
        expect(limits.connectionMessages).toBeLessThanOrEqual(given.connectionMessages);
        expect(limits.transactionRecipients).toBeLessThanOrEqual(given.transactionRecipients);
        if (given.connectRate !== null && limits.connectRate !== null)
          expect(limits.connectRate.count).toBeLessThanOrEqual(given.connectRate.count);
        expect(limits.connectRate === null).toBe(given.connectRate === null);
      }),
    );
  });

  test("do not come from what every object has", () => {
    expect(limitsOf(general, { site: "constructor", via: "mx" }).limits.connections).toBe(10);
  });
});

describe("the table of providers", () => {
  test("names each site and each suffix once", () => {
    const sites = providers.map((one) => one.site);
    const suffixes = providers.flatMap((one) => one.suffixes);
    expect(new Set(sites).size).toBe(sites.length);
    expect(new Set(suffixes).size).toBe(suffixes.length);
  });

  test("rolls every tenant's own MX up to its provider", () => {
    for (const { site, suffixes } of providers)
      for (const suffix of suffixes) {
        expect(siteOf([`tenant-${suffix.length}.${suffix}`])).toBe(site);
        expect(providerOf([`not${suffix}`])).toBeUndefined();
      }
    expect(siteOf(["aspmx.l.google.com", "aspmx2.googlemail.com"])).toBe("google.com");
    expect(providerOf(["aspmx.l.google.com", "mx.yandex.net"])).toBeUndefined();
  });
});
