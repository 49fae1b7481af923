import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseHosts, parseResolvConf, parseServers } from "../../src/dns/servers.ts";
import { systemHosts, systemResolvConf } from "../../src/dns/system.ts";

describe("the setting dns_servers", () => {
  test("takes addresses of both families, with and without a port", () => {
    expect(parseServers("127.0.0.1:5353, [::1]:53,9.9.9.9 2620:fe::fe")).toEqual({
      kind: "parsed",
      value: [
        { address: "127.0.0.1", port: 5353 },
        { address: "::1", port: 53 },
        { address: "9.9.9.9", port: 53 },
        { address: "2620:fe::fe", port: 53 },
      ],
    });
  });

  test("tells every fault at once", () => {
    const parsed = parseServers(
      "dns.example, 1.2.3.4:0, 1.2.3.4:65536, [1.2.3.4]:53, [::1:53, 9.9.9.9",
    );
    expect(parsed.kind === "refused" && parsed.problems.length).toBe(5);
    expect(parseServers("").kind).toBe("refused");
    expect(parseServers(new Array(9).fill("9.9.9.9").join(",")).kind).toBe("refused");
  });
});

describe("/etc/resolv.conf", () => {
  test("gives servers in order, timeout and attempts, and ignores the rest", () => {
    const text = `# made by hand
nameserver 192.0.2.53   ; the first
nameserver fe80::1%eth0
nameserver nonsense
search example.com
options ndots:2 timeout:3 attempts:4`;
    expect(parseResolvConf(text)).toEqual({
      servers: [
        { address: "192.0.2.53", port: 53 },
        { address: "fe80::1%eth0", port: 53 },
      ],
      timeoutMs: 3_000,
      attempts: 4,
    });
  });

  test("an empty or missing one means the server on this host", () => {
    const local = [{ address: "127.0.0.1", port: 53 }];
    expect(parseResolvConf("").servers).toEqual(local);
    expect(systemResolvConf("/nowhere/resolv.conf").servers).toEqual(local);
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

test("no text makes a parser throw", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      parseServers(text);
      parseResolvConf(`nameserver ${text}\noptions ${text}`);
      parseHosts(`${text}\n192.0.2.1 ${text}`);
    }),
    { numRuns: 500 },
  );
});
