import { describe, expect, test } from "bun:test";
import type { DomainRecord, DomainView, RecordStatus } from "../../src/mail/domain.ts";
import { createBox, fakeDaemon } from "./setup.ts";

const longKey = `v=DKIM1; k=rsa; p=${"A".repeat(392)}`;
const record = (change: Partial<DomainRecord>): DomainRecord => ({
  record: "DKIM",
  name: "s1._domainkey.shop.example",
  type: "TXT",
  ttl: 3600,
  value: longKey,
  status: "verified",
  detail: "",
  ...change,
});
const view = (status: RecordStatus): DomainView => ({
  object: "domain",
  id: "0199aa00-0000-7000-8000-000000000000",
  name: "shop.example",
  status,
  created_at: "2026-11-23T07:00:00.000Z",
  keys: [{ selector: "s1", algorithm: "rsa-sha256", bits: 2048, origin: "made" }],
  records: [
    record({}),
    record({
      record: "SPF",
      name: "shop.example",
      value: "v=spf1 a:mail.shop.example ~all",
      status,
      detail: status === "failed" ? "Nothing is there\u001b[2J yet." : "",
    }),
    record({ record: "EHLO", name: "mail.shop.example", type: "A", value: "192.0.2.1" }),
    record({
      record: "PTR",
      name: "1.2.0.192.in-addr.arpa",
      type: "PTR",
      value: "mail.shop.example",
    }),
  ],
});

async function ran(args: readonly string[], status: RecordStatus = "verified") {
  await using daemon = fakeDaemon(({ method, path }) => {
    if (method === "GET")
      return { body: { object: "list", has_more: false, data: [view(status)] } };
    if (method === "DELETE")
      return { body: { object: "domain", id: view(status).id, deleted: true } };
    if (path === "/domains") return { status: 201, body: view("not_started") };
    return { body: view(status) };
  });
  const result = await createBox().run(["domain", ...args, "--data-dir", daemon.dataDir]);
  return { ...result, seen: daemon.seen };
}

describe("domain add", () => {
  test("asks for keys and prints the records as a table", async () => {
    const { code, out, seen } = await ran(["add", "shop.example", "--selector", "s1"]);
    expect(code).toBe(0);
    expect(seen[0]).toMatchObject({ method: "POST", path: "/domains" });
    expect(JSON.parse(seen[0]?.body ?? "")).toEqual({ name: "shop.example", selector: "s1" });
    const lines = out.split("\n");
    expect(lines[0]).toBe("shop.example: not_started");
    expect(lines[2]).toMatch(
      /^DKIM +verified +TXT +s1\._domainkey\.shop\.example +v=DKIM1; k=rsa; p=A+$/,
    );
  });

  test("says nothing of a selector that was not given", async () => {
    const { seen } = await ran(["add", "shop.example"]);
    expect(JSON.parse(seen[0]?.body ?? "")).toEqual({ name: "shop.example" });
  });

  test("prints a zone file whose strings a server can take", async () => {
    const { out } = await ran(["add", "shop.example", "--zone"]);
    const lines = out.trimEnd().split("\n");
    expect(lines).toHaveLength(3);
    expect(lines[1]).toBe('shop.example. 3600 IN TXT "v=spf1 a:mail.shop.example ~all"');
    expect(lines[2]).toBe("mail.shop.example. 3600 IN A 192.0.2.1");
    const strings = [...(lines[0] ?? "").matchAll(/"([^"]*)"/g)].map((one) => one[1] ?? "");
    expect(strings.map((text) => text.length)).toEqual([255, longKey.length - 255]);
    expect(strings.join("")).toBe(longKey);
    expect(lines[0]).toMatch(/^s1\._domainkey\.shop\.example\. 3600 IN TXT \( .* \)$/);
  });

  test("prints JSON", async () => {
    const { out } = await ran(["add", "shop.example", "--json"]);
    expect(JSON.parse(out)).toEqual(view("not_started"));
  });
});

describe("domain check", () => {
  test("ends with 0 when all is there, and with 1 and the reasons when not", async () => {
    const good = await ran(["check", "shop.example"]);
    expect([good.code, good.seen[0]?.path]).toEqual([0, "/domains/shop.example/verify"]);
    const bad = await ran(["check", "shop.example"], "failed");
    expect(bad.code).toBe(1);
    expect(bad.out).toContain("SPF shop.example: Nothing is there?[2J yet.");
  });
});

test("domain list names each domain with its keys", async () => {
  const { out } = await ran(["list"]);
  expect(out).toBe("shop.example  verified  s1 (rsa-sha256)  2026-11-23T07:00:00.000Z\n");
});

test("domain remove names the domain in the path, whatever it holds", async () => {
  const { code, seen } = await ran(["remove", "a/../b"]);
  expect([code, seen[0]?.method, seen[0]?.path]).toEqual([0, "DELETE", "/domains/a%2F..%2Fb"]);
});
