// What domains publish by MTA-STS (RFC 8461), as it is and as it should not be.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isListed, readStsPolicy, readStsRecord } from "../../src/route/mtaSts.ts";

describe("the record in the DNS", () => {
  test("gives the policy's id", () => {
    for (const text of [
      "v=STSv1; id=20160831085700Z;",
      "v=STSv1;id=20160831085700Z",
      "v=STSv1 ; more=1; id=20160831085700Z; ",
    ])
      expect(readStsRecord([text])).toEqual({ kind: "id", id: "20160831085700Z" });
    expect(readStsRecord(["v=spf1 -all", "v=STSv1; id=1"])).toEqual({ kind: "id", id: "1" });
  });

  test("counts as none unless there is exactly one with a proper id", () => {
    const bad = [
      [],
      ["v=STSv1"],
      ["v=STSv2; id=1"],
      ["v=STSv1; id="],
      ["v=STSv1; id=a-b"],
      [`v=STSv1; id=${"a".repeat(33)}`],
      ["v=STSv1; id=1; id=2"],
      ["v=STSv1; id=1", "v=STSv1; id=1"],
      ["V=STSv1; id=1"],
    ];
    for (const texts of bad) expect(readStsRecord(texts).kind).toBe("none");
  });
});

const good =
  "version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\nmax_age: 604800\n";

describe("the policy", () => {
  test("is read with either line end, in any order, and with fields that we do not know", () => {
    const policy = {
      mode: "enforce",
      maxAgeMs: 604_800_000,
      mx: ["mail.example.com", "*.example.net"],
    };
    expect(readStsPolicy(good)).toEqual({ kind: "policy", policy: policy as never });
    const other =
      "mx:MAIL.example.com  \r\nmax_age:604800\r\nx-new: 1\r\n\r\nmode:  enforce\r\nversion:STSv1\r\nmx: *.example.net";
    expect(readStsPolicy(other)).toEqual({ kind: "policy", policy: policy as never });
  });

  test("of a field that stands twice the first counts", () => {
    const read = readStsPolicy(`${good}mode: none\nmax_age: 1\n`);
    expect(read).toMatchObject({ policy: { mode: "enforce", maxAgeMs: 604_800_000 } });
  });

  test("lives a year at most", () => {
    const read = readStsPolicy(good.replace("604800", "9999999999"));
    expect(read).toMatchObject({ policy: { maxAgeMs: 31_557_600_000 } });
  });

  test("of mode none needs no host", () => {
    const read = readStsPolicy("version: STSv1\nmode: none\nmax_age: 86400\n");
    expect(read).toMatchObject({ kind: "policy", policy: { mode: "none", mx: [] } });
  });

  const faults: readonly (readonly [string, string, string])[] = [
    ["version: STSv1", "version: STSv2", "version"],
    ["version: STSv1\n", "", "version"],
    ["mode: enforce", "mode: on", "mode"],
    ["mode: enforce\n", "", "mode"],
    ["max_age: 604800", "max_age: -1", "max_age"],
    ["max_age: 604800", "max_age: 10000000000000", "max_age"],
    ["max_age: 604800\n", "", "max_age"],
    ["mx: mail.example.com", "mx: mail example", "host"],
    ["mx: *.example.net", "mx: a.*.example.net", "host"],
    ["mx: mail.example.com\nmx: *.example.net\n", "", "no mx"],
    ["mx: mail.example.com", "<html>", "no field"],
  ];
  for (const [from, to, why] of faults)
    test(`with ${JSON.stringify(to)} for ${JSON.stringify(from)} is none`, () => {
      const read = readStsPolicy(good.replace(from, to));
      expect(read).toMatchObject({ kind: "bad", why: expect.stringContaining(why) });
    });
});

test("no text makes either of them throw", () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom("version: STSv1", "mode: enforce", "mx: a.b", "max_age: 1", "mx:", "v=STSv1;"),
  );
  const text = fc.array(line, { maxLength: 20 }).map((lines) => lines.join("\n"));
  fc.assert(
    fc.property(text, (one) => {
      const read = readStsPolicy(one);
      if (read.kind === "policy") expect(read.policy.maxAgeMs).toBeLessThanOrEqual(31_557_600_000);
      expect(["id", "none"]).toContain(readStsRecord([one]).kind);
    }),
    { numRuns: 300 },
  );
});

test("a star stands for exactly one label", () => {
  const policy = { mx: ["mail.example.com", "*.example.net"] };
  for (const host of ["mail.example.com", "a.example.net", "mx-1.example.net"])
    expect(isListed(policy, host)).toBe(true);
  for (const host of ["example.net", "a.b.example.net", "other.example.com", "example.com", "com"])
    expect(isListed(policy, host)).toBe(false);
});
