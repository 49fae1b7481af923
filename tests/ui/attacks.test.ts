// What strangers may try: with what they write into mail and replies, and with pages of their own in the browser of somebody logged in.
import { afterAll, beforeAll, expect } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { SMTPServer } from "smtp-server";
import { type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { until } from "../fixtures/until.ts";
import { browserPeer, type Rig, startBrowser, type Tab } from "./browser.ts";

const TEST_MS = 60_000;
const FOLDS_MAX = 20;
/** Whatever of it is taken for code leaves a mark; what is taken for an image or a style asks for it. */
const EVIL =
  `"'><img src=x onerror=globalThis.hit=1><script>globalThis.hit=1</script>` +
  `<svg onload=globalThis.hit=1><a href=javascript:globalThis.hit=1>here</a><style>*{display:none}`;

let folder: string;
let daemon: Daemon;
let rig: Rig;
let smtp: SMTPServer;

/** A server whose every word is hostile. */
async function startEvilServer(): Promise<number> {
  smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS", "AUTH"],
    logger: false,
    banner: EVIL,
    onRcptTo(address, _session, done) {
      const isHard = address.address.startsWith("hard");
      done(Object.assign(new Error(`5.1.1 ${EVIL}`), { responseCode: isHard ? 550 : 451 }));
    },
  });
  await new Promise<void>((resolve) => void smtp.listen(0, "127.0.0.1", () => resolve()));
  const at = smtp.server.address();
  return typeof at === "object" && at !== null ? at.port : 0;
}

beforeAll(async () => {
  if (browserPeer.missing) return;
  folder = mkdtempSync(join(tmpdir(), "postrider-attacks-"));
  const port = await startEvilServer();
  const file = join(folder, "postrider.toml");
  const relay = `[senders."evil.test"]\nrelay = "smtp://127.0.0.1:${port}?tls=off"\n`;
  writeFileSync(file, `hostname = "mail.one.test"\nworkers = 1\n${relay}`);
  [daemon, rig] = await Promise.all([
    startDaemon({ dataDir: folder, flags: ["--config", file], cwd: folder }),
    startBrowser(),
  ]);
}, TEST_MS);
afterAll(async () => {
  if (browserPeer.missing) return;
  await rig.close();
  await daemon.stop();
  await new Promise<void>((resolve) => void smtp.close(() => resolve()));
  rmSync(folder, { recursive: true, force: true });
}, TEST_MS);

async function post(path: string, body: object): Promise<{ readonly id: string }> {
  const response = await daemon.request(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
  return (await response.json()) as { id: string };
}

async function logIn({ page }: Tab, key = daemon.key): Promise<void> {
  await page.getByLabel("API key").fill(key);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("button", { name: "Log out" }).waitFor();
}

const evilMail = (to: string) =>
  post("/send", {
    from: `"${EVIL.replaceAll('"', '\\"')}" <a@evil.test>`,
    to,
    subject: EVIL,
    text: EVIL,
    html: EVIL,
    reference: EVIL.slice(0, 200),
    metadata: { note: EVIL },
    tags: [{ name: "evil", value: "img_src_x" }],
    headers: { "X-Evil": EVIL },
    attachments: [{ filename: `${EVIL.slice(0, 60)}.html`, content: "aGVsbG8=" }],
  });

async function stateOf(id: string): Promise<string | undefined> {
  const email = (await (await daemon.request(`/emails/${id}`)).json()) as {
    recipients: { state: string }[];
  };
  return email.recipients[0]?.state;
}

/** Nothing of the view is on its way any more. */
const loaded = (page: Page): Promise<unknown> =>
  until("the view to be there", async () => {
    return !/Loading the /.test(await page.locator("main").innerText());
  });

browserPeer.test(
  "what strangers wrote is shown as they wrote it, and is nothing but text",
  async () => {
    const [hard, soft, inbox] = await Promise.all([
      evilMail("hard@victim.test"),
      evilMail("soft@victim.test"),
      evilMail("delivered@postrider.test"),
    ]);
    await post("/suppressions", { email: "x@victim.test", reason: EVIL.slice(0, 200) });
    await until("a bounce", async () => (await stateOf(hard.id)) === "bounced");
    await until("a deferral", async () => (await stateOf(soft.id)) === "deferred");
    await until("a delivery", async () => (await stateOf(inbox.id)) === "delivered");
    const inboxed = (await (await daemon.request("/inbox")).json()) as { data: { id: string }[] };
    const sites = (await (await daemon.request("/sites")).json()) as { data: { site: string }[] };
    const places = [
      ...["overview", "sites", "messages", "suppressions", "webhooks", "domains", "inbox"],
      ...[hard, soft, inbox].map(({ id }) => `messages/${id}`),
      ...inboxed.data.map(({ id }) => `inbox/${id}`),
      ...sites.data.map(({ site }) => `sites/${encodeURIComponent(site)}`),
      `messages?reference=${encodeURIComponent(EVIL.slice(0, 200))}`,
      `sites/${encodeURIComponent(EVIL)}`,
      `messages/${encodeURIComponent(EVIL)}`,
    ];
    // There is no message of that name, and the source of what was delivered is gone.
    const tab = await rig.tab(daemon.url, { expects: [/status of 4(?:04|10)/] });
    await logIn(tab);
    const { page } = tab;
    let shown = "";
    for (const place of places) {
      await page.goto(`${daemon.url}/#/${place}`);
      await page.locator("main h1, main h2").first().waitFor();
      await loaded(page);
      // Whatever is folded is opened, so that it is there too.
      const folds = page.locator("main details:not([open]) > summary");
      for (let i = 0; i < FOLDS_MAX && (await folds.count()) > 0; i++) await folds.first().click();
      await loaded(page);
      shown += await page.locator("body").innerText();
      const strange = await page
        .locator("main :is(img, iframe, object, embed, script, style, svg, [onerror], [onload])")
        .count();
      const links = await page.locator('a[href^="javascript:" i], a[href^="data:" i]').count();
      const hit = await page.evaluate("globalThis.hit");
      expect([place, strange, links, hit]).toEqual([place, 0, 0, undefined]);
    }
    // It was all there: what the server said, and what the sender wrote.
    for (const code of [451, 550])
      expect([code, shown.includes(`${code} 5.1.1 ${EVIL.slice(0, 40)}`)]).toEqual([code, true]);
    expect(tab.faults()).toEqual([]);
    await tab.close();
  },
  TEST_MS,
);

/** A page of somebody else's, on another port of this host. */
function serveEvilPage() {
  const html = `<!doctype html><title>evil</title><body>evil`;
  const headers = { "content-type": "text/html" };
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: () => new Response(html, { headers }),
  });
}

const paused = async (): Promise<number> =>
  ((await (await daemon.request("/queue")).json()) as { paused: unknown[] }).paused.length;

/** Sends a form as only a page can: without asking anybody. */
async function submitForm(page: Page, action: string, type: string): Promise<void> {
  const settled = page.waitForNavigation();
  await page.evaluate(`{
    const form = document.createElement("form");
    Object.assign(form, ${JSON.stringify({ method: "post", action, enctype: type })});
    const field = document.createElement("input");
    Object.assign(field, { name: '{"all":true,"x":"', value: '"}' });
    form.append(field);
    document.body.append(form);
    form.submit();
  }`);
  await settled;
}

browserPeer.test(
  "a page of another site or port can do nothing with the cookie of who is logged in",
  async () => {
    const evil = serveEvilPage();
    const own = await rig.tab(daemon.url);
    await logIn(own);
    const page = await own.page.context().newPage();
    const ask = (path: string, init: object) =>
      page.evaluate(
        `fetch(${JSON.stringify(`${daemon.url}${path}`)}, ${JSON.stringify(init)})
          .then((response) => response.type + " " + response.status, () => "refused")`,
      );
    for (const host of ["127.0.0.1", "localhost"]) {
      const home = `http://${host}:${evil.port}/`;
      await page.goto(home);
      const withCookie = { credentials: "include" };
      expect(await ask("/emails", withCookie)).toBe("refused");
      expect(await ask("/ui/session", withCookie)).toBe("refused");
      // Sent, but by a page that may not see the answer.
      const blind = { ...withCookie, mode: "no-cors", method: "POST", body: '{"all":true}' };
      await ask("/queue/pause", blind);
      await ask("/queue/pause", {
        ...{ ...withCookie, method: "POST", body: '{"all":true}' },
        headers: { "content-type": "application/json", "x-postrider-csrf": "A".repeat(43) },
      });
      await ask("/ui/session", { ...blind, body: `{"key":"${daemon.key}"}` });
      for (const type of ["text/plain", "application/x-www-form-urlencoded"]) {
        await page.goto(home);
        await submitForm(page, `${daemon.url}/queue/pause`, type);
        // To a neighbour's port the browser gives the cookie along, to another site it does not.
        const why = host === "127.0.0.1" ? "cross_site_request" : "missing_api_key";
        expect(await page.locator("body").innerText()).toContain(why);
      }
      await page.goto(home);
      const heard = await page.evaluate(`new Promise((resolve) => {
        const url = ${JSON.stringify(`${daemon.url}/figures/stream`)};
        const source = new EventSource(url, { withCredentials: true });
        source.onmessage = () => resolve("heard");
        source.onerror = () => resolve("refused");
      })`);
      expect([host, heard, await paused()]).toEqual([host, "refused", 0]);

      for (const path of ["/", "/emails", "/docs"]) {
        await page.evaluate(`{
          const frame = document.createElement("iframe");
          frame.src = ${JSON.stringify(`${daemon.url}${path}`)};
          document.body.replaceChildren(frame);
        }`);
        await until(`${path} to be kept out of the frame`, () =>
          page.frames().some((one) => one.url().startsWith("chrome-error:")),
        );
      }
    }
    await page.close();
    // And the session is still what it was.
    expect(await own.page.evaluate("fetch('/emails').then(({ status }) => status)")).toBe(200);
    await own.close();
    await evil.stop(true);
  },
  TEST_MS,
);

browserPeer.test(
  "a key that may only read sees everything and is offered nothing, and no script reads the cookie",
  async () => {
    const { id, token } = (await post("/api-keys", { name: "wall", scopes: ["read"] })) as {
      id: string;
      token: string;
    };
    const tab = await rig.tab(daemon.url, { expects: [/status of 401/] });
    await logIn(tab, token);
    const { page } = tab;
    await page.getByText("(may only read)").waitFor();
    for (const place of ["overview", "sites", "messages", "suppressions", "webhooks", "domains"]) {
      await page.goto(`${daemon.url}/#/${place}`);
      await page.locator("main h1").waitFor();
      const buttons = await page.getByRole("button").allInnerTexts();
      expect([place, buttons.filter((one) => /pause|resume|cancel|remove/i.test(one))]).toEqual([
        place,
        [],
      ]);
    }
    expect(await page.evaluate("document.cookie")).toBe("");
    // Nothing that outlives the tab holds the key.
    const kept = await page.evaluate("JSON.stringify([localStorage, sessionStorage])");
    expect(kept).not.toContain(token);
    await daemon.request(`/api-keys/${id}`, { method: "DELETE" });
    await page.getByLabel("API key").waitFor();
    await tab.close();
  },
  TEST_MS,
);

browserPeer.test(
  "a key that loses a right while somebody is logged in says so, and nobody is thrown out",
  async () => {
    const made = await post("/api-keys", { name: "ops", scopes: ["read", "manage"] });
    const { id, token } = made as { readonly id: string; readonly token: string };
    const tab = await rig.tab(daemon.url, { expects: [/status of 401/] });
    await logIn(tab, token);
    await daemon.request(`/api-keys/${id}`, {
      method: "PATCH",
      headers: { "content-type": "application/json" },
      body: '{"scopes":["read"]}',
    });
    const { page } = tab;
    await page.getByRole("button", { name: "Pause everything" }).click();
    const sure = page.getByRole("dialog").getByRole("button").last();
    if ((await page.getByRole("dialog").count()) > 0) await sure.click();
    await page.getByText("may not").first().waitFor();
    expect(await page.getByRole("button", { name: "Log out" }).count()).toBe(1);
    expect(await paused()).toBe(0);
    await tab.close();
  },
  TEST_MS,
);
