import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseCidrList } from "../../src/base/cidr.ts";
import { systemClock } from "../../src/base/clock.ts";
import { createRefuse } from "../../src/submit/answer.ts";
import { createGate, networkOf } from "../../src/submit/auth.ts";
import { clientOf, type ClientRules, guardDoor } from "../../src/submit/clients.ts";
import { createCrowd, keepRoom, REQUESTS_FREE, REQUESTS_MAX } from "../../src/submit/crowd.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Peer } from "../../src/submit/door.ts";
import { createFixture, type Fixture, KEY, message, problemOf } from "./doorFixture.ts";

const ranges = (text: string) => {
  const parsed = parseCidrList(text);
  if (parsed.kind === "refused") throw new Error(parsed.problems.join());
  return parsed.value;
};
const proxies = ranges("10.0.0.0/8, ::1, 2001:db8:ffff::/48");
const client = (socket: string | null, headers: Record<string, string>) =>
  clientOf({ trusted: proxies }, socket, new Headers(headers));
const plain = (hops: string) => ({ "x-forwarded-for": hops });
const standard = (hops: string) => ({ forwarded: hops });

describe("the client's address", () => {
  test("is the socket's, whatever the header says, unless the socket is a proxy that is trusted", () => {
    expect(client("192.0.2.1", plain("198.51.100.1"))).toBe("192.0.2.1");
    expect(client("192.0.2.1", standard("for=198.51.100.1"))).toBe("192.0.2.1");
    expect(client(null, plain("198.51.100.1"))).toBeNull();
    expect(client("10.0.0.1", {})).toBe("10.0.0.1");
  });

  test("is read from the right: what a client wrote itself is never believed", () => {
    expect(client("10.0.0.1", plain("127.0.0.1, 198.51.100.1"))).toBe("198.51.100.1");
    expect(client("10.0.0.1", plain("127.0.0.1, 198.51.100.1, 10.0.0.2"))).toBe("198.51.100.1");
    expect(client("10.0.0.1", plain("10.0.0.3, 10.0.0.2"))).toBe("10.0.0.3");
    expect(client("::1", standard("for=127.0.0.1, For=198.51.100.1;proto=https"))).toBe(
      "198.51.100.1",
    );
    expect(client("::ffff:10.0.0.1", plain("198.51.100.1"))).toBe("198.51.100.1");
  });

  test("may stand with a port, in brackets and quotes", () => {
    expect(client("10.0.0.1", plain("198.51.100.1:4711"))).toBe("198.51.100.1");
    expect(client("10.0.0.1", plain("[2001:db8::1]:4711"))).toBe("2001:db8::1");
    expect(client("10.0.0.1", plain("2001:db8::1"))).toBe("2001:db8::1");
    expect(client("10.0.0.1", standard('for="[2001:db8::1]:4711"'))).toBe("2001:db8::1");
  });

  test("is unknown where a hop is no address, or where two headers disagree", () => {
    expect(client("10.0.0.1", plain("unknown"))).toBeNull();
    expect(client("10.0.0.1", plain("198.51.100.1, garbage"))).toBeNull();
    expect(client("10.0.0.1", plain(""))).toBeNull();
    expect(client("10.0.0.1", standard("for=_hidden"))).toBeNull();
    expect(client("10.0.0.1", standard("proto=https"))).toBeNull();
    const both = { ...plain("198.51.100.1"), ...standard("for=127.0.0.1") };
    expect(client("10.0.0.1", both)).toBeNull();
    expect(client("10.0.0.1", { ...both, ...standard("for=198.51.100.1") })).toBe("198.51.100.1");
  });

  test("never depends on what stands left of the first untrusted hop", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), fc.boolean(), (forged, twice) => {
        const clean = forged.replace(/[^\x20-\x7e]/g, "").trim();
        const hops = `${clean}, 198.51.100.7${twice ? ", 10.1.1.1" : ""}`;
        expect(client("10.0.0.1", plain(hops))).toBe("198.51.100.7");
      }),
    );
  });
});

const random = seededRandom(1);
const none: ClientRules = { trusted: [], allow: null, deny: [] };
let fixture: Fixture;
let refused: string[];
const refuse = createRefuse(random, ({ name }) => void refused.push(name));
beforeEach(() => {
  fixture = createFixture();
  refused = [];
});
afterEach(() => fixture.close());

const at = (address: string | null): Peer => ({ caller: null, addressOf: () => address });
const post = (headers: Record<string, string> = {}) =>
  new Request("http://door.test/send", {
    method: "POST",
    headers: { authorization: `Bearer ${KEY}`, "content-type": "application/json", ...headers },
    body: JSON.stringify(message),
  });

describe("a door with rules", () => {
  test("is the door itself where there are none", () => {
    expect(guardDoor(fixture.door, none, refuse)).toBe(fixture.door);
  });

  test("hears who is allowed and not denied, and no one whose address is unknown", async () => {
    const rules = {
      trusted: proxies,
      allow: ranges("192.0.2.0/24, 2001:db8::/32"),
      deny: ranges("192.0.2.66"),
    };
    const door = guardDoor(fixture.door, rules, refuse);
    const ask = async (address: string | null, headers = {}) =>
      (await door.send(post(headers), at(address))).status;
    expect(await ask("192.0.2.1")).toBe(202);
    expect(await ask("192.0.2.66")).toBe(403);
    expect(await ask("198.51.100.1")).toBe(403);
    expect(await ask(null)).toBe(403);
    expect(await ask("10.0.0.1", plain("192.0.2.5"))).toBe(202);
    expect(await ask("10.0.0.1", plain("192.0.2.66"))).toBe(403);
    expect(await ask("10.0.0.1", plain("192.0.2.5, unknown"))).toBe(403);
    expect(await ask("10.0.0.1")).toBe(403);
    const livez = await door.fetch(new Request("http://door.test/livez"), at("198.51.100.1"));
    expect(await problemOf(livez)).toMatchObject({ status: 403, name: "client_not_allowed" });
    expect(refused.length).toBe(7);
    const owned: Peer = {
      caller: { key: 0, scopes: new Set(["send"]), domains: null, capture: false },
      addressOf: () => null,
    };
    expect((await door.send(post(), owned)).status).toBe(202);
  });

  test("allows no address for what another one claims inside of it, and denies it for that", async () => {
    const inside = ["64:ff9b::192.0.2.1", "2002:c000:201::1", "::192.0.2.1"];
    const allow = guardDoor(fixture.door, { ...none, allow: ranges("192.0.2.0/24") }, refuse);
    const deny = guardDoor(fixture.door, { ...none, deny: ranges("192.0.2.0/24") }, refuse);
    for (const address of inside) {
      expect([address, (await allow.send(post(), at(address))).status]).toEqual([address, 403]);
      expect([address, (await deny.send(post(), at(address))).status]).toEqual([address, 403]);
      expect(
        clientOf({ trusted: ranges("192.0.2.0/24") }, address, new Headers(plain("::1"))),
      ).toBe(address);
    }
    expect((await allow.send(post(), at("::ffff:192.0.2.1"))).status).toBe(202);
    for (const address of ["::127.0.0.1", "64:ff9b::7f00:1", "::2"]) {
      const metrics = await fixture.door.fetch(
        new Request("http://door.test/metrics"),
        at(address),
      );
      expect([address, metrics.status]).toEqual([address, 401]);
    }
  });

  test("the loopback exemption never holds behind a proxy, trusted or not", async () => {
    const door = guardDoor(fixture.door, { ...none, trusted: ranges("127.0.0.1") }, refuse);
    const metrics = async (headers: Record<string, string>) =>
      (await door.fetch(new Request("http://door.test/metrics", { headers }), at("127.0.0.1")))
        .status;
    expect(await metrics({})).toBe(200);
    for (const name of ["x-forwarded-for", "forwarded", "x-real-ip", "via", "x-forwarded-proto"])
      expect([name, await metrics({ [name]: "127.0.0.1" })]).toEqual([name, 401]);
  });
});

describe("wrong keys", () => {
  const gate = () => createGate({ keys: () => [], clock: systemClock });
  const tries = (made: ReturnType<typeof gate>, address: () => string, count: number) =>
    Array.from({ length: count }, () => {
      const said = made.check("Bearer nonsense", address);
      return said.kind === "problem" ? said.problem.name : "";
    });

  test("are limited by address, and by network where a host has as many addresses as it likes", () => {
    const made = gate();
    const all = tries(made, () => "192.0.2.1", 25);
    expect(all.filter((name) => name === "rate_limit_exceeded").length).toBe(5);
    expect(tries(made, () => "192.0.2.2", 1)).toEqual(["invalid_api_key"]);
    let host = 0;
    const spread = tries(made, () => `2001:db8:1:2::${(++host).toString(16)}`, 25);
    expect(spread.filter((name) => name === "rate_limit_exceeded").length).toBe(5);
    expect(tries(made, () => "2001:db8:1:3::1", 1)).toEqual(["invalid_api_key"]);
  });

  test("lock nobody out: the right key passes from the same address", async () => {
    const peer = at("192.0.2.9");
    for (let i = 0; i < 30; i++)
      await fixture.door.send(post({ authorization: "Bearer nonsense" }), peer);
    const last = await fixture.door.send(post({ authorization: "Bearer nonsense" }), peer);
    expect(await problemOf(last)).toMatchObject({ status: 429, limit: "failed_keys" });
    expect(Number(last.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await fixture.door.send(post(), peer)).status).toBe(202);
  });

  test("count for the network of an address", () => {
    expect(networkOf("192.0.2.1")).toBe("192.0.2.1");
    expect(networkOf("::ffff:192.0.2.1")).toBe("192.0.2.1");
    expect(networkOf("2001:db8:1:2:3::4")).toBe(networkOf("2001:db8:1:2::9"));
    expect(networkOf("fe80::1%eth0")).toBe(networkOf("fe80::2"));
    expect(networkOf("")).toBe("");
  });
});

describe("a crowd", () => {
  const request = new Request("http://door.test/send");
  const limitOf = async (response: Response) => {
    const { status, limit } = (await problemOf(response)) as { status: number; limit?: string };
    return [status, limit, response.headers.get("retry-after")];
  };

  test("is bounded in all and by address, and room that is left is given again", async () => {
    const crowd = createCrowd(refuse);
    const ends: (() => void)[] = [];
    const go = () =>
      new Promise<Response>((resolve) => ends.push(() => resolve(new Response("done"))));
    const enter = (address: string) => crowd.enter(request, REQUESTS_FREE + 1, address, go);
    const open = Array.from({ length: 1536 }, () => enter("192.0.2.1"));
    expect(await limitOf(await enter("192.0.2.1"))).toEqual([503, "client_requests", "1"]);
    const other = enter("192.0.2.2");
    expect(await limitOf(await crowd.enter(request, REQUESTS_MAX + 1, "192.0.2.3", go))).toEqual([
      ...[503, "requests", "1"],
    ]);
    for (const end of ends) end();
    expect((await Promise.all([...open, other])).every(({ ok }) => ok)).toBe(true);
    const again = enter("192.0.2.1");
    ends.at(-1)?.();
    expect((await again).status).toBe(200);
  });

  test("has no room for bulk before it is full", async () => {
    let open = 3073;
    const accept = keepRoom(
      async () => ({ kind: "accepted" }),
      () => open,
    );
    const bulk = fixture;
    const said = async (priority: string) => {
      const made = createFixture({ accept });
      const answer = await made.post("/send", { ...message, priority });
      made.close();
      return answer;
    };
    expect(await limitOf(await said("p2"))).toEqual([503, "bulk_requests", "1"]);
    expect((await said("p1")).status).toBe(202);
    open = 3072;
    expect((await said("p2")).status).toBe(202);
    expect(bulk.taken).toEqual([]);
  });
});
