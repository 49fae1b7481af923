// Each view of the dashboard as it looks: in light and dark, on a desk and on a phone, on a bad day and on one when nothing happens. What the
// daemon says is written down, so that every state is there; that it really says so is told by story.test.ts.
import { afterAll, afterEach, beforeAll, expect } from "bun:test";
import { until } from "../fixtures/until.ts";
import { browserPeer, DESKTOP, PHONE, type Rig, startBrowser, type Tab } from "./browser.ts";
import { badDay, quietDay } from "./scenes.ts";
import { NOW } from "./scenes/instants.ts";
import { DONE, MESSAGE } from "./scenes/messages.ts";
import { HOOK, HOOK_EVENT, INBOX } from "./scenes/rest.ts";
import { KEY, problem, READ_KEY, type Stage, startStage } from "./stage.ts";

const TEST_MS = 60_000;

/** By the address behind the `#`, with the head that is there once the view is. */
const views: readonly (readonly [name: string, place: string, head: string])[] = [
  ["overview", "", "Overview"],
  ["sites", "sites", "Sites"],
  ["site", "sites/outlook.com", "outlook.com"],
  ["messages", "messages", "Messages"],
  ["message", `messages/${MESSAGE}`, "Your order 4711 is on its way"],
  ["suppressions", "suppressions", "Suppressions"],
  ["webhooks", "webhooks", "Webhooks"],
  ["webhook", `webhooks/${HOOK}`, "https://shop.example/hooks/mail"],
  ["delivery", `webhooks/${HOOK}/${HOOK_EVENT}`, HOOK_EVENT],
  ["domains", "domains", "Domains"],
  ["domain", "domains/shop.example", "shop.example"],
  ["inbox", "inbox", "Inbox"],
  ["captured", `inbox/${INBOX}`, "Welcome"],
];
/** Pictures that are kept; the rest is only looked at. */
const kept: ReadonlySet<string> = new Set(["overview", "sites", "message", "messages"]);

let stage: Stage;
let rig: Rig;

beforeAll(async () => {
  if (browserPeer.missing) return;
  [stage, rig] = await Promise.all([startStage(badDay), startBrowser()]);
}, TEST_MS);
afterAll(async () => {
  if (browserPeer.missing) return;
  await rig.close();
  stage.close();
}, TEST_MS);
afterEach(() => {
  if (browserPeer.missing) return;
  stage.scene = badDay;
  stage.answer = () => undefined;
  stage.deeds.length = 0;
  stage.cut(false);
});

async function enter(options: Parameters<Rig["tab"]>[1] = {}, key = KEY): Promise<Tab> {
  const tab = await rig.tab(stage.url, options);
  await tab.page.clock.setFixedTime(NOW);
  await tab.page.getByLabel("API key").fill(key);
  await tab.page.getByRole("button", { name: "Log in" }).click();
  await tab.page.getByRole("button", { name: "Log out" }).waitFor();
  await tab.page.getByRole("status").getByText("live", { exact: true }).waitFor();
  return tab;
}

async function go({ page }: Tab, place: string, head: string): Promise<void> {
  await page.goto(`${stage.url}/#/${place}`);
  await page.getByRole("heading", { level: 1, name: head, exact: true }).waitFor();
  const loading = page.locator(".loading").filter({ visible: true });
  await until("everything to be loaded", async () => (await loading.count()) === 0);
}

/** Nothing but a table within its frame may be wider than the window. */
const isTooWide = ({ page }: Tab): Promise<unknown> =>
  page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth");

for (const isDark of [false, true])
  for (const size of [DESKTOP, PHONE])
    browserPeer.test(
      `each view is readable, ${isDark ? "dark" : "light"}, ${size.width} px wide`,
      async () => {
        const tab = await enter({ size, isDark });
        for (const [name, place, head] of views) {
          await go(tab, place, head);
          // A desk in the light, a phone in the dark: one picture of each view and size.
          if (kept.has(name) && isDark === (size === PHONE)) await tab.shot(name);
          expect([name, await tab.axe()]).toEqual([name, []]);
          expect([name, await isTooWide(tab)]).toEqual([name, false]);
        }
        expect(tab.faults()).toEqual([]);
        await tab.close();
      },
      TEST_MS,
    );

browserPeer.test(
  "nothing is wider than the window, from 320 to 1600 px",
  async () => {
    const tab = await enter();
    for (const width of [320, 640, 800, 1000, 1600]) {
      await tab.page.setViewportSize({ width, height: 900 });
      for (const [name, place, head] of views) {
        await go(tab, place, head);
        expect([name, width, await isTooWide(tab)]).toEqual([name, width, false]);
      }
    }
    expect(tab.faults()).toEqual([]);
    await tab.close();
  },
  TEST_MS,
);

browserPeer.test(
  "a view with nothing in it says so",
  async () => {
    stage.scene = quietDay;
    const tab = await enter();
    const empty = new Map([
      ["Overview", "No destination is held up."],
      ["Sites", "No destination has mail or connections"],
      ["Messages", "No message was found."],
      ["Suppressions", "No address is suppressed."],
      ["Webhooks", "No endpoint is told."],
      ["Domains", "No domain signs its mail here."],
      ["Inbox", "Nothing is here."],
    ]);
    await tab.page.getByText("nothing is counted").waitFor();
    for (const [head, text] of empty) {
      await go(tab, head.toLowerCase(), head);
      await tab.page.getByText(text).waitFor();
      expect(await tab.axe()).toEqual([]);
    }
    expect(tab.faults()).toEqual([]);
    await tab.close();
  },
  TEST_MS,
);

browserPeer.test(
  "a view that cannot be loaded says why, and is loaded when one tries again",
  async () => {
    const tab = await enter({ expects: [/status of 503/] });
    const { page } = tab;
    stage.answer = ({ path }) =>
      path === "/suppressions"
        ? problem(503, "busy", "Too busy to answer", "The reader did not answer in time.")
        : undefined;
    await page.goto(`${stage.url}/#/suppressions`);
    const alert = page.getByRole("alert");
    await alert.getByText("The reader did not answer in time.").waitFor();
    expect(await tab.axe()).toEqual([]);
    stage.answer = () => undefined;
    await alert.getByRole("button", { name: "Try again" }).click();
    await page.getByText("gone@example.org").waitFor();
    expect(tab.faults()).toEqual([]);
    await tab.close();
  },
  TEST_MS,
);

browserPeer.test(
  "what the server refuses is not shown as done",
  async () => {
    const tab = await enter({ expects: [/status of 409/] });
    const { page } = tab;
    stage.answer = ({ method }) =>
      method === "POST"
        ? problem(409, "not_cancelable", "Too late for that", "It is delivered.")
        : undefined;
    await go(tab, `messages/${MESSAGE}`, "Your order 4711 is on its way");
    await page.getByRole("button", { name: "Cancel", exact: true }).click();
    // What cannot be undone is asked first, and whoever leaves it changes nothing.
    await page.getByRole("dialog", { name: "Cancel this message?" }).waitFor();
    expect(await tab.axe()).toEqual([]);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    expect(stage.deeds).toEqual([]);
    await page.getByRole("button", { name: "Cancel", exact: true }).press("Enter");
    await page.getByRole("button", { name: "Cancel the message" }).click();
    const notice = page.locator(".notice");
    await notice.getByText("The message was not canceled. Too late for that.").waitFor();
    expect(await notice.innerText()).toContain("It is delivered.");
    expect(await page.locator(".notice.good").count()).toBe(0);
    expect(stage.deeds.map(({ path }) => path)).toEqual([`/emails/${MESSAGE}/cancel`]);
    expect(await tab.axe()).toEqual([]);
    await page.getByRole("button", { name: /^Dismiss/ }).click();
    await notice.waitFor({ state: "detached" });
    expect(tab.faults()).toEqual([]);
    await tab.close();
  },
  TEST_MS,
);

browserPeer.test(
  "a key that may only read is offered nothing that it may not do",
  async () => {
    const tab = await enter({}, READ_KEY);
    const { page } = tab;
    for (const [, place, head] of views) {
      await go(tab, place, head);
      const names = await page.locator("main button:visible").allInnerTexts();
      const deeds = names.filter((name) => !["Copy", "Search"].includes(name));
      expect([place, deeds]).toEqual([place, []]);
    }
    await page.getByText("(may only read)").waitFor();
    expect(tab.faults()).toEqual([]);
    await tab.close();
  },
  TEST_MS,
);

browserPeer.test(
  "figures that stand still do not look live, and come back by themselves",
  async () => {
    const tab = await enter({ expects: [/status of 503/, /ERR_/] });
    const { page } = tab;
    stage.cut(true);
    await page.getByText("not live").waitFor();
    await page.getByText("The figures below stand still since 2026-11-23 13:45:00").waitFor();
    expect(await tab.axe()).toEqual([]);
    await page.getByRole("button", { name: "Reconnect" }).waitFor();
    stage.cut(false);
    await page.getByText("live", { exact: true }).waitFor();
    expect(tab.faults()).toEqual([]);
    await tab.close();
  },
  TEST_MS,
);

browserPeer.test(
  "a session that ends leads to the login, and back to where one was",
  async () => {
    const tab = await enter({ expects: [/status of 401/] });
    const { page } = tab;
    await go(tab, "domains/shop.example", "shop.example");
    stage.answer = ({ method }) =>
      method === "POST"
        ? problem(401, "session_ended", "The session has ended", "Log in again.")
        : undefined;
    await page.getByRole("button", { name: "Check the DNS" }).click();
    await page.getByText("The session has ended. Log in again to go on where you were.").waitFor();
    expect(await tab.axe()).toEqual([]);
    stage.answer = () => undefined;
    await page.getByLabel("API key").fill(KEY);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "shop.example" }).waitFor();
    expect(tab.faults()).toEqual([]);
    await tab.close();
  },
  TEST_MS,
);

browserPeer.test(
  "what strangers write is text and nothing else",
  async () => {
    const tab = await enter();
    const { page } = tab;
    await go(tab, "messages", "Messages");
    await page.getByText("<img src=x").waitFor();
    expect(await page.locator("img, script:not([src])").count()).toBe(0);
    await go(tab, `inbox/${INBOX}`, "Welcome");
    await page.getByText('<script>document.title = "taken"</script>').waitFor();
    expect(await page.title()).toBe("Welcome · Postrider");
    expect(tab.faults()).toEqual([]);
    await tab.close();
  },
  TEST_MS,
);

browserPeer.test(
  "it is used without a mouse",
  async () => {
    const tab = await enter();
    const { page } = tab;
    await page.evaluate("document.activeElement.blur()");
    const focused = (): Promise<unknown> =>
      page.evaluate("document.activeElement.textContent || document.activeElement.name");
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("Skip to the content");
    await page.keyboard.press("Enter");
    expect(await page.evaluate("document.activeElement.id")).toBe("main");
    // A move takes the focus to the head of what came, and the search is one key away.
    await page.getByRole("link", { name: "Domains" }).press("Enter");
    await page.getByRole("heading", { level: 1, name: "Domains" }).waitFor();
    expect(await focused()).toBe("Domains");
    await page.keyboard.press("/");
    await page.getByRole("heading", { level: 1, name: "Messages" }).waitFor();
    await page.waitForFunction("document.activeElement.name === 'text'");
    await page.keyboard.type(`  ${DONE.toUpperCase()} `);
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/#/messages/${DONE}`);
    // The search of an address that was sent stands in its form.
    await go(tab, "messages?reference=order-4711&status=held", "Messages");
    expect(await page.getByLabel("Find by").inputValue()).toBe("reference");
    expect(await page.getByLabel("Text, or the id").inputValue()).toBe("order-4711");
    expect(await page.getByLabel("State").inputValue()).toBe("held");
    await page.getByLabel("State").selectOption("deferred");
    await page.getByRole("button", { name: "Search" }).press("Enter");
    await page.waitForURL("**/#/messages?reference=order-4711&status=deferred");
    expect(await page.evaluate("getComputedStyle(document.body).outlineStyle")).toBe("none");
    await tab.close();
  },
  TEST_MS,
);

browserPeer.test(
  "colours are the system's until somebody chooses, and that is remembered",
  async () => {
    const tab = await enter({ isDark: true });
    const { page } = tab;
    const ground = (): Promise<unknown> =>
      page.evaluate("getComputedStyle(document.documentElement).backgroundColor");
    expect(await ground()).toBe("rgb(20, 23, 26)");
    await page.getByLabel("Colours").selectOption("light");
    expect(await ground()).toBe("rgb(253, 253, 252)");
    await page.reload();
    await page.getByRole("button", { name: "Log out" }).waitFor();
    expect(await ground()).toBe("rgb(253, 253, 252)");
    expect(tab.faults()).toEqual([]);
    await tab.close();
  },
  TEST_MS,
);
