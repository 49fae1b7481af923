import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isIP } from "node:net";
import {
  hostOnlyRanges,
  inRanges,
  ipFamily,
  parseCidr,
  parseCidrList,
  parseIp,
} from "../../src/base/cidr.ts";

const address6 = fc.ipV6();
const address4 = fc.ipV4();

describe("addresses", () => {
  test("are read as node:net reads them", () => {
    const almost = fc
      .tuple(fc.oneof(address4, address6), fc.nat(40), fc.constantFrom(..."0:.fg1/%-", ""))
      .map(([text, at, put]) => text.slice(0, at) + put + text.slice(at + 1));
    fc.assert(
      fc.property(fc.oneof(address4, address6, almost, fc.string()), (text) => {
        // node:net allows a zone index, which is no part of an address here.
        expect(ipFamily(text)).toBe(text.includes("%") ? 0 : (isIP(text) as 0 | 4 | 6));
      }),
      { numRuns: 3_000 },
    );
  });

  test("a group of zeros may be left out once, and the end may be an IPv4 address", () => {
    const bytes = (text: string) => [...(parseIp(text) ?? [])].join(",");
    expect(bytes("::")).toBe(new Array(16).fill(0).join(","));
    expect(bytes("::ffff:127.0.0.1")).toBe(bytes("0:0:0:0:0:ffff:7f00:1"));
    expect(bytes("2001:db8::1:2")).toBe(bytes("2001:DB8:0:0:0:0:1:2"));
    for (const bad of [
      ":",
      ":::",
      "1::2::3",
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9",
      "::1.2.3",
      "01.2.3.4",
      "1.2.3.256",
      "12345::",
      "1.2.3.4::",
      "[::1]",
    ])
      expect(parseIp(bad)).toBeUndefined();
  });
});

describe("ranges", () => {
  test("hold exactly what shares their first bits", () => {
    fc.assert(
      fc.property(address4, address4, fc.integer({ min: 0, max: 32 }), (base, other, bits) => {
        const number = (text: string) =>
          text.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
        const range = parseCidr(`${base}/${bits}`);
        if (range === undefined) throw new Error(`${base}/${bits}`);
        const size = 2 ** (32 - bits);
        const same = Math.floor(number(base) / size) === Math.floor(number(other) / size);
        expect(inRanges([range], other)).toBe(same);
        expect(inRanges([range], base)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  test("a list is parsed whole, or every fault is told", () => {
    expect(parseCidrList("10.0.0.0/8, ::1 fe80::/10")).toMatchObject({
      kind: "parsed",
      value: [{ prefixBits: 8 }, { prefixBits: 128 }, { prefixBits: 10 }],
    });
    expect(parseCidrList("none")).toEqual({ kind: "parsed", value: [] });
    expect(parseCidrList("")).toEqual({ kind: "parsed", value: [] });
    const parsed = parseCidrList("10.0.0.0/33, example.com, none, ::/129, 1.2.3.4/-1, 1.2.3.4/");
    expect(parsed.kind === "refused" && parsed.problems.length).toBe(6);
  });

  test("the default bans this host, its links and groups, in every disguise", () => {
    const denied = [
      ["0.0.0.0", "127.0.0.1", "127.255.1.2", "169.254.169.254", "224.0.0.1", "255.255.255.255"],
      ["::", "::1", "fe80::1", "febf::1", "ff02::1"],
      ["::ffff:127.0.0.1", "::ffff:7f00:1", "::127.0.0.1", "64:ff9b::127.0.0.1"],
      ["2002:7f00:1::", "2001:0:1:2:3:4:80ff:fffe"],
    ].flat();
    const allowed = [
      "10.0.0.1",
      "192.168.1.1",
      "8.8.8.8",
      "2001:db8::1",
      "fd00::1",
      "::ffff:8.8.8.8",
    ];
    expect(denied.filter((address) => !inRanges(hostOnlyRanges, address))).toEqual([]);
    expect(allowed.filter((address) => inRanges(hostOnlyRanges, address))).toEqual([]);
    expect(inRanges(hostOnlyRanges, "example.com")).toBe(false);
  });
});
