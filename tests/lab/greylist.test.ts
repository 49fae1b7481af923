// Greylisting with real parts: the compiled daemon, Postfix, and postgrey behind it, which tells how long to wait.
import { afterAll, beforeAll, expect } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startDaemon, type Daemon } from "../fixtures/daemon.ts";
import { hasRoot, startPostfix, type Postfix } from "../fixtures/postfix.ts";
import { startPostgrey } from "../fixtures/postgrey.ts";
import { send, timeline } from "../integration/faultsRig.ts";
import { until } from "../fixtures/until.ts";
import { peer } from "../peers.ts";

const postgrey = peer("postgrey");
const peers = [postgrey, peer(hasRoot() ? "postfix" : "postfix as root")];
const canRun = peers.every((one) => !one.missing);
const { test } = peers.find((one) => one.missing) ?? postgrey;

/** Below ten seconds a wish is taken for impatience. */
const DELAY_S = 10;

let postfix: Postfix;
let daemon: Daemon;
const started: (() => Promise<void>)[] = [];

beforeAll(async () => {
  if (!canRun) return;
  const folder = mkdtempSync(join(tmpdir(), "postrider-greylist-"));
  // Both give up root and must still reach what is theirs.
  chmodSync(folder, 0o755);
  started.push(async () => rmSync(folder, { recursive: true, force: true }));
  const sub = (name: string): string => {
    mkdirSync(join(folder, name), { mode: 0o755 });
    return join(folder, name);
  };
  const grey = await startPostgrey({
    program: postgrey.path,
    folder: sub("postgrey"),
    delayS: DELAY_S,
    text: "Greylisted, try again in %s seconds",
  });
  started.push(grey.stop);
  postfix = await startPostfix({
    folder: sub("postfix"),
    settings: { smtpd_recipient_restrictions: `${grey.policy}, permit_mynetworks, reject` },
  });
  started.push(postfix.stop);
  daemon = await startDaemon({
    dataDir: sub("data"),
    flags: ["--relay", `smtp://127.0.0.1:${postfix.port}?tls=off`, "--hostname", "sender.test"],
  });
  started.push(async () => expect(await daemon.stop()).toBe(0));
}, 60_000);

afterAll(async () => {
  for (const stop of started.reverse()) await stop();
}, 60_000);

test("a greylister's wish is obeyed to the second, and the mail arrives once", async () => {
  const id = await send(daemon, "x@grey.test");
  const told = await until("it is delivered", async () => {
    const events = await timeline(daemon, id);
    return events.some(({ type }) => type === "email.delivered") && events;
  });
  const attempts = told.filter(({ type }) => type === "email.attempted");
  expect(attempts.map(({ postrider }) => postrider["class"])).toEqual(["greylist", "none"]);
  expect(attempts[0]?.postrider).toMatchObject({ phase: "rcpt", code: 450, doubt: false });
  expect(new Set(attempts.map(({ postrider }) => postrider["source"])).size).toBe(1);
  // Postgrey itself would have refused a try that came too early.
  expect(postfix.log().match(/Greylisted, try again/g)).toHaveLength(1);
  // Postfix answers before its delivery agent has written the mailbox.
  await until("the mail is in the mailbox", () => postfix.mail().length > 0);
  expect(postfix.mail()).toHaveLength(1);
});
