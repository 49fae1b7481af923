import { afterEach, beforeEach, expect, test } from "bun:test";
import fc from "fast-check";
import { keyFields } from "../../src/submit/keyTerms.ts";
import { until } from "../fixtures/until.ts";
import { message, problemOf } from "./doorFixture.ts";
import { createKeyStage, type KeyStage, START } from "./keyFixture.ts";

let stage: KeyStage;
beforeEach(() => void (stage = createKeyStage()));
afterEach(() => stage.close());

const from = (address: string) => ({ ...message, from: address });
const status = async (...ask: Parameters<KeyStage["ask"]>) => (await stage.ask(...ask)).status;

test("a token has 160 random bits, is in one answer, and is kept as its hash", async () => {
  const { id, token } = await stage.create({ name: "shop" });
  expect(token).toMatch(/^pr_[a-z2-7]{32}$/);
  const list = await (await stage.ask("GET", "/api-keys")).text();
  expect(list).toContain(id);
  expect(list).not.toContain(token);
  expect((await stage.create({ name: "shop" })).token).not.toBe(token);
  expect(await status("GET", "/api-keys", undefined, token)).toBe(200);
});

test("a key is shown with what it may do, in Resend's words and in ours", async () => {
  const { id } = await stage.create({
    ...{ name: "shop", permission: "sending_access", domains: ["Shop.Example.", "bücher.example"] },
    ...{ rate: "5/s", burst: 7, daily_quota: 100, queue_max: 50, expires_in: "90d", capture: true },
  });
  expect(await (await stage.ask("GET", `/api-keys/${id}`)).json()).toEqual({
    object: "api_key",
    id,
    name: "shop",
    permission: "sending_access",
    scopes: ["send"],
    domains: ["shop.example", "xn--bcher-kva.example"],
    rate: "5/s",
    burst: 7,
    daily_quota: 100,
    used_today: 0,
    queue_max: 50,
    capture: true,
    created_at: new Date(START).toISOString(),
    expires_at: new Date(START + 90 * 86_400_000).toISOString(),
    expired: false,
    last_used_at: null,
  });
});

test("what is wrong with a key is told by field", async () => {
  const wrong: readonly (readonly [string, unknown])[] = [
    ["name", "a\nb"],
    ["name", "x".repeat(61)],
    ["permission", "root"],
    ["scopes", []],
    ["scopes", ["send", "sudo"]],
    ["domains", []],
    ["domains", ["not a domain"]],
    ["domains", ["192.0.2.1"]],
    ["rate", "0/s"],
    ["rate", "fast"],
    ["burst", 0],
    ["daily_quota", -1],
    ["daily_quota", 1.5],
    ["queue_max", "10"],
    ["expires_at", "2020-01-01T00:00:00Z"],
    ["expires_at", "tomorrow"],
    ["expires_in", "0s"],
    ["expires_in", "99999d"],
    ["capture", 1],
    ["domain_id", "0199aa00-0000-7000-8000-000000000000"],
    ["__proto__x", 1],
  ];
  for (const [field, value] of wrong) {
    const response = await stage.ask("POST", "/api-keys", { name: "a", [field]: value });
    const { name, errors } = await problemOf(response);
    expect([field, value, name, errors?.[0]?.pointer]).toEqual([
      ...[field, value, "validation_error", `/${field}`],
    ]);
  }
  const nameless = await problemOf(await stage.ask("POST", "/api-keys", {}));
  expect(nameless.name).toBe("missing_required_field");
  const both = await stage.ask("POST", "/api-keys", {
    name: "a",
    scopes: ["send"],
    permission: "full_access",
  });
  expect(both.status).toBe(422);
});

test("a key does what its scopes say and nothing else", async () => {
  const [send, read, manage] = await Promise.all(
    ["send", "read", "manage"].map(
      async (scope) => (await stage.create({ scopes: [scope] })).token,
    ),
  );
  const may = async (token: string | undefined) => [
    (await status("POST", "/send", message, token)) !== 401,
    (await status("POST", "/send/batch", [message], token)) !== 401,
    (await status("POST", "/emails", message, token)) !== 401,
    (await status("GET", "/emails", undefined, token)) !== 401,
    (await status("GET", "/queue", undefined, token)) !== 401,
    (await status("POST", "/queue/pause", { all: true }, token)) !== 401,
    (await status("GET", "/api-keys", undefined, token)) !== 401,
  ];
  expect(await may(send)).toEqual([true, true, true, false, false, false, false]);
  expect(await may(read)).toEqual([false, false, false, true, true, false, false]);
  expect(await may(manage)).toEqual([false, false, false, false, false, true, true]);
  const refused = await problemOf(await stage.ask("GET", "/emails", undefined, send));
  expect([refused.status, refused.name]).toEqual([401, "restricted_api_key"]);
});

test("a key gives nobody more than it has itself", async () => {
  const { token } = await stage.create({ scopes: ["read", "manage"], domains: ["shop.example"] });
  const make = async (terms: object): Promise<number> =>
    status("POST", "/api-keys", { name: "b", ...terms }, token);
  expect(await make({ scopes: ["read"], domains: ["eu.shop.example"] })).toBe(201);
  expect(await make({ scopes: ["send"], domains: ["shop.example"] })).toBe(401);
  expect(await make({ scopes: ["read"] })).toBe(401);
  expect(await make({ scopes: ["read"], domains: ["other.example"] })).toBe(401);
  const full = await stage.create({});
  expect(await status("PATCH", `/api-keys/${full.id}`, { name: "mine" }, token)).toBe(401);
  expect(await status("DELETE", `/api-keys/${full.id}`, undefined, token)).toBe(401);
  const captive = await stage.create({ capture: true });
  const free = { name: "free", capture: false };
  expect(await status("POST", "/api-keys", free, captive.token)).toBe(401);
});

test("mail leaves in the name of a key's domains only: From, every author, Sender and the reverse-path", async () => {
  const { token } = await stage.create({ domains: ["shop.example"] });
  const send = async (change: object) =>
    (await problemOf(await stage.ask("POST", "/send", { ...message, ...change }, token))).name;
  expect(await send({ from: "a@shop.example" })).toBeUndefined();
  expect(await send({ from: "A <a@EU.shop.Example>" })).toBeUndefined();
  expect(await send({ from: "a@notshop.example" })).toBe("domain_not_allowed");
  expect(await send({ from: "a@example" })).toBe("domain_not_allowed");
  const path = { from: "a@shop.example", return_path: "bounce+{id}@other.example" };
  expect(await send(path)).toBe("domain_not_allowed");
  expect(await send({ ...path, return_path: "bounce+{id}@mx.shop.example" })).toBeUndefined();
  for (const name of ["Sender", "resent-from", "Resent-Sender"]) {
    const as = (sender: string) => send({ from: "a@shop.example", headers: { [name]: sender } });
    expect(await as("Chef <chef@other.example>")).toBe("domain_not_allowed");
    expect(await as("not an address")).toBe("domain_not_allowed");
    expect(await as("chef@eu.shop.example")).toBeUndefined();
  }
  const raw = async (fromLine: string, query = "") => {
    const request = new Request(`http://door.test/send${query}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "message/rfc822" },
      body: `From: ${fromLine}\r\nTo: ada@example.org\r\nSubject: s\r\n\r\nHello\r\n`,
    });
    const peer = { caller: null, addressOf: () => null };
    return (await problemOf(await stage.fixture.door.fetch(request, peer))).name;
  };
  expect(await raw("a@shop.example")).toBeUndefined();
  expect(await raw("a@shop.example", "?from=")).toBeUndefined();
  expect(await raw("a@shop.example", "?from=b@other.example")).toBe("domain_not_allowed");
  expect(await raw("a@other.example", "?from=b@shop.example")).toBe("domain_not_allowed");
  expect(await raw("a@shop.example, b@other.example")).toBe("domain_not_allowed");
  expect(await raw("a@shop.example\r\nSender: b@other.example")).toBe("domain_not_allowed");
  expect(stage.accepted.length).toBe(8);
});

test("all that is wrong with a key is told at once", async () => {
  const body = { name: 5, rate: "x", burst: 0, scopes: ["send"], permission: "root" };
  const { errors = [] } = await problemOf(await stage.ask("POST", "/api-keys", body));
  expect(errors.map(({ pointer }) => pointer)).toEqual([
    "/permission",
    "/name",
    "/rate",
    "/burst",
    "/permission",
  ]);
});

test("each field that names a foreign sender is told, in a batch with its message", async () => {
  const { token } = await stage.create({ domains: ["shop.example"] });
  const many = {
    ...from("a@other.example"),
    return_path: "b@other.example",
    headers: { "X-A": "1", Sender: "c@third.example" },
  };
  const pointers = async (path: string, body: unknown) => {
    const { name, errors = [] } = await problemOf(await stage.ask("POST", path, body, token));
    return [name, ...errors.map(({ pointer }) => pointer)];
  };
  const wrong = ["/from", "/return_path", "/headers/Sender"];
  expect(await pointers("/send", many)).toEqual(["domain_not_allowed", ...wrong]);
  const list = [from("a@shop.example"), many, from("x@other.example")];
  expect(await pointers("/send/batch", list)).toEqual([
    "domain_not_allowed",
    ...wrong.map((pointer) => `/1${pointer}`),
    "/2/from",
  ]);
  expect((await pointers("/send/batch", { emails: list })).at(-1)).toBe("/emails/2/from");
});

test("in a batch the wrong sender refuses all of it, or itself", async () => {
  const { token } = await stage.create({ domains: ["shop.example"] });
  const list = [from("a@shop.example"), from("a@other.example")];
  expect(await status("POST", "/send/batch", list, token)).toBe(403);
  expect(stage.accepted).toEqual([]);
  const request = new Request("http://door.test/send/batch", {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "x-batch-validation": "permissive",
    },
    body: JSON.stringify(list),
  });
  const peer = { caller: null, addressOf: () => null };
  const answer = (await (await stage.fixture.door.fetch(request, peer)).json()) as {
    readonly data: unknown[];
    readonly errors: readonly { readonly index: number; readonly message: string }[];
  };
  expect(answer.data.length).toBe(1);
  expect(answer.errors).toMatchObject([{ index: 1 }]);
  expect(answer.errors[0]?.message).toContain("may not send from other.example");
});

test("a revoked key stops at once; of two for a rotation the other goes on", async () => {
  const old = await stage.create({ name: "shop" });
  const next = await stage.create({ name: "shop" });
  expect(await status("POST", "/send", message, old.token)).toBe(202);
  const gone = await stage.ask("DELETE", `/api-keys/${old.id}`);
  expect(await gone.json()).toEqual({ object: "api_key", id: old.id, deleted: true });
  expect(stage.logged).toEqual(["key.created", "key.created", "key.revoked"]);
  expect(await status("POST", "/send", message, old.token)).toBe(403);
  expect(await status("POST", "/send", message, next.token)).toBe(202);
  expect(await status("DELETE", `/api-keys/${old.id}`)).toBe(404);
  await stage.restart("kill");
  expect(await status("POST", "/send", message, old.token)).toBe(403);
  expect(await status("POST", "/send", message, next.token)).toBe(202);
});

test("a number is never given twice, since mail and idempotency keys bear it", async () => {
  const first = await stage.create({});
  await stage.ask("POST", "/send", message, first.token);
  await stage.ask("DELETE", `/api-keys/${first.id}`);
  await stage.restart("stop");
  const second = await stage.create({ capture: true });
  await stage.ask("POST", "/send", message, second.token);
  expect(stage.accepted.map(({ head }) => [head.key, head.capture])).toEqual([
    [1, undefined],
    [2, true],
  ]);
});

test("a key ends when its time is up, by the clock on the wall, and may be given more", async () => {
  const { id, token } = await stage.create({ expires_in: "1h" });
  stage.clock.jump(3_599_000);
  expect(await status("POST", "/send", message, token)).toBe(202);
  stage.clock.jump(1_000);
  const refused = await problemOf(await stage.ask("POST", "/send", message, token));
  expect([refused.name, refused.detail]).toEqual([
    ...["invalid_api_key", expect.stringContaining("expired") as string],
  ]);
  expect(await status("PATCH", `/api-keys/${id}`, { expires_in: "1d" })).toBe(200);
  expect(await status("POST", "/send", message, token)).toBe(202);
  await stage.ask("PATCH", `/api-keys/${id}`, { expires_at: null });
  stage.clock.jump(10 * 86_400_000);
  expect(await status("POST", "/send", message, token)).toBe(202);
});

test("the last use is told to the hour", async () => {
  const { id, token } = await stage.create({});
  const used = async () =>
    ((await (await stage.ask("GET", `/api-keys/${id}`)).json()) as { last_used_at: unknown })
      .last_used_at;
  stage.pass(60_000);
  expect(await used()).toBeNull();
  await stage.ask("POST", "/send", message, token);
  stage.pass(60_000);
  await until("the use is written", async () => (await used()) === "2026-11-23T12:00:00.000Z");
  await stage.restart("kill");
  expect(await used()).toBe("2026-11-23T12:00:00.000Z");
});

test("keys are listed newest first, in pages", async () => {
  const ids: string[] = [];
  for (const name of ["a", "b", "c", "d"]) {
    ids.unshift((await stage.create({ name })).id);
    stage.clock.jump(1);
  }
  const list = async (query: string) => {
    const page = (await (await stage.ask("GET", `/api-keys${query}`)).json()) as {
      readonly has_more: boolean;
      readonly data: readonly { readonly id: string }[];
    };
    return [page.has_more, page.data.map(({ id }) => id)];
  };
  expect(await list("")).toEqual([false, ids]);
  expect(await list("?limit=3")).toEqual([true, ids.slice(0, 3)]);
  expect(await list(`?limit=3&after=${ids[2]}`)).toEqual([false, ids.slice(3)]);
  expect(await list(`?limit=1&before=${ids[2]}`)).toEqual([true, ids.slice(1, 2)]);
  expect(await status("GET", "/api-keys?limit=0")).toBe(422);
  expect(await status("GET", "/api-keys?after=nothing")).toBe(422);
});

test("a stream ends with the key that opened it, before it says another word", async () => {
  const { id, token } = await stage.create({ scopes: ["read"] });
  const response = await stage.ask("GET", "/trace?domain=shop.example", undefined, token);
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const reader = response.body?.getReader();
  expect((await reader?.read())?.done).toBe(false);
  const [trace] = stage.fixture.traces;
  const open = reader?.read();
  await stage.ask("DELETE", `/api-keys/${id}`);
  stage.pass(60_000);
  trace?.hear([{ at: 0, text: "a secret" } as never], 0);
  expect((await open)?.done).toBe(true);
  expect(trace?.closed).toBe(true);
});

test("a hundred domains are taken, and no more", async () => {
  const domains = Array.from({ length: 100 }, (_, i) => `${"a".repeat(60)}${i}.example`);
  expect(await status("POST", "/api-keys", { name: "many", domains })).toBe(201);
  domains.push("one.example");
  expect(await status("POST", "/api-keys", { name: "more", domains })).toBe(422);
});

test("whatever stands in a field is taken or refused, and what was taken can be read again", async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...keyFields), fc.jsonValue(), async (field, value) => {
      const response = await stage.ask("POST", "/api-keys", { name: "a", [field]: value });
      const { id } = (await response.json()) as { id?: string };
      expect([201, 422]).toContain(response.status);
      if (response.status === 201) {
        expect(await status("PATCH", `/api-keys/${id}`, {})).toBe(200);
        expect(await status("DELETE", `/api-keys/${id}`)).toBe(200);
      }
    }),
    { numRuns: 150 },
  );
});
