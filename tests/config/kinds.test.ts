import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  type Kind,
  choice,
  duration,
  durations,
  endpoint,
  flag,
  integer,
  list,
  nameServer,
  parseDurationMs,
  parseSizeBytes,
  perPriority,
  range,
  share,
  showDuration,
  showSize,
  size,
} from "../../src/config/kinds.ts";
import { fullHostname, openFilesMax } from "../../src/config/machine.ts";
import { relayList } from "../../src/config/relay.ts";
import { nearest } from "../../src/config/suggest.ts";

const machine = {
  cores: 2,
  hostname: "a.example",
  fileLimit: 1024,
  terminal: false,
  volumeBytes: 1000e6,
};
const read = <T>(kind: Kind<T>, raw: unknown): T | undefined => kind.parse(raw, machine);

describe("a value is read as it is meant:", () => {
  const cases: readonly (readonly [string, unknown, unknown])[] = [
    ["15s", parseDurationMs("15s"), 15_000],
    ["72h", parseDurationMs("72h"), 259_200_000],
    ["5d", parseDurationMs("5d"), 432_000_000],
    ["1.5m", parseDurationMs("1.5m"), 90_000],
    ["100 ms", parseDurationMs("100 ms"), 100],
    ["15", parseDurationMs("15"), undefined],
    ["-1s", parseDurationMs("-1s"), undefined],
    ["40 MB", parseSizeBytes("40 MB"), 40e6],
    ["64MiB", parseSizeBytes("64MiB"), 67_108_864],
    ["1.5gb", parseSizeBytes("1.5gb"), 1.5e9],
    ["1000", parseSizeBytes("1000"), 1000],
    ["1 XB", parseSizeBytes("1 XB"), undefined],
    ["a percentage", read(share({ min: 0, max: 1e12 }), "50%"), 500e6],
    ["too many per cent", read(share({ min: 0, max: 1e12 }), "101%"), undefined],
    ["a size from TOML", read(size({ min: 0, max: 1e12 }), 5), 5],
    ["a broken size from TOML", read(size({ min: 0, max: 1e12 }), [1]), undefined],
    ["1_000", read(integer({ min: 1, max: 5000 }), "1_000"), 1000],
    ["1e3", read(integer({ min: 1, max: 5000 }), "1e3"), undefined],
    ["a fraction", read(integer({ min: 1, max: 5000 }), 1.5), undefined],
    ["one above the bound", read(integer({ min: 1, max: 5 }), 6), undefined],
    ["yes", read(flag, "yes"), true],
    ["off", read(flag, "off"), false],
    ["maybe", read(flag, "maybe"), undefined],
    ["a word", read(choice(["a", "b"]), "b"), "b"],
    ["another word", read(choice(["a", "b"]), "B"), undefined],
    ["an address", read(endpoint, "127.0.0.1:0"), { host: "127.0.0.1", port: 0 }],
    ["a name", read(endpoint, "localhost:80"), { host: "localhost", port: 80 }],
    ["IPv6", read(endpoint, "[::1]:8250"), { host: "::1", port: 8250 }],
    ["IPv6 without brackets", read(endpoint, "::1:8250"), undefined],
    ["a port too high", read(endpoint, "127.0.0.1:65536"), undefined],
    ["no port", read(endpoint, "127.0.0.1"), undefined],
    ["brackets around a name", read(endpoint, "[localhost]:80"), undefined],
    ["no address", read(endpoint, "999.1.1.1:80"), undefined],
    ["a bare name server", read(nameServer, "::1"), { host: "::1", port: 53 }],
    ["a named name server", read(nameServer, "dns.example:53"), undefined],
    ["ranges", read(list(range, 3), "10.0.0.0/8, fe80::/10"), ["10.0.0.0/8", "fe80::/10"]],
    ["no ranges", read(list(range, 3), "none"), []],
    ["a range with a slip", read(list(range, 3), "10.0.0.0/33"), undefined],
    ["too many", read(list(range, 1), ["::1", "::2"]), undefined],
    ["a relay", read(relayList, "smtps://relay.example"), "smtps://relay.example"],
    [
      "a relay and its login",
      read(relayList, "smtp://u:p@relay.example?auth=XOAUTH2"),
      "smtp://u:p@relay.example?auth=XOAUTH2",
    ],
    ["a login that nobody knows", read(relayList, "smtp://u:p@relay.example?auth=ntlm"), undefined],
    ["no relay", read(relayList, "none"), null],
    ["a relay with a slip", read(relayList, "smtp://relay.example?tsl=off"), undefined],
    ["a relay of another kind", read(relayList, "ftp://relay.example"), undefined],
  ];
  for (const [name, found, wanted] of cases) {
    test(name, () => expect(found).toEqual(wanted));
  }
});

test("a table keeps the defaults of the priorities that it does not name", () => {
  const kind = perPriority(duration({ min: 1000, max: 1e9 }), [1000, 2000, 3000]);
  expect(read(kind, { p1: "5s" })).toEqual([1000, 5000, 3000]);
  expect(read(kind, { p3: "5s" })).toBeUndefined();
  expect(read(kind, "5s")).toBeUndefined();
});

test("a table of durations keeps the defaults that it does not name", () => {
  const kind = durations({ min: 1000, max: 1e9 }, { greeting: 1000, dot: 2000 });
  expect(read(kind, { dot: "5s" })).toEqual({ greeting: 1000, dot: 5000 });
  expect(read(kind, { dots: "5s" })).toBeUndefined();
  expect(read(kind, { dot: "1ms" })).toBeUndefined();
  expect(read(kind, { toString: "5s" })).toBeUndefined();
});

test("what is shown is read as the same duration and size", () => {
  fc.assert(
    fc.property(fc.nat({ max: 1e9 }), (value) => {
      expect(parseDurationMs(showDuration(value))).toBe(value);
      expect(parseSizeBytes(showSize(value))).toBe(value);
    }),
    { numRuns: 300 },
  );
});

test("a slip of a letter or two is recognised, another word is not", () => {
  expect(nearest("workrs", ["workers", "listen"])).toBe("workers");
  expect(nearest("frobnicate", ["workers", "listen"])).toBeUndefined();
});

test("the full host name comes from /etc/hosts", () => {
  const hosts = "127.0.0.1 localhost\n127.0.1.1 box.shop.example box # ours\n";
  expect(fullHostname("box", hosts)).toBe("box.shop.example");
  expect(fullHostname("boxer", hosts)).toBe("boxer");
  expect(fullHostname("a.example", hosts)).toBe("a.example");
});

test("the file limit is the soft one", () => {
  expect(openFilesMax("Max open files            1024                 4096      files")).toBe(1024);
  expect(openFilesMax("")).toBe(1024);
});
