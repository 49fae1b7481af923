// What certificates prove: by the authorities and the name, or by TLSA records alone (RFC 7672, RFC 7671 5).
import { describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import { prove, type Shown, stillHolds } from "../../src/deliver/proof.ts";
import { daneFault, matches } from "../../src/deliver/tlsa.ts";
import type { TlsDemand } from "../../src/route/route.ts";
import { makeCertificate, tlsaOf, type Made } from "../fixtures/certificates.ts";

const DAY_MS = 86_400_000;
const now = Date.now();
const root = makeCertificate({ name: "Root", isAuthority: true });
const middle = makeCertificate({ name: "Middle", isAuthority: true, issuer: root });
const leaf = makeCertificate({ name: "leaf", names: ["mx.a.test"], issuer: middle });
const other = makeCertificate({ name: "Root", isAuthority: true });
const old = makeCertificate({
  name: "old",
  names: ["mx.a.test"],
  issuer: middle,
  notBefore: now - 9 * DAY_MS,
  notAfter: now - DAY_MS,
});
const oldMiddle = makeCertificate({
  name: "Middle",
  isAuthority: true,
  issuer: root,
  notBefore: now - 9 * DAY_MS,
  notAfter: now - DAY_MS,
});
const belowOld = makeCertificate({ name: "leaf", names: ["mx.a.test"], issuer: oldMiddle });
/** Signed by a certificate that may not sign. */
const grandchild = makeCertificate({ name: "child", names: ["mx.a.test"], issuer: leaf });

type Tlsa = ReturnType<typeof tlsaOf>;
type DaneDemand = Extract<TlsDemand, { source: "dane" }>;

const dane = (tlsa: readonly Tlsa[], names: readonly string[] = ["mx.a.test"]): DaneDemand => ({
  source: "dane",
  tlsa,
  names,
});
const chainOf = (...made: readonly Made[]) => made.map((one) => new X509Certificate(one.der));

describe("a TLSA record", () => {
  const selectors = [0, 1];
  const types = [0, 1, 2];
  for (const selector of selectors)
    for (const type of types) {
      test(`3 ${selector} ${type} matches its certificate and no other`, () => {
        const record = tlsaOf(leaf, 3, selector, type);
        expect(matches(record, new X509Certificate(leaf.der))).toBe(true);
        expect(matches(record, new X509Certificate(middle.der))).toBe(false);
        expect(daneFault(chainOf(leaf, middle), dane([record]), now)).toBe("");
        expect(daneFault(chainOf(old), dane([record]), now)).toContain("no TLSA record");
      });

      test(`2 ${selector} ${type} vouches for what is below its anchor`, () => {
        for (const anchor of [middle, root]) {
          const demand = dane([tlsaOf(anchor, 2, selector, type)]);
          expect(daneFault(chainOf(leaf, middle, root), demand, now)).toBe("");
        }
        const foreign = dane([tlsaOf(other, 2, selector, type)]);
        expect(daneFault(chainOf(leaf, middle, root), foreign, now)).toContain("chain");
        // An anchor that signed nothing of it, added to the chain by the server.
        expect(daneFault(chainOf(leaf, middle, other), foreign, now)).toContain("chain");
      });
    }

  test("of usage 3 asks for neither names nor dates", () => {
    const record = tlsaOf(old, 3, 1, 1);
    expect(daneFault(chainOf(old), dane([record], ["elsewhere.test"]), now)).toBe("");
  });

  test("of usage 2 asks for a name: the host's, its alias's or the recipient's domain", () => {
    const record = tlsaOf(middle, 2, 0, 1);
    const chain = chainOf(leaf, middle);
    expect(daneFault(chain, dane([record], ["a.test", "mx.a.test"]), now)).toBe("");
    expect(daneFault(chain, dane([record], ["a.test"]), now)).toContain("names none of a.test");
  });

  test("of usage 2 asks for dates, along the whole way", () => {
    expect(daneFault(chainOf(old, middle), dane([tlsaOf(middle, 2, 0, 1)]), now)).not.toBe("");
    const anchor = dane([tlsaOf(root, 2, 0, 1)]);
    expect(daneFault(chainOf(belowOld, oldMiddle, root), anchor, now)).not.toBe("");
  });

  test("of usage 2 is no licence to sign for what may not sign", () => {
    const demand = dane([tlsaOf(middle, 2, 0, 1)]);
    expect(daneFault(chainOf(grandchild, leaf, middle), demand, now)).not.toBe("");
    const self = dane([tlsaOf(leaf, 2, 0, 1)]);
    expect(daneFault(chainOf(leaf), self, now)).not.toBe("");
  });

  test("of usage 2 that holds the whole anchor needs no server to show it", () => {
    for (const selector of selectors) {
      expect(daneFault(chainOf(leaf), dane([tlsaOf(middle, 2, selector, 0)]), now)).toBe("");
      expect(daneFault(chainOf(leaf, middle), dane([tlsaOf(root, 2, selector, 0)]), now)).toBe("");
      expect(daneFault(chainOf(leaf), dane([tlsaOf(root, 2, selector, 0)]), now)).not.toBe("");
    }
  });

  test("one that matches is enough, and none is not", () => {
    const records = [tlsaOf(other, 3, 1, 1), tlsaOf(other, 2, 0, 1), tlsaOf(leaf, 3, 0, 2)];
    expect(daneFault(chainOf(leaf, middle), dane(records), now)).toBe("");
    expect(daneFault(chainOf(leaf, middle), dane(records.slice(0, 2)), now)).not.toBe("");
    expect(daneFault([], dane(records), now)).toContain("no certificate");
  });

  test("holds whatever bytes it likes without a throw", () => {
    const record = fc.record({
      usage: fc.constantFrom(2, 3),
      selector: fc.constantFrom(0, 1),
      matchingType: fc.constantFrom(0, 1, 2),
      data: fc.oneof(
        fc.uint8Array({ maxLength: 200 }).map((bytes) => `30${Buffer.from(bytes).toString("hex")}`),
        fc.constant(leaf.der.toString("hex").slice(0, -2)),
      ),
    });
    fc.assert(
      fc.property(fc.array(record, { maxLength: 4 }), (records) => {
        expect(daneFault(chainOf(leaf, middle), dane(records), now)).not.toBe("");
      }),
      { numRuns: 100 },
    );
  });
});

describe("a certificate", () => {
  const shown = (made: Made, change: Partial<Shown> = {}): Shown => ({
    chain: [made.der],
    authorized: true,
    error: "",
    ...change,
  });
  const at = { host: "mx.a.test", demand: undefined, now };

  test("proves a host when an authority vouches for it and it names the host", () => {
    expect(prove(shown(leaf), at)).toMatchObject({
      verified: true,
      unproven: "",
      outOfTime: false,
    });
    const wrong = prove(shown(leaf), { ...at, host: "mx.b.test" });
    expect(wrong).toMatchObject({ verified: false, outOfTime: false });
    expect(wrong.unproven).toContain("does not name mx.b.test");
  });

  test("says in words why it proves nothing", () => {
    const why = (error: string): string =>
      prove(shown(leaf, { authorized: false, error }), at).unproven;
    expect(why("DEPTH_ZERO_SELF_SIGNED_CERT")).toContain("signed by itself");
    expect(why("UNABLE_TO_GET_ISSUER_CERT_LOCALLY")).toContain("authority is not known");
    expect(why("SOMETHING_NEW")).toContain("SOMETHING_NEW");
    expect(prove({ chain: [], authorized: false, error: "" }, at).verified).toBe(false);
  });

  test("that is out of time is told apart, also in a session that is resumed", () => {
    const expired = prove(shown(old, { authorized: false, error: "CERT_HAS_EXPIRED" }), at);
    expect(expired).toMatchObject({ verified: false, outOfTime: true });
    expect(expired.unproven).toBe("the certificate has expired");
    expect(prove(shown(old), at)).toMatchObject({ verified: false, outOfTime: true });
    const early = prove(shown(leaf, { authorized: false, error: "CERT_NOT_YET_VALID" }), at);
    expect(early).toMatchObject({ unproven: "the certificate is not valid yet", outOfTime: true });
    const chain = prove(shown(leaf, { authorized: false, error: "CERT_HAS_EXPIRED" }), at);
    expect(chain.outOfTime).toBe(true);
  });

  test("proves the same until its time is over, but under DANE it is looked at anew", () => {
    const proof = prove(shown(leaf), at);
    expect(stillHolds(proof, at)).toBe(true);
    expect(stillHolds(proof, { ...at, now: (proof.holds?.untilMs ?? 0) + 1 })).toBe(false);
    expect(stillHolds(proof, { ...at, now: (proof.holds?.fromMs ?? 0) - 1 })).toBe(false);
    expect(stillHolds(proof, { ...at, demand: dane([]) })).toBe(false);
    expect(stillHolds(prove(shown(old), at), at)).toBe(false);
  });

  test("with a common name alone will do by itself, but not for MTA-STS (RFC 8461 4.2)", () => {
    const plain = makeCertificate({ name: "mx.a.test", issuer: middle });
    expect(prove(shown(plain), at).verified).toBe(true);
    const demand = { source: "mta-sts", mode: "enforce" } as const;
    expect(prove(shown(plain), { ...at, demand }).verified).toBe(false);
    expect(prove(shown(leaf), { ...at, demand }).verified).toBe(true);
  });

  test("under DANE no authority counts, and without a usable record they count again", () => {
    const demand = dane([tlsaOf(leaf, 3, 1, 1)]);
    const untrusted = shown(leaf, { authorized: false, error: "SELF_SIGNED_CERT_IN_CHAIN" });
    expect(prove(untrusted, { ...at, host: "x.test", demand }).verified).toBe(true);
    expect(prove(shown(middle), { ...at, demand }).verified).toBe(false);
    expect(prove(shown(leaf), { ...at, demand: dane([]) }).verified).toBe(true);
    expect(prove(untrusted, { ...at, demand: dane([]) }).verified).toBe(false);
  });
});
