import { expect, test } from "bun:test";
import { ehloName } from "../../src/deliver/ehloName.ts";

test("a full host name is said as it is", () => {
  expect(ehloName("mail.example.com", "192.0.2.1")).toBe("mail.example.com");
});

test("a name without a dot gives way to the address literal", () => {
  expect(ehloName("vm", "192.0.2.1")).toBe("[192.0.2.1]");
  expect(ehloName("vm", "2001:db8::1")).toBe("[IPv6:2001:db8::1]");
});

test("without an address of our own the short name is all there is", () => {
  expect(ehloName("vm", "")).toBe("vm");
});
