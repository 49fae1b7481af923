import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { relaySite, SITE_NAME_MAX, siteOf } from "../../src/route/site.ts";

describe("the name of a site", () => {
  test("is the host, or the hosts with their common end written once", () => {
    expect(siteOf(["mx.a.test"])).toBe("mx.a.test");
    expect(siteOf(["mx2.a.test", "mx1.a.test"])).toBe("{mx1,mx2}.a.test");
    expect(siteOf(["a.test", "mx.a.test"])).toBe("{a,mx.a}.test");
    expect(siteOf(["mx.a.test", "mx.b.example"])).toBe("{mx.a.test,mx.b.example}");
  });

  test("is the provider's for the big ones, and only if all hosts are theirs", () => {
    expect(siteOf(["aspmx.l.google.com", "alt1.aspmx.l.google.com"])).toBe("google.com");
    expect(siteOf(["gmail-smtp-in.l.google.com"])).toBe("google.com");
    expect(siteOf(["contoso-com.mail.protection.outlook.com"])).toBe("outlook.com");
    expect(siteOf(["aspmx.l.google.com", "mx.a.test"])).not.toBe("google.com");
    expect(siteOf(["mx.notgoogle.com"])).toBe("mx.notgoogle.com");
  });

  const label = fc.constantFrom("a", "b", "mx1", "mx2", "mail", "x".repeat(40));
  const name = fc.array(label, { minLength: 2, maxLength: 4 }).map((labels) => labels.join("."));
  const hosts = fc.uniqueArray(name, { minLength: 1, maxLength: 8 });

  test("depends on the set alone, is bounded, and differs for different sets", () => {
    fc.assert(
      fc.property(hosts, hosts, (one, other) => {
        expect(siteOf([...one].reverse())).toBe(siteOf(one));
        expect(siteOf([...one, ...one.slice(0, 1)])).toBe(siteOf(one));
        expect(siteOf(one).length).toBeLessThanOrEqual(SITE_NAME_MAX);
        const isSame = [...one].sort().join() === [...other].sort().join();
        expect(siteOf(one) === siteOf(other)).toBe(isSame);
      }),
      { numRuns: 1_000 },
    );
  });

  test("of a relay is its host and port", () => {
    expect(relaySite("mail.example", 587)).toBe("relay:mail.example:587");
    expect(relaySite("2001:db8::1", 25)).toBe("relay:[2001:db8::1]:25");
    expect(relaySite(`${"x".repeat(60)}.${"y".repeat(60)}.test`, 25).length).toBeLessThanOrEqual(
      100,
    );
  });
});
