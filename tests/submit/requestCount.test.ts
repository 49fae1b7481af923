// Requests are counted by what they were for, and no address makes a series of its own.
import { expect, test } from "bun:test";
import { createMeter } from "../../src/base/meter.ts";
import { boundsOf } from "../../src/mail/metrics.ts";
import { httpRoutes, rejectReasons } from "../../src/mail/metricsDoor.ts";
import type { Door } from "../../src/submit/door.ts";
import { errorNames } from "../../src/submit/problem.ts";
import { countRequests, routeOf } from "../../src/submit/requestCount.ts";
import { createFixture, type Fixture } from "./doorFixture.ts";

const at = (method: string, path: string) =>
  routeOf({ method, url: `http://127.0.0.1:8250${path}` });

test("an address is known by its first part", () => {
  expect(at("POST", "/send")).toBe("send");
  expect(at("POST", "/send?from=a@b.example&to=/x")).toBe("send");
  expect(at("POST", "/emails")).toBe("send");
  expect(at("POST", "/send/batch")).toBe("batch");
  expect(at("POST", "/emails/batch")).toBe("batch");
  expect(at("GET", "/emails")).toBe("emails");
  expect(at("POST", "/emails/0190a1b2/cancel")).toBe("emails");
  expect(at("GET", "/webhooks/x/events/y")).toBe("manage");
  expect(at("GET", "/")).toBe("page");
  expect(at("POST", "//emails")).toBe("send");
  expect(routeOf({ method: "GET", url: "http://127.0.0.1:8250" })).toBe("page");
  for (const hostile of ["/constructor", "/__proto__", "/wp-admin/x", "//", "/%00"])
    expect(["other", "page"]).toContain(at("GET", hostile));
});

test("every address that there is has a class of its own", () => {
  const fixture: Fixture = createFixture();
  for (const route of fixture.door.routes()) {
    const [method = "", path = ""] = route.split(" ");
    if (path === "/*" || method === "ALL") continue;
    expect(`${route}: ${at(method, path)}`).not.toEndWith(": other");
  }
});

test("what is answered is counted by class of status", async () => {
  const meter = createMeter(boundsOf);
  const statuses = [202, 202, 422, 200, 404, 503];
  const plain: Door = {
    send: async () => new Response(null, { status: statuses.shift() ?? 500 }),
    fetch: () => new Response(null, { status: statuses.shift() ?? 500 }),
  };
  const door = countRequests(plain, meter);
  const peer = { caller: null, addressOf: () => null };
  const send = new Request("http://x/send", { method: "POST" });
  for (let i = 0; i < 3; i++) await door.send(send, peer);
  for (const path of ["/emails", "/nowhere", "/readyz"])
    await door.fetch(new Request(`http://x${path}`), peer);
  expect(meter.drain().map((one) => [one.labels, one.kind === "counter" && one.delta])).toEqual([
    [{ route: "send", status: "2xx" }, 2],
    [{ route: "send", status: "4xx" }, 1],
    [{ route: "emails", status: "2xx" }, 1],
    [{ route: "other", status: "4xx" }, 1],
    [{ route: "status", status: "5xx" }, 1],
  ]);
});

test("the table of metrics knows every reason for a refusal, and every class of request once", () => {
  const known = new Set<string>(rejectReasons);
  for (const name of errorNames) expect(known).toContain(name);
  expect(new Set(rejectReasons).size).toBe(rejectReasons.length);
  expect(new Set(httpRoutes).size).toBe(httpRoutes.length);
});
