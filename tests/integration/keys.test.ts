// API keys through the real daemon: made by the command line and by the official `resend` package, over kills and restarts.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { connect } from "node:net";
import { join } from "node:path";
import { Resend } from "resend";
import { freePort } from "../fixtures/process.ts";
import { until } from "../fixtures/until.ts";
import { runCommand } from "../fixtures/command.ts";
import { startDaemon, type Daemon } from "../fixtures/daemon.ts";

const TEST_MS = 60_000;

let folder: string;
let daemon: Daemon;
const start = (...flags: string[]): Promise<Daemon> =>
  startDaemon({ dataDir: folder, flags: ["--workers", "1", "--hostname", "one.test", ...flags] });

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "postrider-keys-"));
  daemon = await start();
}, TEST_MS);
afterEach(async () => {
  await daemon.stop();
  rmSync(folder, { recursive: true, force: true });
}, TEST_MS);

const letter = {
  from: "a@shop.test",
  to: "delivered@postrider.test",
  subject: "s",
  text: "t",
};

const send = (key: string, change: object = {}): Promise<Response> =>
  fetch(`${daemon.url}/send`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ ...letter, ...change }),
  });

const said = async (response: Response) => {
  const body = (await response.json()) as { readonly name?: string; readonly limit?: string };
  return [response.status, body.name, body.limit];
};

async function run(...args: string[]): Promise<{ code: number; text: string }> {
  const { code, out, err } = await runCommand(folder, args);
  return { code, text: out + err };
}

async function create(name: string, ...terms: string[]): Promise<{ id: string; token: string }> {
  const { text } = await run("key", "create", name, "--json", ...terms);
  return JSON.parse(text) as { id: string; token: string };
}

test(
  "a key is rotated without a pause: two live ones, then the old one is revoked, and a kill brings nothing back",
  async () => {
    const made = await run("key", "create", "shop", "--scope", "send", "--domain", "shop.test");
    const old = made.text.split("\n")[0] ?? "";
    expect(old).toMatch(/^pr_[a-z2-7]{32}$/);
    expect((await send(old)).status).toBe(202);
    expect(await said(await send(old, { from: "a@two.test" }))).toEqual([
      ...[403, "domain_not_allowed", undefined],
    ]);
    const next = await create("shop-2", "--scope", "send", "--domain", "shop.test");
    await daemon.process.stop("SIGKILL");
    daemon = await start();
    expect((await send(old)).status).toBe(202);
    expect((await send(next.token)).status).toBe(202);
    expect((await run("key", "revoke", "shop")).text).toContain("shop is revoked");
    expect((await said(await send(old)))[1]).toBe("invalid_api_key");
    await daemon.process.stop("SIGKILL");
    daemon = await start();
    expect((await said(await send(old)))[1]).toBe("invalid_api_key");
    expect((await send(next.token)).status).toBe(202);
    const listed = await run("key", "list");
    expect(listed.text).toContain("shop-2");
    expect(listed.text).not.toContain(next.token);
    expect((await run("key", "revoke", "shop")).code).toBe(1);
  },
  TEST_MS,
);

test(
  "a quota outlives a kill, and the rate is told in every answer",
  async () => {
    const { token } = await create("daily", "--daily-quota", "4", "--rate", "2/m", "--burst", "3");
    const first = await send(token, { to: [letter.to, "ok@postrider.test"] });
    expect(first.status).toBe(202);
    expect(first.headers.get("ratelimit-limit")).toBe("3");
    expect(first.headers.get("ratelimit-remaining")).toBe("2");
    await daemon.process.stop("SIGKILL");
    daemon = await start();
    expect(
      await said(
        await send(token, {
          to: Array(3)
            .fill(0)
            .map((_, i) => `r${i}@postrider.test`),
        }),
      ),
    ).toEqual([...[429, "daily_quota_exceeded", "daily_quota"]]);
    expect((await send(token, { to: [letter.to, "ok@postrider.test"] })).status).toBe(202);
    await send(token);
    const late = await send(token);
    expect(Number(late.headers.get("retry-after"))).toBeGreaterThan(1);
    expect(await said(late)).toEqual([429, "rate_limit_exceeded", "key_rate"]);
    await daemon.stop();
    daemon = await start();
    const view = JSON.parse((await run("key", "list", "--json")).text) as { used_today: number }[];
    expect(view[0]?.used_today).toBe(4);
  },
  TEST_MS,
);

/** An SMTP session that is logged in; what is said is answered with the reply's first line. */
async function smtp(port: number, token: string): Promise<(line: string) => Promise<string>> {
  const socket = connect(port, "127.0.0.1");
  const replies: string[] = [];
  let text = "";
  let wake = (): void => {};
  socket.on("data", (chunk) => {
    text += chunk.toString();
    for (let end; (end = text.indexOf("\r\n")) >= 0; text = text.slice(end + 2))
      if (text[3] !== "-") replies.push(text.slice(0, end));
    wake();
  });
  socket.on("close", () => {
    replies.push("closed");
    wake();
  });
  const next = async (): Promise<string> => {
    while (replies.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return replies.shift() ?? "";
  };
  const say = (line: string): Promise<string> => {
    socket.write(`${line}\r\n`);
    return next();
  };
  await next();
  await say("EHLO client.test");
  const login = Buffer.from(`\0any\0${token}`).toString("base64");
  expect(await say(`AUTH PLAIN ${login}`)).toStartWith("235");
  return say;
}

test(
  "by SMTP the same key has the same limits, and a revoked one sends nothing more in an open session",
  async () => {
    await daemon.stop();
    const port = await freePort();
    daemon = await start("--smtp-listen", `127.0.0.1:${port}`);
    const { token } = await create("mailer", "--domain", "shop.test", "--daily-quota", "2");
    const say = await smtp(port, token);
    const mail = async (from: string): Promise<string> => {
      const first = await say(`MAIL FROM:<${from}>`);
      if (!first.startsWith("250")) return first;
      await say("RCPT TO:<delivered@postrider.test>");
      await say("DATA");
      const last = await say(`From: a@shop.test\r\nSubject: s\r\n\r\nHello\r\n.`);
      if (!last.startsWith("250")) await say("RSET");
      return last;
    };
    expect(await mail("a@shop.test")).toStartWith("250");
    expect(await mail("a@other.test")).toStartWith("550 5.7.1");
    expect(await mail("a@shop.test")).toStartWith("250");
    expect(await mail("a@shop.test")).toStartWith("450 4.7.1");
    await run("key", "revoke", "mailer");
    expect(await mail("a@shop.test")).toStartWith("535 5.7.8");
    await say("QUIT");
  },
  TEST_MS,
);

test(
  "the resend package makes, lists, updates and removes keys",
  async () => {
    process.env["RESEND_BASE_URL"] = daemon.url;
    const resend = new Resend(daemon.key);
    const sending = { name: "app", permission: "sending_access" } as const;
    const made = (await resend.apiKeys.create(sending)).data;
    expect(made?.token).toMatch(/^pr_/);
    const app = new Resend(made?.token);
    expect((await app.emails.send(letter)).error).toBeNull();
    expect((await app.domains.list()).error?.name).toBe("restricted_api_key");
    const listed = (await resend.apiKeys.list()).data;
    expect(listed).toMatchObject({ object: "list", has_more: false, data: [{ name: "app" }] });
    const id = made?.id ?? "";
    expect((await resend.apiKeys.update(id, { name: "shop" })).data).toMatchObject({ id });
    const removed = (await resend.apiKeys.remove(id)).data;
    expect(removed).toEqual({ object: "api_key", id, deleted: true });
    expect((await app.emails.send(letter)).error?.name).toBe("invalid_api_key");
    delete process.env["RESEND_BASE_URL"];
  },
  TEST_MS,
);

test(
  "bulk fills its share of the queue, a key its own, and what a person waits for is still taken",
  async () => {
    await daemon.stop();
    daemon = await start("--queue-max-messages", "20");
    await run("queue", "pause", "--domain", "postrider.test");
    const { token } = await create("news", "--queue-max", "3");
    const bulk = { priority: "p2" };
    for (let i = 0; i < 3; i++) expect((await send(token, bulk)).status).toBe(202);
    const full3 = [503, "queue_full", "queue_max"];
    expect(await said(await send(token, bulk))).toEqual(full3);
    await daemon.process.stop("SIGKILL");
    daemon = await start("--queue-max-messages", "20");
    expect(await said(await send(token, bulk))).toEqual(full3);
    for (let i = 0; i < 13; i++) expect((await send(daemon.key, bulk)).status).toBe(202);
    const refused = await send(daemon.key, bulk);
    expect(refused.headers.get("retry-after")).toBe("5");
    expect(await said(refused)).toEqual([503, "queue_full", "queue_max_messages"]);
    for (let i = 0; i < 3; i++) expect((await send(daemon.key)).status).toBe(202);
    expect((await send(daemon.key)).status).toBe(503);
    expect((await send(daemon.key, { priority: "p0" })).status).toBe(202);
    await run("queue", "resume", "--domain", "postrider.test");
    const again = async (): Promise<number> => (await send(token, bulk)).status;
    await until("there is room again", async () => (await again()) === 202);
  },
  TEST_MS,
);
