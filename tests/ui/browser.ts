// Debian's Chromium without a window, as a tester of the dashboard: whatever the page does wrong by itself - an error on its console, an
// exception, a request to elsewhere - is a fault that a test looks at in the end.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { cleanEnvironment } from "../fixtures/daemon.ts";
import { peer } from "../peers.ts";

/** Tests that need it are skipped by name where it is missing. */
export const browserPeer = peer("chromium");

export const DESKTOP = { width: 1280, height: 800 } as const;
export const PHONE = { width: 390, height: 844 } as const;

export interface TabOptions {
  readonly size?: { readonly width: number; readonly height: number };
  readonly isDark?: boolean;
  /** Faults of this kind are meant to happen. */
  readonly expects?: readonly RegExp[];
}

export interface Tab {
  readonly page: Page;
  /** What the page did wrong so far. */
  faults(): readonly string[];
  /** What axe has against the page as it stands, one line each. */
  axe(): Promise<readonly string[]>;
  /** Keeps a picture of the whole page. */
  shot(name: string): Promise<void>;
  close(): Promise<void>;
}

export interface Rig {
  /** One with cookies and a size of its own. */
  tab(url: string, options?: TabOptions): Promise<Tab>;
  close(): Promise<void>;
}

/** Pictures go into the repository only when somebody wants new ones there. */
const PICTURES =
  process.env["KEEP_SCREENSHOTS"] === "1"
    ? join(import.meta.dir, "screenshots")
    : join(import.meta.dir, "..", "..", "dist", "screenshots");

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export async function startBrowser(): Promise<Rig> {
  const isRoot = process.getuid?.() === 0;
  // Chromium makes folders there, whatever its profile is.
  const home = mkdtempSync(join(tmpdir(), "postrider-browser-"));
  const browser: Browser = await chromium.launch({
    executablePath: browserPeer.path,
    headless: true,
    env: { ...(cleanEnvironment() as Record<string, string>), HOME: home },
    args: [
      // Chromium's sandbox needs a user of its own.
      ...(isRoot ? ["--no-sandbox"] : []),
      // Nobody but this host is spoken to.
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-gpu",
      // In a container it is a few megabytes.
      "--disable-dev-shm-usage",
    ],
  });
  return {
    tab: (url, options) => openTab(browser, url, options),
    async close() {
      await browser.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

async function openTab(browser: Browser, url: string, options: TabOptions = {}): Promise<Tab> {
  const { size = DESKTOP, isDark = false, expects = [] } = options;
  const context = await browser.newContext({
    viewport: size,
    colorScheme: isDark ? "dark" : "light",
    reducedMotion: "reduce",
    locale: "en-GB",
    timezoneId: "UTC",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const faults: string[] = [];
  const note = (fault: string): void => {
    if (!expects.some((one) => one.test(fault))) faults.push(fault);
  };
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning")
      note(`${message.type()}: ${message.text()} (${message.location().url})`);
  });
  page.on("pageerror", (error) => note(`exception: ${error.message}`));
  page.on("dialog", (dialog) => {
    note(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    const to = request.url();
    if (!to.startsWith(url) && !to.startsWith("data:")) note(`request to elsewhere: ${to}`);
  });
  await page.goto(url);
  return {
    page,
    faults: () => faults,
    axe: () => findings(page),
    async shot(name) {
      mkdirSync(PICTURES, { recursive: true });
      const path = join(PICTURES, `${name}-${size.width}.png`);
      await page.screenshot({ path, fullPage: true, animations: "disabled" });
    },
    close: () => context.close(),
  };
}

interface AxeFinding {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

/** Evaluated by the debugger, so that the page keeps its own policy. */
async function findings(page: Page): Promise<readonly string[]> {
  await page.evaluate(AXE);
  const violations = (await page.evaluate(
    "axe.run(document, { resultTypes: ['violations'] }).then((result) => result.violations)",
  )) as readonly AxeFinding[];
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ html, failureSummary = "" }) => `${id}: ${help}: ${html} ${failureSummary}`),
  );
}
