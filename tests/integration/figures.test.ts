// Figures, sites and sessions through the real daemon: the numbers are true, a slow server is named with its phase, a restart ends who was
// logged in, and nobody who looks on holds up the daemon's end.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FiguresView, SiteFigure } from "../../src/mail/figures.ts";
import type { UiLoggedIn } from "../../src/mail/uiSession.ts";
import { makeCertificate } from "../fixtures/certificates.ts";
import { binaryPath, cleanEnvironment, type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { ready, startProcess } from "../fixtures/process.ts";
import { until } from "../fixtures/until.ts";

const TEST_MS = 60_000;

let folder: string;
let daemon: Daemon;
const start = (): Promise<Daemon> =>
  startDaemon({ dataDir: folder, flags: ["--workers", "1", "--hostname", "one.test"] });

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "postrider-figures-"));
  daemon = await start();
}, TEST_MS);
afterEach(async () => {
  await daemon.stop();
  rmSync(folder, { recursive: true, force: true });
}, TEST_MS);

async function get<T>(path: string): Promise<T> {
  return (await (await daemon.request(path)).json()) as T;
}

async function post(path: string, body: object, headers: object = {}): Promise<Response> {
  return daemon.request(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

const send = (to: string, count = 1): Promise<Response> => {
  const message = { from: "a@one.test", to, subject: "s", text: "t" };
  return post(
    "/send/batch",
    Array.from({ length: count }, () => message),
  );
};

/** The browser's side of a session. */
async function logIn(): Promise<{ cookie: string; csrf: string }> {
  const response = await fetch(`${daemon.url}/ui/session`, {
    method: "POST",
    headers: { "content-type": "application/json", origin: daemon.url },
    body: JSON.stringify({ key: daemon.key }),
  });
  expect(response.status).toBe(201);
  const { csrf_token: csrf } = (await response.json()) as UiLoggedIn;
  const [cookie = ""] = (response.headers.get("set-cookie") ?? "").split(";");
  return { cookie, csrf };
}

test(
  "what was sent is what is counted, and the last minutes show it",
  async () => {
    await send("delivered@postrider.test", 300);
    await send("bounced@postrider.test", 20);
    const view = await until("all to be counted", async () => {
      const { totals, queue } = await get<FiguresView>("/figures");
      const isAll = totals.accepted === 320 && totals.delivered + totals.bounced === 320;
      return isAll && queue.recipients === 0 ? { totals } : undefined;
    });
    expect(view.totals).toMatchObject({ accepted: 320, delivered: 300, bounced: 20, expired: 0 });
    const { history, health } = await until("a point that says so", async () => {
      const seen = await get<FiguresView>("/figures");
      return seen.history.some((one) => one.delivered_per_second > 1) ? seen : undefined;
    });
    expect(health).toMatchObject({ status: "ok", alerts: [] });
    expect(history.some((one) => (one.delivery_p99_ms ?? 0) > 0)).toBe(true);
  },
  TEST_MS,
);

test(
  "a slow server is named with the phase in which it is slow, and a paused site by who paused it",
  async () => {
    const siteOf = async (): Promise<SiteFigure | undefined> =>
      (await get<{ data: SiteFigure[] }>("/sites")).data.find(
        ({ site }) => site === "postrider.test",
      );
    await send("slow-rcpt@postrider.test");
    const slow = await until("the slow phase to be known", async () => {
      const site = await siteOf();
      return site?.cause === "server_slow" ? site : undefined;
    });
    expect(slow.reason).toStartWith("Its server is slow: RCPT has been waited for");
    const known = await until("the slow reply to have come", async () => {
      const site = await siteOf();
      return site?.slowest?.phase === "rcpt" ? site : undefined;
    });
    expect(known.slowest?.p95_ms).toBeGreaterThan(1000);
    expect(slow).toMatchObject({ domains: 1, object: "site" });

    await post("/queue/pause", { site: "postrider.test" });
    await send("delivered@postrider.test", 30);
    const paused = await until("the queue to grow", async () => {
      const site = await siteOf();
      return (site?.backlog.waiting ?? 0) >= 30 ? site : undefined;
    });
    expect(paused).toMatchObject({ cause: "operator", pause: { rule: "operator", until: null } });
    await until("the figures to say so", async () => {
      const { health, queue } = await get<FiguresView>("/figures");
      return health.paused.length === 1 && queue.recipients >= 30;
    });
    await post("/queue/resume", { site: "postrider.test" });
    await until("the queue to drain", async () => ((await siteOf())?.backlog.waiting ?? 0) === 0);
  },
  TEST_MS,
);

test(
  "a session looks and acts by its cookie, ends with a restart, and its streams with the daemon",
  async () => {
    const { cookie, csrf } = await logIn();
    const stream = await fetch(`${daemon.url}/figures/stream`, { headers: { cookie } });
    const reader = stream.body!.getReader();
    const first = new TextDecoder().decode((await reader.read()).value);
    expect(first).toContain('data: {"object":"figures"');
    const pause = (headers: Record<string, string>): Promise<Response> =>
      fetch(`${daemon.url}/queue/pause`, {
        method: "POST",
        headers: { cookie, "content-type": "application/json", ...headers },
        body: '{"all":true}',
      });
    expect((await pause({ origin: daemon.url })).status).toBe(403);
    expect((await pause({ "x-postrider-csrf": csrf })).status).toBe(403);
    expect((await pause({ "x-postrider-csrf": csrf, origin: "http://127.0.0.1:1" })).status).toBe(
      403,
    );
    expect((await get<FiguresView>("/figures")).health.paused).toEqual([]);
    expect((await pause({ "x-postrider-csrf": csrf, origin: daemon.url })).status).toBe(200);

    // What is read anew leaves who is logged in alone.
    expect((await post("/reload", {})).status).toBe(200);
    expect((await fetch(`${daemon.url}/queue`, { headers: { cookie } })).status).toBe(200);

    await daemon.stop();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      rest += new TextDecoder().decode(value);
    }
    expect(rest).not.toContain("error");
    const stopped = /"event":"daemon.stopped","took_ms":(\d+)/.exec(daemon.process.output());
    // Not the time that is left to requests which do not end by themselves.
    expect(Number(stopped?.[1])).toBeLessThan(1500);
    daemon = await start();
    // Its name has the port in it, which is another one now.
    const moved = cookie.replace(/_\d+=/, `_${new URL(daemon.url).port}=`);
    const after = await fetch(`${daemon.url}/queue`, { headers: { cookie: moved } });
    expect([after.status, ((await after.json()) as { name: string }).name]).toEqual([
      401,
      "session_ended",
    ]);
  },
  TEST_MS,
);

test(
  "a stream that was opened by a cookie ends when its key is revoked",
  async () => {
    const made = await post("/api-keys", { name: "wall", scopes: ["read"] });
    const { id, token } = (await made.json()) as { id: string; token: string };
    const login = await fetch(`${daemon.url}/ui/session`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ key: token }),
    });
    const [cookie = ""] = (login.headers.get("set-cookie") ?? "").split(";");
    const stream = await fetch(`${daemon.url}/figures/stream`, { headers: { cookie } });
    const reader = stream.body!.getReader();
    await reader.read();
    await daemon.request(`/api-keys/${id}`, { method: "DELETE" });
    await until("the stream to end", async () => (await reader.read()).done);
  },
  TEST_MS,
);

test(
  "over HTTPS the cookie is one that nobody else can set or read",
  async () => {
    const { cert, key } = makeCertificate({ name: "one.test", names: ["one.test"] });
    const at = (name: string): string => join(folder, name);
    writeFileSync(at("cert.pem"), cert);
    writeFileSync(at("key.pem"), key);
    const tls = ["--tls-cert", at("cert.pem"), "--tls-key", at("key.pem")];
    const args = ["serve", "--data-dir", at("other"), "--listen", "127.0.0.1:0", ...tls];
    const running = startProcess(
      binaryPath,
      [...args, "--hostname", "one.test", "--api-key", "0123456789abcdef"],
      { env: cleanEnvironment(), cwd: folder },
    );
    try {
      const shown = /https:\/\/127\.0\.0\.1:\d+/;
      const url = await ready(running, "its address", () => shown.exec(running.output())?.[0]);
      const options = { tls: { rejectUnauthorized: false }, keepalive: false };
      const login = await until("a login", () =>
        fetch(`${url}/ui/session`, {
          ...options,
          method: "POST",
          headers: { "content-type": "application/json", origin: url },
          body: '{"key":"0123456789abcdef"}',
        }).catch(() => undefined),
      );
      const cookie = login.headers.get("set-cookie") ?? "";
      expect(cookie).toMatch(/^__Host-postrider_session_\d+=[\w-]{43}; Secure; Path=\/; HttpOnly/);
      const [pair = ""] = cookie.split(";");
      const queue = await fetch(`${url}/queue`, { ...options, headers: { cookie: pair } });
      expect(queue.status).toBe(200);
    } finally {
      await running.stop();
    }
  },
  TEST_MS,
);
