// Limits of sites as an operator writes them.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseRate, rate, rateOrUnlimited, siteTable } from "../../src/config/sites.ts";

const machine = {
  cores: 2,
  hostname: "a.example",
  fileLimit: 1024,
  terminal: false,
  volumeBytes: 1,
};

describe("a rate", () => {
  test("is so many in a second, a minute, an hour or a day", () => {
    expect(parseRate("5/s")).toEqual({ count: 5, perMs: 1000 });
    expect(parseRate("100/m")).toEqual({ count: 100, perMs: 60_000 });
    expect(parseRate("1000 / h")).toEqual({ count: 1000, perMs: 3_600_000 });
    expect(parseRate("20000/d")).toEqual({ count: 20_000, perMs: 86_400_000 });
    expect(rateOrUnlimited.parse("unlimited", machine)).toBeNull();
  });

  test("of nothing, without a time or below zero is refused", () => {
    for (const text of ["0/s", "5", "5/w", "-1/s", "1.5/s", "/s", "s", "unlimited"])
      expect(rate.parse(text, machine)).toBeUndefined();
    expect(rate.parse(100, machine)).toBeUndefined();
  });

  test("is shown as it may be written", () => {
    const written = fc.tuple(fc.integer({ min: 1, max: 999_999_999 }), fc.constantFrom(..."smhd"));
    fc.assert(
      fc.property(written, ([count, unit]) => {
        const text = `${count}/${unit}`;
        const value = rate.parse(text, machine);
        expect(value).toBeDefined();
        if (value !== undefined) expect(rate.show(value)).toBe(text);
      }),
    );
  });
});

describe("the table of sites", () => {
  test("says of a site what the general settings say of all", () => {
    const raw = {
      "google.com": { connections: 5, rate: "10/s", connection_messages: 20 },
      "{mx1,mx2}.a.test": { connect_rate: "unlimited", recipients: 1 },
    };
    expect(siteTable.parse(raw, machine)).toEqual({
      "google.com": {
        connections: 5,
        messageRate: { count: 10, perMs: 1000 },
        connectionMessages: 20,
      },
      "{mx1,mx2}.a.test": { connectRate: null, transactionRecipients: 1 },
    });
  });

  test("is refused with a key or a value that it does not know", () => {
    for (const site of [{ conections: 5 }, { connections: 0 }, { rate: "fast" }, 5, [], "x"])
      expect(siteTable.parse({ "a.test": site }, machine)).toBeUndefined();
    for (const raw of [{ "": {} }, { "a b": {} }, [], "none", 1])
      expect(siteTable.parse(raw, machine)).toBeUndefined();
  });

  test("is shown by site", () => {
    const sites = siteTable.parse({ "a.test": { rate: "1/s", connections: 2 } }, machine);
    expect(sites).toBeDefined();
    expect(siteTable.show(sites ?? {})).toBe("a.test: connections: 2, rate: 1/s");
    expect(siteTable.show({})).toBe("none");
  });
});
