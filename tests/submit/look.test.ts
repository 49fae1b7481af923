// What an operator looks at by HTTP: each question reaches the thread that knows, and a bad one reaches nobody.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { createFixture, type Fixture } from "./doorFixture.ts";

let fixture: Fixture;
beforeEach(() => void (fixture = createFixture()));
afterEach(() => fixture.close());

test("a domain is explained under the name that the wire has for it", async () => {
  const response = await fixture.get(`/explain/${encodeURIComponent("Bücher.example")}`);
  expect(await response.json()).toEqual({ domain: "xn--bcher-kva.example" });
  expect((await fixture.get("/explain/a%20b")).status).toBe(422);
});

test("questions to the DNS become commands", async () => {
  await fixture.get("/dns/lookup?name=example.com");
  await fixture.get("/dns/lookup?name=_25._tcp.mx.example.com&type=tlsa");
  await fixture.post("/dns/flush", {});
  await fixture.post("/dns/flush", { name: "example.com" });
  await fixture.post("/dns/warm", { domains: ["a.example", "B.example"] });
  expect(fixture.ordered).toEqual([
    { do: "dns.lookup", type: "MX", name: "example.com" },
    { do: "dns.lookup", type: "TLSA", name: "_25._tcp.mx.example.com" },
    { do: "dns.flush", name: null },
    { do: "dns.flush", name: "example.com" },
    { do: "dns.warm", domains: ["a.example", "b.example"] },
  ]);
});

test("a question that is none is told what it lacks", async () => {
  const many = Array.from({ length: 501 }, (_, i) => `d${i}.example`);
  const statuses = [
    await fixture.get("/dns/lookup"),
    await fixture.get("/dns/lookup?name=a.example&type=SRV"),
    await fixture.post("/dns/flush", { name: 7 }),
    await fixture.post("/dns/warm", {}),
    await fixture.post("/dns/warm", { domains: [] }),
    await fixture.post("/dns/warm", { domains: ["a b"] }),
    await fixture.post("/dns/warm", { domains: many }),
  ].map(({ status }) => status);
  expect(new Set(statuses)).toEqual(new Set([422]));
  expect(fixture.ordered).toEqual([]);
  expect((await fixture.post("/dns/warm", { domains: many.slice(1) })).status).toBe(200);
});
