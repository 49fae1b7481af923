// A certificate of any length is one that the runtime reads.
import { expect, test } from "bun:test";
import { createSecureContext } from "node:tls";
import { selfSigned } from "../../src/sink/certificate.ts";

test("names of all lengths give certificates that can be read", () => {
  const dates = { notBefore: new Date(0), notAfter: new Date(4e12) };
  for (let length = 1; length <= 60; length++) {
    const made = selfSigned({ hostname: `${"a".repeat(length)}.test`, ...dates });
    expect(made.cert).not.toContain("\n\n");
    expect(() => createSecureContext(made)).not.toThrow();
  }
});
