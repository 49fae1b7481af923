// The dashboard's door: who may log in, what a cookie may do, and all the ways in which another page tries to use it.
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { UiLoggedIn } from "../../src/mail/uiSession.ts";
import { IDLE_MS, KEY_SESSIONS_MAX, LIFE_MS } from "../../src/submit/ui/sessions.ts";
import { buildPage } from "../../scripts/page.ts";
import { createFixture, KEY, network } from "./doorFixture.ts";
import { createKeyStage, type KeyStage } from "./keyFixture.ts";

const ORIGIN = "http://door.test";

let stage: KeyStage;
beforeEach(() => {
  stage = createKeyStage();
});
afterEach(() => stage.close());

type Headers = Readonly<Record<string, string>>;

const ask = async (method: string, path: string, headers: Headers = {}, body?: string) =>
  stage.fixture.door.fetch(
    new Request(`${ORIGIN}${path}`, { method, headers, ...(body === undefined ? {} : { body }) }),
    network,
  );
const asJson = { "content-type": "application/json" };
const logIn = (key: string, headers: Headers = {}) =>
  ask("POST", "/ui/session", { ...asJson, origin: ORIGIN, ...headers }, JSON.stringify({ key }));
const nameIn = async (response: Response): Promise<string> =>
  ((await response.json()) as { name: string }).name;

/** The headers of the dashboard's own page, once it is logged in. */
async function begin(key = KEY): Promise<{ cookie: string; csrf: string; own: Headers }> {
  const response = await logIn(key);
  expect(response.status).toBe(201);
  const view = (await response.json()) as UiLoggedIn;
  const cookie = (response.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  const csrf = view.csrf_token;
  return { cookie, csrf, own: { cookie, origin: ORIGIN, "x-postrider-csrf": csrf, ...asJson } };
}

describe("logging in", () => {
  test("a key that may read becomes a cookie that no script can read", async () => {
    const response = await logIn(KEY);
    expect(response.headers.get("set-cookie")).toMatch(
      /^postrider_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=604800$/,
    );
    expect(response.headers.get("cache-control")).toBe("no-store");
    const view = (await response.json()) as UiLoggedIn;
    expect(view).toMatchObject({ logged_in: true, key: { id: "first", name: "the first key" } });
    expect(view.scopes).toEqual(["send", "read", "manage"]);
  });

  test("over HTTPS, also behind a proxy that says so, no neighbour can plant or read it", async () => {
    const response = await logIn(KEY, {
      "x-forwarded-proto": "https",
      origin: "https://mail.test",
    });
    expect(response.headers.get("set-cookie")).toMatch(
      /^__Host-postrider_session=[\w-]{43}; Secure; Path=\/; HttpOnly; SameSite=Strict/,
    );
    const cookie = (response.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
    const https = { "x-forwarded-proto": "https" };
    expect((await ask("GET", "/queue", { cookie, ...https })).status).toBe(404);
    const planted = cookie.replace("__Host-", "");
    expect((await ask("GET", "/queue", { cookie: planted, ...https })).status).toBe(401);
  });

  test("nobody is logged in at first, and that is no error", async () => {
    const response = await ask("GET", "/ui/session");
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ object: "ui_session", logged_in: false });
  });

  test("a wrong key is refused, and who guesses on is told to wait while a right one gets in", async () => {
    expect(await nameIn(await logIn("pr_wrong"))).toBe("invalid_api_key");
    let last = "";
    for (let i = 0; i < 20; i++) last = await nameIn(await logIn(`pr_wrong_${i}`));
    expect(last).toBe("rate_limit_exceeded");
    expect((await logIn(KEY)).status).toBe(201);
  });

  test("a key that may only send cannot log in", async () => {
    const { token } = await stage.create({ scopes: ["send"] });
    const response = await logIn(token);
    expect([response.status, response.headers.get("set-cookie")]).toEqual([401, null]);
    expect(await nameIn(response)).toBe("restricted_api_key");
  });

  test("another site cannot log anybody in: not by a script, not by a form", async () => {
    for (const site of ["cross-site", "same-site", "none"])
      expect(await nameIn(await logIn(KEY, { "sec-fetch-site": site }))).toBe("cross_site_request");
    expect(await nameIn(await logIn(KEY, { origin: "null" }))).toBe("cross_site_request");
    const form = { "content-type": "text/plain", origin: "https://evil.test" };
    expect((await logIn(KEY, form)).status).toBe(415);
  });

  test("what is no key is told by field", async () => {
    for (const body of ['{"key":5}', '{"key":""}', "{}", '{"key":"a","more":1}', "no json"]) {
      const response = await ask("POST", "/ui/session", asJson, body);
      expect([400, 422]).toContain(response.status);
    }
    expect((await logIn("k".repeat(5000))).status).toBe(413);
    expect((await logIn("k".repeat(600))).status).toBe(403);
  });
});

describe("a session", () => {
  test("reads and acts as its key may, and every answer is for its own page alone", async () => {
    const { own, cookie } = await begin();
    const read = await ask("GET", "/domains", { cookie, "sec-fetch-site": "same-origin" });
    expect(read.status).toBe(200);
    expect(Object.fromEntries(read.headers)).toMatchObject({
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "no-referrer",
      "cross-origin-resource-policy": "same-origin",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    });
    expect(read.headers.get("access-control-allow-origin")).toBeNull();
    expect((await ask("POST", "/api-keys", own, '{"name":"another"}')).status).toBe(201);
  });

  test("of a key that may only read sees and cannot act", async () => {
    const { token } = await stage.create({ scopes: ["read"] });
    const { own, cookie } = await begin(token);
    expect((await ask("GET", "/domains", { cookie })).status).toBe(200);
    const acted = await ask("POST", "/queue/pause", own, '{"all":true}');
    expect([acted.status, await nameIn(acted)]).toEqual([401, "restricted_api_key"]);
  });

  test("says who is logged in, with the same token after the page was loaded again", async () => {
    const { cookie, csrf } = await begin();
    const view = (await (await ask("GET", "/ui/session", { cookie })).json()) as UiLoggedIn;
    expect(view.csrf_token).toBe(csrf);
    const foreign = { cookie, "sec-fetch-site": "cross-site" };
    expect(await (await ask("GET", "/ui/session", foreign)).json()).toMatchObject({
      logged_in: false,
    });
  });

  test("ends with a logout, which takes the cookie away", async () => {
    const { own, cookie } = await begin();
    const response = await ask("DELETE", "/ui/session", own);
    expect(response.headers.get("set-cookie")).toContain("postrider_session=; Path=/");
    expect(response.headers.get("set-cookie")).toContain("Max-Age=0");
    const after = await ask("GET", "/queue", { cookie });
    expect([after.status, await nameIn(after)]).toEqual([401, "session_ended"]);
  });

  test("a second login ends the first of the same browser", async () => {
    const { cookie } = await begin();
    await logIn(KEY, { cookie });
    expect((await ask("GET", "/domains", { cookie })).status).toBe(401);
  });

  test("ends at once with its key: revoked, out of time, or replaced in the settings", async () => {
    const { id, token } = await stage.create({ scopes: ["read", "manage"] });
    const revoked = await begin(token);
    await stage.ask("DELETE", `/api-keys/${id}`);
    expect((await ask("GET", "/domains", { cookie: revoked.cookie })).status).toBe(401);

    const short = await stage.create({ scopes: ["read"], expires_in: "1h" });
    const timed = await begin(short.token);
    expect((await ask("GET", "/domains", { cookie: timed.cookie })).status).toBe(200);
    stage.pass(3_600_000);
    expect((await ask("GET", "/domains", { cookie: timed.cookie })).status).toBe(401);

    const first = await begin();
    stage.settings({ firstKey: "pr_another_key" });
    expect((await ask("GET", "/domains", { cookie: first.cookie })).status).toBe(401);
  });

  test("loses what its key loses", async () => {
    const { id, token } = await stage.create({ scopes: ["read", "manage"] });
    const { own } = await begin(token);
    await stage.ask("PATCH", `/api-keys/${id}`, { scopes: ["read"] });
    expect((await ask("POST", "/queue/pause", own, '{"all":true}')).status).toBe(401);
  });

  test("ends when nobody asks for twelve hours, and after a week whatever is asked", async () => {
    const idle = await begin();
    stage.pass(IDLE_MS - 1000);
    expect((await ask("GET", "/domains", { cookie: idle.cookie })).status).toBe(200);
    stage.pass(IDLE_MS);
    expect((await ask("GET", "/domains", { cookie: idle.cookie })).status).toBe(401);
    const busy = await begin();
    let status = 0;
    for (let ms = 0; ms < LIFE_MS; ms += IDLE_MS / 2) {
      stage.pass(IDLE_MS / 2);
      status = (await ask("GET", "/domains", { cookie: busy.cookie })).status;
      if (ms + IDLE_MS / 2 < LIFE_MS) expect(status).toBe(200);
    }
    expect(status).toBe(401);
  });

  test("is one of twenty of its key: beyond them the one that nobody used for longest ends", async () => {
    const { token } = await stage.create({ scopes: ["read"] });
    const other = await begin(token);
    const first = await begin();
    const second = await begin();
    expect((await ask("GET", "/domains", { cookie: first.cookie })).status).toBe(200);
    for (let i = 0; i < KEY_SESSIONS_MAX - 1; i++) await logIn(KEY);
    expect((await ask("GET", "/domains", { cookie: second.cookie })).status).toBe(401);
    expect((await ask("GET", "/domains", { cookie: first.cookie })).status).toBe(200);
    // Whatever one key does, another one's sessions stay.
    expect((await ask("GET", "/domains", { cookie: other.cookie })).status).toBe(200);
  });

  test("does not stand in the way of a key: what is in the header counts", async () => {
    const { cookie } = await begin();
    const headers = { cookie, authorization: `Bearer ${KEY}`, "sec-fetch-site": "cross-site" };
    expect((await ask("POST", "/api-keys", { ...headers, ...asJson }, '{"name":"a"}')).status).toBe(
      201,
    );
    const wrong = { cookie, authorization: "Bearer pr_wrong" };
    expect((await ask("GET", "/domains", wrong)).status).toBe(403);
  });
});

describe("another page that makes the browser ask, with the cookie,", () => {
  const pause = '{"all":true}';
  const tries: readonly (readonly [string, (own: Headers) => Headers, string])[] = [
    ["without the token", ({ "x-postrider-csrf": _, ...rest }) => rest, "lacks the header"],
    ["with a wrong token", (own) => ({ ...own, "x-postrider-csrf": "A".repeat(43) }), "is wrong"],
    ["with an empty token", (own) => ({ ...own, "x-postrider-csrf": "" }), "is wrong"],
    ["from another origin", (own) => ({ ...own, origin: "https://evil.test" }), "Another origin"],
    ["from another port", (own) => ({ ...own, origin: "http://door.test:3000" }), "Another origin"],
    ["from a sandbox", (own) => ({ ...own, origin: "null" }), "Another origin"],
    ["hiding its origin", ({ origin: _, ...rest }) => rest, "Origin"],
    ["from another site", (own) => ({ ...own, "sec-fetch-site": "cross-site" }), "Another site"],
    ["from a neighbour", (own) => ({ ...own, "sec-fetch-site": "same-site" }), "Another site"],
    ["by a link", (own) => ({ ...own, "sec-fetch-site": "none" }), "Another site"],
    ["in a frame", (own) => ({ ...own, "sec-fetch-dest": "iframe" }), "within a frame"],
    ["under another name", (own) => ({ ...own, host: "rebound.test" }), "another host name"],
  ];
  for (const [how, change, why] of tries)
    test(`${how} changes nothing`, async () => {
      const { own } = await begin();
      const before = stage.fixture.ordered.length;
      const response = await ask("POST", "/queue/pause", change(own), pause);
      expect(response.status).toBe(403);
      const { name, detail } = (await response.json()) as { name: string; detail: string };
      expect(name).toBe("cross_site_request");
      expect(detail).toContain(why);
      expect(response.headers.get("x-frame-options")).toBe("DENY");
      expect(stage.fixture.ordered.length).toBe(before);
      expect((await ask("DELETE", "/ui/session", change(own))).status).toBe(403);
      for (const path of ["/send", "/emails", "/send/batch"])
        expect((await ask("POST", path, change(own), "{}")).status).toBe(403);
    });

  test("reads nothing either", async () => {
    const { cookie } = await begin();
    for (const strange of [
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
      { "sec-fetch-dest": "iframe", "sec-fetch-site": "same-origin" },
      { origin: "https://evil.test" },
      { host: "rebound.test" },
    ] as const)
      for (const path of ["/domains", "/events/stream", "/emails"])
        expect((await ask("GET", path, { cookie, ...strange })).status).toBe(403);
  });

  test("does not keep a session from ending", async () => {
    const { cookie } = await begin();
    stage.pass(IDLE_MS - 1000);
    await ask("GET", "/domains", { cookie, "sec-fetch-site": "cross-site" });
    stage.pass(1000);
    expect((await ask("GET", "/domains", { cookie })).status).toBe(401);
  });
});

test("cookies that mean nothing are not a session", async () => {
  for (const cookie of ["a=b", "postrider_session=", "postrider_session=short", ";;;", "=", "x"]) {
    const { status } = await ask("GET", "/domains", { cookie });
    expect(status).toBe(401);
  }
});

describe("the page", () => {
  beforeAll(async () => void (await buildPage()));

  test("is there for everybody, framed by nobody, and runs nothing but its own script", async () => {
    const page = await ask("GET", "/");
    const headers = Object.fromEntries(page.headers);
    expect(headers).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-cache",
      "x-frame-options": "DENY",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
    });
    const policy = headers["content-security-policy"] ?? "";
    for (const rule of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"])
      expect(policy).toContain(rule);
    expect(policy).not.toContain("unsafe");
    const html = await page.text();
    expect(html).not.toMatch(/<script(?![^>]* src=)|\son\w+=|\sstyle=|<style|https?:/i);
  });

  test("has a window of its own wherever a browser heeds that", async () => {
    const opened = async (headers: Headers): Promise<string | null> =>
      (await ask("GET", "/", headers)).headers.get("cross-origin-opener-policy");
    for (const host of ["127.0.0.1:8250", "localhost", "a.localhost:80", "[::1]:8250"])
      expect([host, await opened({ host })]).toEqual([host, "same-origin"]);
    expect(await opened({ host: "mail.test", "x-forwarded-proto": "https" })).toBe("same-origin");
    for (const host of ["mail.test", "192.0.2.7:8250", "localhost.test", "127.0.0.1.test"])
      expect([host, await opened({ host })]).toEqual([host, null]);
  });

  test("names its parts by their content, which may then be kept for ever", async () => {
    const html = await (await ask("GET", "/")).text();
    const [script = ""] = /\/ui\/page\.js\?\w+/.exec(html) ?? [];
    const named = await ask("GET", script);
    expect(named.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(named.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
    const old = await ask("GET", "/ui/page.js?0123456789abcdef");
    expect(old.headers.get("cache-control")).toBe("no-cache");
    const etag = named.headers.get("etag") ?? "";
    const again = await ask("GET", "/ui/page.js", { "if-none-match": `W/${etag}, "x"` });
    expect([again.status, await again.text()]).toEqual([304, ""]);
  });

  test("comes compressed to whoever takes it so", async () => {
    const plain = await (await ask("GET", "/ui/page.css")).text();
    for (const accepted of ["gzip, deflate, br", "gzip;q=0.5"]) {
      const zipped = await ask("GET", "/ui/page.css", { "accept-encoding": accepted });
      expect(zipped.headers.get("content-encoding")).toBe("gzip");
      expect(Buffer.from(Bun.gunzipSync(await zipped.arrayBuffer())).toString()).toBe(plain);
    }
    for (const refused of ["br", "gzip;q=0", "identity"]) {
      const same = await ask("GET", "/ui/page.css", { "accept-encoding": refused });
      expect(same.headers.get("content-encoding")).toBeNull();
    }
  });
});

test("whatever a browser or somebody else says in headers, nobody gets in without a session", async () => {
  const { cookie } = await begin();
  const token = cookie.slice(cookie.indexOf("=") + 1);
  const text = fc.string({ unit: fc.constantFrom(..."ab=; ,/:.\"'%-_1[]\t"), maxLength: 60 });
  const near = fc.constantFrom(
    ...[`postrider_session=${token.slice(1)}`, `postrider_session= ${token}`, `x${cookie}`],
    ...[`${cookie}x`, `POSTRIDER_SESSION=${token}`, `__Host-${cookie}`, `postrider_session=`],
  );
  await fc.assert(
    fc.asyncProperty(fc.oneof(text, near), text, text, text, async (said, origin, host, site) => {
      const headers = { cookie: said, origin, host, "sec-fetch-site": site };
      for (const [method, path] of [
        ["GET", "/domains"],
        ["POST", "/queue/pause"],
        ["POST", "/ui/session"],
      ] as const) {
        const response = await ask(method, path, headers, method === "GET" ? undefined : "{}");
        expect([said, [401, 403, 415].includes(response.status)]).toEqual([said, true]);
      }
      expect((await ask("GET", "/ui/session", headers)).status).toBe(200);
    }),
    { numRuns: 150 },
  );
});

test("the log says who logged in from where, and never the key or the cookie", async () => {
  const logged: string[] = [];
  const { fixture } = stage;
  const own = createFixture({
    log: (_level, event, fields) => void logged.push(`${event} ${JSON.stringify(fields)}`),
  });
  stage.fixture = own;
  await logIn("pr_wrong");
  const { own: headers, cookie } = await begin();
  await ask("DELETE", "/ui/session", headers);
  const told = logged.filter((line) => line.startsWith("session."));
  expect(told).toEqual([
    'session.begun {"key":"first","address":"192.0.2.7"}',
    'session.ended {"key":"first","address":"192.0.2.7"}',
  ]);
  const all = logged.join("\n");
  for (const secret of [KEY, "pr_wrong", cookie.slice(cookie.indexOf("=") + 1)])
    expect(all).not.toContain(secret);
  own.close();
  stage.fixture = fixture;
});
