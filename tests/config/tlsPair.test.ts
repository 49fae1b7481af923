import { expect, test } from "bun:test";
import { pairFault } from "../../src/config/tlsPair.ts";
import { makeCertificate } from "../fixtures/certificates.ts";

const made = makeCertificate({ name: "mail.example" });
const other = makeCertificate({ name: "other.example" });
const files: Record<string, string> = {
  ...{ cert: made.cert, key: made.key, chain: made.cert + other.cert, otherKey: other.key },
  ...{ empty: "hello", broken: made.cert.replace(/[A-Z]{4}/g, "AAAA") },
};
const read = (path: string): string | undefined => {
  if (path === "locked") throw new Error("EACCES: permission denied");
  return files[path];
};
const fault = (tlsCert: string | null, tlsKey: string | null) => {
  const found = pairFault({ tlsCert, tlsKey }, read);
  return found === undefined ? undefined : `${found.setting}: ${found.found}; ${found.allowed}`;
};

test("a certificate and its key are fine, and so is neither", () => {
  expect(fault("cert", "key")).toBeUndefined();
  expect(fault("chain", "key")).toBeUndefined();
  expect(fault(null, null)).toBeUndefined();
});

test("one without the other, files that are not there or hold something else, and strangers are told", () => {
  expect(fault("cert", null)).toContain("tlsKey: none");
  expect(fault(null, "key")).toContain("tlsCert: none");
  expect(fault("nowhere", "key")).toContain("tlsCert: nowhere, which is not there");
  expect(fault("cert", "locked")).toContain("tlsKey: locked: EACCES");
  expect(fault("empty", "key")).toContain("holds no certificate");
  expect(fault("broken", "key")).toContain("holds no certificate");
  expect(fault("cert", "empty")).toContain("holds no private key");
  expect(fault("cert", "otherKey")).toContain("tlsKey: otherKey, which belongs to another");
  expect(fault("chain", "otherKey")).toContain("belongs to another");
});
