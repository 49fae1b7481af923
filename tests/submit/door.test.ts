// The door in one process: what is accepted, what is refused, and how.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type Fixture, createFixture, loopback, message, network, owner } from "./doorFixture.ts";
import { problemOf } from "./doorFixture.ts";

let fixture: Fixture;
beforeEach(() => void (fixture = createFixture()));
afterEach(() => fixture.close());

describe("POST /send", () => {
  test("a message that the queue committed is answered with its id and recipients", async () => {
    const response = await fixture.post("/send", message);
    expect(response.status).toBe(202);
    const body = (await response.json()) as { id: string };
    expect(response.headers.get("location")).toBe(`/emails/${body.id}`);
    expect(body).toMatchObject({
      object: "email",
      status: "queued",
      recipients: [{ address: "ada@example.org", status: "queued" }],
      warnings: [],
    });
    const [taken] = fixture.taken;
    expect(taken?.head).toMatchObject({
      from: "shop@example.com",
      recipients: ["ada@example.org"],
      priority: 1,
      expiresAt: null,
      eightBit: false,
    });
    const text = Buffer.from(taken?.body ?? []).toString();
    expect(text).toContain("Subject: Your order\r\n");
    expect(text).toContain("It is on its way.");
    expect(taken?.head.sizeBytes).toBe(taken?.body?.length ?? -1);
  });
});

test("a doubled slash at the beginning of an address says nothing", async () => {
  expect((await fixture.post("//emails", message)).status).toBe(200);
  expect((await fixture.post("///send", message)).status).toBe(202);
  fixture.reply = { kind: "found", view: { object: "email" } };
  expect((await fixture.get("//emails/0190a1b2-0000-7000-8000-000000000000")).status).toBe(200);
  expect((await fixture.get("/emails//0190a1b2-0000-7000-8000-000000000000")).status).toBe(404);
});

describe("who may ask", () => {
  const send = (headers: Record<string, string>, peer = network) =>
    fixture.door.fetch(
      new Request("http://door.test/send", {
        method: "POST",
        headers,
        body: JSON.stringify(message),
      }),
      peer,
    );

  test("no key is 401 and a wrong key is 403", async () => {
    const none = await send({});
    expect([none.status, (await problemOf(none)).name]).toEqual([401, "missing_api_key"]);
    expect(none.headers.get("www-authenticate")).toStartWith("Bearer");
    const wrong = await send({ authorization: "Bearer nonsense" });
    expect([wrong.status, (await problemOf(wrong)).name]).toEqual([403, "invalid_api_key"]);
    expect(fixture.taken).toEqual([]);
  });

  test("the owner's own socket needs no key", async () => {
    expect((await send({}, owner)).status).toBe(202);
  });

  test("metrics are open to loopback, but not through a proxy", async () => {
    const metrics = (headers: Record<string, string>, peer = loopback) =>
      fixture.door.fetch(new Request("http://door.test/metrics", { headers }), peer);
    expect((await metrics({})).status).toBe(200);
    expect((await metrics({ "x-forwarded-for": "127.0.0.1" })).status).toBe(401);
    expect((await metrics({}, network)).status).toBe(401);
  });

  test("metrics are open to loopback by this host's names, not by one that was led here", async () => {
    const statusFor = async (host: string): Promise<number> => {
      const request = new Request("http://door.test/metrics", { headers: { host } });
      return (await fixture.door.fetch(request, loopback)).status;
    };
    for (const host of ["127.0.0.1:8250", "[::1]:8250", "localhost:8250", "a.localhost", "relay"])
      expect([host, await statusFor(host)]).toEqual([host, 200]);
    for (const host of ["mail.example.com", "MAIL.example.com.:8250"])
      expect([host, await statusFor(host)]).toEqual([host, 200]);
    for (const host of ["evil.example", "127.0.0.1.evil.example:8250", "x.mail.example.com"])
      expect([host, await statusFor(host)]).toEqual([host, 401]);
  });
});
