import { describe, expect, test } from "bun:test";
import { hostOnlyRanges } from "../../src/base/cidr.ts";
import type { Answer, MxRecord } from "../../src/dns/answer.ts";
import {
  candidatesOf,
  HOSTS_MAX,
  isMailHost,
  literalOf,
  locate,
  type HostAnswers,
} from "../../src/route/select.ts";

const T = 1_000;
const found = <R>(...records: R[]): Answer<R> => ({
  kind: "found",
  records,
  freshUntil: T,
  secure: false,
});
const none = (why: "nxdomain" | "nodata") =>
  ({ kind: "none", why, freshUntil: T, secure: false }) as const;
const unknown = { kind: "unknown", why: "SERVFAIL", freshUntil: T } as const;
const mx = (...list: (readonly [number, string])[]): Answer<MxRecord> =>
  found(...list.map(([preference, exchange]) => ({ preference, exchange })));

/** The outcome in a word: host names, a code, or unknown. */
function outcome(answer: Answer<MxRecord>): string {
  const got = candidatesOf("a.test", answer);
  if (got.kind === "candidates") return got.hosts.map((host) => host.name).join(" ");
  return got.kind === "refused" ? got.enhanced : "unknown";
}

describe("what the MX records say", () => {
  const cases: readonly (readonly [string, Answer<MxRecord>, string])[] = [
    ["no such domain", none("nxdomain"), "5.1.2"],
    ["no MX: the domain itself (RFC 5321 5.1)", none("nodata"), "a.test"],
    ["the resolver failed", unknown, "unknown"],
    ["null MX alone (RFC 7505)", mx([0, ""]), "5.1.10"],
    ["null MX of any preference", mx([10, ""]), "5.1.10"],
    ["null MX beside a real one is ignored", mx([0, ""], [10, "mx.a.test"]), "mx.a.test"],
    ["by preference", mx([20, "b.test"], [5, "c.test"], [10, "d.test"]), "c.test d.test b.test"],
    [
      "a host named twice counts at its best",
      mx([20, "b.test"], [10, "c.test"], [5, "b.test"]),
      "b.test c.test",
    ],
    ["single labels are no hosts", mx([5, "localhost"], [5, "mail"], [9, "b.test"]), "b.test"],
    ["addresses are no hosts", mx([5, "192.0.2.1"]), "5.4.4"],
    [
      "bad labels are no hosts",
      mx([5, `${"x".repeat(64)}.test`], [5, "-a.test"], [5, "a b.test"]),
      "5.4.4",
    ],
  ];
  for (const [title, answer, expected] of cases)
    test(title, () => expect(outcome(answer)).toBe(expected));

  test("of 2,000 hosts the best sixteen are looked at, and it is told that there are more", () => {
    const answer = mx(...Array.from({ length: 512 }, (_, i) => [512 - i, `m${i}.test`] as const));
    const got = candidatesOf("a.test", answer);
    if (got.kind !== "candidates") throw new Error(got.kind);
    expect([got.hosts.length, got.hosts[0]?.name, got.cut]).toEqual([HOSTS_MAX, "m511.test", true]);
  });
});

describe("where the hosts are", () => {
  const at = (
    name: string,
    v6: Answer<string>,
    v4: Answer<string>,
    preference = 1,
  ): HostAnswers => ({
    host: { name, preference },
    v6,
    v4,
  });

  test("IPv6 stands before IPv4, in the resolver's order", () => {
    const got = locate([at("a.test", found("2001:db8::2", "2001:db8::1"), found("192.0.2.1"))], []);
    expect(got).toEqual({
      kind: "hosts",
      hosts: [
        { name: "a.test", preference: 1, addresses: ["2001:db8::2", "2001:db8::1", "192.0.2.1"] },
      ],
      freshUntil: T,
    });
  });

  test("one family that fails leaves the other", () => {
    const got = locate([at("a.test", unknown, found("192.0.2.1"))], []);
    expect(got.kind === "hosts" && got.hosts[0]?.addresses).toEqual(["192.0.2.1"]);
  });

  test("a host without address is passed over", () => {
    const gone = at("a.test", none("nxdomain"), none("nxdomain"));
    const got = locate([gone, at("b.test", none("nodata"), found("192.0.2.1"))], []);
    expect(got.kind === "hosts" && got.hosts.map((host) => host.name)).toEqual(["b.test"]);
  });

  test("none usable is a fact only if every answer is one", () => {
    const gone = at("a.test", none("nodata"), none("nxdomain"));
    expect(locate([gone], []).kind).toBe("nowhere");
    expect(locate([gone, at("b.test", none("nodata"), unknown)], []).kind).toBe("unknown");
  });

  test("addresses of this host are not connected to, in no disguise", () => {
    const own = at("a.test", found("::1", "::ffff:127.0.0.1"), found("127.0.0.1", "0.0.0.0"));
    expect(locate([own], hostOnlyRanges)).toMatchObject({ kind: "nowhere", denied: "::1" });
    const mixed = at("a.test", found("::1"), found("192.0.2.1"));
    const got = locate([mixed], hostOnlyRanges);
    expect(got.kind === "hosts" && got.hosts[0]?.addresses).toEqual(["192.0.2.1"]);
    expect(locate([own], []).kind).toBe("hosts");
  });

  test("the shortest-lived answer says how long all of it holds", () => {
    const early: Answer<string> = { ...none("nodata"), freshUntil: 5 };
    expect(locate([at("a.test", early, found("192.0.2.1"))], [])).toMatchObject({ freshUntil: 5 });
  });
});

test("address literals of both families, and what only looks like one", () => {
  expect(literalOf("[192.0.2.1]")).toBe("192.0.2.1");
  expect(literalOf("[IPv6:2001:DB8::1]")).toBe("2001:db8::1");
  expect(literalOf("[ipv6:::1]")).toBe("::1");
  expect(literalOf("a.test")).toBeUndefined();
  for (const bad of ["[]", "[2001:db8::1]", "[IPv6:192.0.2.1]", "[1.2.3]", "[x-tag:y]"])
    expect(literalOf(bad)).toBe("");
});

test("mail hosts are names of at least two labels", () => {
  for (const good of [
    "a.test",
    "mx-1.a.test",
    "_mail.a.test",
    "1.a.test",
    `${"x".repeat(63)}.test`,
  ])
    expect(isMailHost(good)).toBe(true);
  for (const bad of [
    "",
    ".",
    "localhost",
    "a.localhost",
    "mail",
    "a..test",
    "a.test.",
    "1.2.3.4",
    "a_.-b.test",
    "a@b.test",
  ])
    expect(isMailHost(bad)).toBe(false);
});
