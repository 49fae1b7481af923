import { describe, expect, test } from "bun:test";
import { parseCidrList } from "../../src/base/cidr.ts";
import type { Answer } from "../../src/dns/answer.ts";
import { betterThanOwn, nobody, type Own } from "../../src/route/own.ts";
import type { HostAnswers } from "../../src/route/select.ts";

const freshUntil = 1_000;
const found = (...records: string[]): Answer<string> => ({
  kind: "found",
  records,
  freshUntil,
  secure: false,
});
const none: Answer<string> = { kind: "none", why: "nodata", freshUntil, secure: false };

function host(name: string, preference: number, v4: string, v6?: string): HostAnswers {
  return { host: { name, preference }, v4: found(v4), v6: v6 === undefined ? none : found(v6) };
}

function own(names: string[], ...addresses: string[]): Own {
  const parsed = parseCidrList(addresses.join(","));
  return { names, addresses: parsed.kind === "parsed" ? parsed.value : [] };
}

const three = [
  host("mx1.test", 10, "192.0.2.1"),
  host("mx2.test", 20, "192.0.2.2", "2001:db8::2"),
  host("mx3.test", 20, "192.0.2.3"),
  host("mx4.test", 30, "192.0.2.4"),
];
const namesLeft = (who: Own): string =>
  betterThanOwn(three, who)
    .map((one) => one.host.name)
    .join(" ");

describe("this host among the MX of a domain (RFC 5321 5.1)", () => {
  test("it, its equals and all worse ones are passed over, by name or by address", () => {
    expect(namesLeft(own(["mx2.test"]))).toBe("mx1.test");
    expect(namesLeft(own([], "192.0.2.3"))).toBe("mx1.test");
    expect(namesLeft(own(["mx4.test"]))).toBe("mx1.test mx2.test mx3.test");
  });

  test("an address is the same in every spelling", () => {
    expect(namesLeft(own([], "2001:0db8:0:0::2"))).toBe("mx1.test");
    const mapped = [host("mx.test", 10, "192.0.2.9", "::ffff:192.0.2.7")];
    expect(betterThanOwn(mapped, own([], "192.0.2.7"))).toEqual([]);
  });

  test("as the best one, nothing is left", () => {
    expect(namesLeft(own(["mx1.test"]))).toBe("");
  });

  test("a stranger passes over none", () => {
    const all = "mx1.test mx2.test mx3.test mx4.test";
    expect(namesLeft(own(["other.test"], "203.0.113.1"))).toBe(all);
    expect(namesLeft(nobody)).toBe(all);
  });
});
