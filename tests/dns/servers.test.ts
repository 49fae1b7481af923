import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseHosts, parseResolvConf } from "../../src/dns/servers.ts";
import { followSystemHosts, systemHosts, systemResolvConf } from "../../src/dns/system.ts";

describe("/etc/resolv.conf", () => {
  test("gives servers in order, and ignores the rest", () => {
    const text = `# made by hand
nameserver 192.0.2.53   ; the first
nameserver fe80::1%eth0
nameserver nonsense
search example.com
options ndots:2 timeout:3 attempts:4`;
    expect(parseResolvConf(text)).toEqual([
      { address: "192.0.2.53", port: 53, trusted: false },
      { address: "fe80::1%eth0", port: 53, trusted: false },
    ]);
  });

  test("the word of a server on this host is trusted, and of any other where trust-ad says so", () => {
    const trusted = (text: string) => parseResolvConf(text).map((server) => server.trusted);
    expect(trusted("nameserver 127.0.0.53\nnameserver 192.0.2.53")).toEqual([true, false]);
    expect(trusted("nameserver ::1\noptions edns0")).toEqual([true]);
    expect(trusted("nameserver 192.0.2.53\noptions edns0 trust-ad")).toEqual([true]);
  });

  test("an empty or missing one means the server on this host", () => {
    const local = [{ address: "127.0.0.1", port: 53, trusted: true }];
    expect(parseResolvConf("")).toEqual(local);
    expect(systemResolvConf("/nowhere/resolv.conf")).toEqual(local);
  });
});

describe("/etc/hosts", () => {
  test("several names a line, several lines a name, comments", () => {
    const hosts = parseHosts(
      "192.0.2.1\tA.test a # first\n192.0.2.2 a.test\n::1 a.test\nx y\n#192.0.2.3 z",
    );
    expect(hosts.get("a.test")).toEqual({ A: ["192.0.2.1", "192.0.2.2"], AAAA: ["::1"] });
    expect(hosts.get("a")).toEqual({ A: ["192.0.2.1"], AAAA: [] });
    expect([...hosts.keys()].sort()).toEqual(["a", "a.test", "localhost"]);
  });

  test("localhost is known without any file", () => {
    expect(systemHosts("/nowhere/hosts").get("localhost")?.A).toEqual(["127.0.0.1"]);
  });
});

test("the hosts file is read anew when it has changed, also when it comes or goes", () => {
  const folder = mkdtempSync(join(tmpdir(), "postrider-hosts-"));
  const path = join(folder, "hosts");
  const hosts = followSystemHosts(path);
  expect(hosts().has("a.test")).toBe(false);
  writeFileSync(path, "192.0.2.1 a.test\n");
  expect(hosts().get("a.test")?.A).toEqual(["192.0.2.1"]);
  expect(hosts()).toBe(hosts());
  writeFileSync(path, "192.0.2.1 a.test\n192.0.2.2 b.test\n");
  expect(hosts().has("b.test")).toBe(true);
  rmSync(folder, { recursive: true });
  expect(hosts().has("a.test")).toBe(false);
});

test("no text makes a parser throw", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      parseResolvConf(`nameserver ${text}\noptions ${text}`);
      parseHosts(`${text}\n192.0.2.1 ${text}`);
    }),
    { numRuns: 500 },
  );
});
