import { expect, test } from "bun:test";
import type { Answer } from "../../src/dns/answer.ts";
import { checkSpf, type SpfLook } from "../../src/domains/spf.ts";

/** By type and name; `silent` gets no answer. */
const zone: Readonly<Record<string, readonly unknown[]>> = {
  "TXT all.example": ["v=spf1 +all"],
  "TXT none.example": ["something else"],
  "TXT two.example": ["v=spf1 -all", "v=spf1 +all"],
  "TXT ip.example": ["some text", "v=spf1 ip4:192.0.2.0/28 ip6:2001:db8::/32 -all"],
  "TXT a.example": ["v=spf1 a ~all"],
  "A a.example": ["192.0.2.1", "192.0.2.9"],
  "AAAA a.example": ["2001:db8::1"],
  "TXT wide.example": ["v=spf1 a:a.example/24//64 -all"],
  "TXT mx.example": ["v=spf1 mx -all"],
  "MX mx.example": [{ preference: 10, exchange: "a.example" }],
  "TXT via.example": ["v=spf1 include:ip.example ?all"],
  "TXT redirect.example": ["v=spf1 redirect=ip.example"],
  "TXT unused.example": ["v=spf1 a:a.example redirect=silent.example -all"],
  "TXT exists.example": ["v=spf1 exists:a.example -all"],
  "TXT macro.example": ["v=spf1 exists:%{i}.example include:%{d} +all"],
  "TXT loop.example": ["v=spf1 include:loop.example -all"],
  "TXT broken.example": ["v=spf1 ip4:nonsense -all"],
  "TXT unknown.example": ["v=spf1 what:ever -all"],
  "TXT lost.example": ["v=spf1 include:none.example -all"],
  "TXT asks.example": ["v=spf1 a:silent.example -all"],
  "TXT end.example": ["v=spf1 ip4:198.51.100.1"],
  "TXT spaced.example": ["V=SPF1  A:A.example   -ALL"],
};

const look: SpfLook = async <T>(type: string, name: string): Promise<Answer<T>> => {
  if (name === "silent.example") return { kind: "unknown", why: "timeout", freshUntil: 0 };
  const records = zone[`${type} ${name}`] as readonly T[] | undefined;
  if (records === undefined) return { kind: "none", why: "nxdomain", freshUntil: 0, secure: false };
  return { kind: "found", records, freshUntil: 0, secure: false };
};

const cases: readonly (readonly [string, string, string])[] = [
  ["all.example", "192.0.2.1", "pass"],
  ["none.example", "192.0.2.1", "none"],
  ["absent.example", "192.0.2.1", "none"],
  ["two.example", "192.0.2.1", "permerror"],
  ["ip.example", "192.0.2.1", "pass"],
  ["ip.example", "192.0.2.16", "fail"],
  ["ip.example", "2001:db8::9", "pass"],
  ["a.example", "192.0.2.9", "pass"],
  ["a.example", "2001:db8::1", "pass"],
  ["a.example", "192.0.2.2", "softfail"],
  ["wide.example", "192.0.2.200", "pass"],
  ["wide.example", "2001:db8::9", "pass"],
  ["wide.example", "2001:db8:1::9", "fail"],
  ["mx.example", "192.0.2.1", "pass"],
  ["mx.example", "192.0.2.2", "fail"],
  ["via.example", "192.0.2.1", "pass"],
  ["via.example", "198.51.100.1", "neutral"],
  ["redirect.example", "192.0.2.1", "pass"],
  ["redirect.example", "198.51.100.1", "fail"],
  ["unused.example", "192.0.2.1", "pass"],
  ["unused.example", "198.51.100.1", "fail"],
  ["exists.example", "198.51.100.1", "pass"],
  ["macro.example", "198.51.100.1", "pass"],
  ["loop.example", "192.0.2.1", "permerror"],
  ["broken.example", "192.0.2.1", "permerror"],
  ["unknown.example", "192.0.2.1", "permerror"],
  ["lost.example", "192.0.2.1", "permerror"],
  ["asks.example", "192.0.2.1", "temperror"],
  ["end.example", "192.0.2.1", "neutral"],
  ["spaced.example", "192.0.2.1", "pass"],
];

for (const [domain, address, result] of cases)
  test(`${address} for ${domain} is ${result}`, async () => {
    expect(await checkSpf(domain, address, look)).toBe(result as never);
  });
