// Which addresses are closed, in every spelling that reaches them.
import { expect, test } from "bun:test";
import { parseCidrList } from "../../src/base/cidr.ts";
import { isPublic, mayConnect } from "../../src/web/guard.ts";
import { parseTarget } from "../../src/web/target.ts";

const closed = [
  "0.0.0.0",
  "10.1.2.3",
  "100.64.0.1",
  "100.127.255.255",
  "127.0.0.1",
  "127.255.255.254",
  "169.254.169.254",
  "172.16.0.1",
  "172.31.255.255",
  "192.168.0.1",
  "198.18.0.1",
  "224.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::ffff:127.0.0.1",
  "::ffff:7f00:1",
  "::ffff:8.8.8.8",
  "::127.0.0.1",
  "64:ff9b::10.0.0.1",
  "64:ff9b:1::1",
  "2001::1",
  "2002:7f00:1::",
  "2001:db8::1",
  "fc00::1",
  "fd00:ec2::254",
  "fe80::1",
  "fec0::1",
  "ff02::1",
  "not an address",
];

const open = [
  "8.8.8.8",
  "100.128.0.1",
  "172.32.0.1",
  "192.169.0.1",
  "2606:4700::1111",
  "64:ff9b::808:808",
];

test("what is not on the public internet is closed", () => {
  expect(closed.filter(isPublic)).toEqual([]);
  expect(open.filter((address) => !isPublic(address))).toEqual([]);
});

test("a range that is named is open, and alone open to http://", () => {
  const ranges = parseCidrList("127.0.0.0/8 fd00::/8 8.8.4.4");
  if (ranges.kind !== "parsed") throw new Error("no ranges");
  const may = (scheme: "http" | "https", address: string) =>
    mayConnect(scheme, address, ranges.value);
  expect(may("https", "127.0.0.1")).toBe(true);
  expect(may("http", "127.0.0.1")).toBe(true);
  expect(may("https", "10.0.0.1")).toBe(false);
  expect(may("http", "fd00::5")).toBe(true);
  expect(may("https", "8.8.8.8")).toBe(true);
  expect(may("http", "8.8.8.8")).toBe(false);
  expect(may("http", "8.8.4.4")).toBe(true);
});

test("a host is what the connector will make of it, however it is written", () => {
  const hostOf = (url: string) => {
    const parsed = parseTarget(url);
    return parsed.kind === "parsed" ? parsed.target.host : parsed.why;
  };
  expect(hostOf("http://0x7f.1/")).toBe("127.0.0.1");
  expect(hostOf("http://2130706433/")).toBe("127.0.0.1");
  expect(hostOf("http://0177.0.0.1/")).toBe("127.0.0.1");
  expect(hostOf("https://[::FFFF:127.0.0.1]/")).toBe("::ffff:7f00:1");
  expect(hostOf("https://hooks.example.com/a?b#c")).toBe("hooks.example.com");
  expect(hostOf("https://u:p@example.com/")).toBe("holds a user name or a password");
  expect(hostOf("ftp://example.com/")).toBe("is neither https:// nor http://");
  expect(hostOf("https://example.com/\r\nX: 1")).toBe("holds blanks or control characters");
  expect(hostOf("example.com")).toBe("is no URL");
  expect(hostOf(`https://example.com/${"a".repeat(2048)}`)).toBe("is longer than 2048 characters");
});
