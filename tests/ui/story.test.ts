// The dashboard as an operator uses it on a bad day: in a real browser, under its real policy, against the real daemon and its sink.
import { afterAll, beforeAll, expect } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Daemon, startDaemon } from "../fixtures/daemon.ts";
import { until } from "../fixtures/until.ts";
import { browserPeer, PHONE, startBrowser, type Rig, type Tab } from "./browser.ts";

const TEST_MS = 60_000;
const SITE = "postrider.test";
const PAUSED_MESSAGES = 25;

let folder: string;
let daemon: Daemon;
let rig: Rig;

beforeAll(async () => {
  if (browserPeer.missing) return;
  folder = mkdtempSync(join(tmpdir(), "postrider-ui-"));
  [daemon, rig] = await Promise.all([
    startDaemon({ dataDir: folder, flags: ["--hostname", "mail.one.test"] }),
    startBrowser(),
  ]);
}, TEST_MS);
afterAll(async () => {
  if (browserPeer.missing) return;
  await rig.close();
  await daemon.stop();
  rmSync(folder, { recursive: true, force: true });
}, TEST_MS);

async function post(path: string, body: object): Promise<Record<string, string>> {
  const response = await daemon.request(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
  return (await response.json()) as Record<string, string>;
}

const send = (to: string, more: object = {}) =>
  post("/send", { from: "shop@one.test", to, subject: `For ${to}`, text: "Hello.", ...more });

async function logIn({ page }: Tab, key = daemon.key): Promise<void> {
  await page.getByLabel("API key").fill(key);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("button", { name: "Log out" }).waitFor();
}

const section = ({ page }: Tab, name: string) =>
  page.getByRole("navigation", { name: "Sections" }).getByRole("link", { name }).click();

/** What waits at the site, as its row says. */
async function waiting({ page }: Tab): Promise<number> {
  const row = page.getByRole("row").filter({ has: page.getByRole("link", { name: SITE }) });
  if ((await row.count()) === 0) return 0;
  return Number((await row.getByRole("cell").first().innerText()).replaceAll(/\D/g, ""));
}

browserPeer.test(
  "log in, find a message by its recipient, read its dialogue",
  async () => {
    await send("bounced+ada@postrider.test", { reference: "order-7" });
    const tab = await rig.tab(daemon.url, { expects: [/status of 403/] });
    const { page } = tab;
    await page.getByLabel("API key").fill("pr_wrong");
    await page.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("alert").getByText("Unknown API key").waitFor();
    await logIn(tab);
    await page.getByRole("status").getByText("live", { exact: true }).waitFor();

    await section(tab, "Messages");
    await page.getByLabel("Text, or the id of a message").fill("bounced+ada@postrider.test");
    await page.getByRole("button", { name: "Search" }).click();
    await page.getByRole("link", { name: "For bounced+ada@postrider.test" }).click();
    await page.getByRole("heading", { name: "Timeline" }).waitFor();
    const dialogue = page.locator("details.dialogue");
    await dialogue.waitFor();
    if ((await dialogue.getAttribute("open")) === null) await dialogue.locator("summary").click();
    const said = await dialogue.innerText();
    for (const line of ["MAIL FROM:<shop@one.test>", "RCPT TO:<bounced+ada@postrider.test>", "550"])
      expect(said).toContain(line);
    await tab.shot("story-message");
    expect(await tab.axe()).toEqual([]);
    expect(tab.faults()).toEqual([]);
    await tab.close();
  },
  TEST_MS,
);

browserPeer.test(
  "pause a site, see the queue grow, resume it, see it drain",
  async () => {
    await send("delivered@postrider.test");
    const tab = await rig.tab(daemon.url);
    const { page } = tab;
    await logIn(tab);
    await section(tab, "Sites");
    await page.getByRole("button", { name: `Pause ${SITE}` }).click();
    await page.getByText(`${SITE} is paused`).waitFor();
    for (let i = 0; i < PAUSED_MESSAGES; i++) await send("delivered@postrider.test");
    await until("the queue to have grown", async () => (await waiting(tab)) === PAUSED_MESSAGES);
    await page
      .getByText("An operator paused this site")
      .filter({ visible: true })
      .first()
      .waitFor();
    await tab.shot("story-paused");
    expect(await tab.axe()).toEqual([]);
    const phone = await rig.tab(daemon.url, { size: PHONE, isDark: true });
    await logIn(phone);
    await phone.page.getByText("paused").filter({ visible: true }).first().waitFor();
    await phone.shot("story-overview");
    expect(await phone.axe()).toEqual([]);
    expect(phone.faults()).toEqual([]);
    await phone.close();

    await page.getByRole("button", { name: `Resume ${SITE}` }).click();
    await until("the queue to be empty", async () => (await waiting(tab)) === 0);
    await section(tab, "Messages");
    await page.getByLabel("State").selectOption("delivered");
    await page.getByRole("button", { name: "Search" }).click();
    const rows = page.getByRole("link", { name: "For delivered@postrider.test" });
    await until("all to be found", async () => (await rows.count()) >= 20);
    expect(tab.faults()).toEqual([]);
    await tab.close();
  },
  TEST_MS,
);

browserPeer.test(
  "log out, and the browser knows nothing any more",
  async () => {
    const tab = await rig.tab(daemon.url);
    await logIn(tab);
    const before = await tab.page.evaluate("fetch('/queue').then((response) => response.status)");
    await tab.page.getByRole("button", { name: "Log out" }).click();
    await tab.page.getByLabel("API key").waitFor();
    expect(tab.faults()).toEqual([]);
    const after = await tab.page.evaluate("fetch('/queue').then((response) => response.status)");
    expect([before, after]).toEqual([200, 401]);
    expect(await tab.page.context().cookies()).toEqual([]);
    await tab.close();
  },
  TEST_MS,
);
