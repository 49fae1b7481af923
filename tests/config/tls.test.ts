// The settings of TLS: a table for single domains, and a file of authorities.
import { expect, test } from "bun:test";
import { domainSettings } from "../../src/config/domains.ts";
import type { Machine } from "../../src/config/machine.ts";
import { caFault, certificatesIn } from "../../src/config/tlsCa.ts";
import { fakeCertificate } from "../deliver/fakeCertificate.ts";

const machine = {} as Machine;
const read = (raw: unknown) => domainSettings.parse(raw, machine);

test("a domain has what differs from all others, and is told again", () => {
  const settings = read({
    "Example.COM": { tls_policy: "verify", mta_sts: false },
    "b.test": { dane: true },
    "c.test": {},
  });
  expect(settings).toEqual({
    "example.com": { tlsPolicy: "verify", mtaSts: false },
    "b.test": { dane: true },
    "c.test": {},
  });
  const shown = "example.com: tls_policy verify, mta_sts false; b.test: dane true; c.test: ";
  expect(domainSettings.show(settings ?? {})).toBe(shown);
  expect(domainSettings.show({})).toBe("none");
});

test("what is no domain, no key or no value is refused", () => {
  const faults: readonly unknown[] = [
    "example.com",
    [],
    { "example.com": "verify" },
    { "no domain": {} },
    { localhost: {} },
    { "a.test": { tls: "verify" } },
    { "a.test": { tls_policy: "always" } },
    { "a.test": { mta_sts: "on" } },
    { "a.test": { dane: 1 } },
  ];
  for (const raw of faults) expect(read(raw)).toBeUndefined();
});

test("the file of authorities must be there and hold a certificate", () => {
  const files: Record<string, string> = { good: `# mine\n${fakeCertificate}\n`, empty: "hello" };
  const readFile = (path: string): string | undefined => {
    if (path === "locked") throw new Error("EACCES");
    return files[path];
  };
  expect(caFault("good", readFile)).toBeUndefined();
  expect(caFault("empty", readFile)).toContain("no certificate");
  expect(caFault("none", readFile)).toContain("not there");
  expect(caFault("locked", readFile)).toContain("EACCES");
  expect(certificatesIn(`${fakeCertificate}\ntext\n${fakeCertificate}`)).toEqual([
    fakeCertificate,
    fakeCertificate,
  ]);
});
