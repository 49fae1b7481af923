// Where the lines of all threads come together: named as outside, kept where they concern the daemon, and levels that change for a while.
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LogLevels } from "../../src/base/log.ts";
import { hostTag, uuidOf } from "../../src/mail/id.ts";
import { createJournaling } from "../../src/roles/journaling.ts";
import { createLogLevelDesk } from "../../src/roles/logLevelDesk.ts";

const NOW = Date.parse("2026-11-23T03:00:00.000Z");
const tag = hostTag(new Uint8Array(8).fill(7));
const levels = (general: LogLevels["general"]): LogLevels => ({ general, areas: {} });

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "postrider-journaling-"));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

function stage() {
  const lines: string[] = [];
  const timers: (() => void)[] = [];
  const clock = {
    now: () => NOW,
    after(_: number, run: () => void) {
      timers.push(run);
      return { cancel: () => void timers.splice(timers.indexOf(run), 1) };
    },
  };
  let turns = 0;
  const journaling = createJournaling({
    ...{ clock, levels: levels("info") },
    write: (level, event, fields) => void lines.push(`${level} ${event} ${JSON.stringify(fields)}`),
    turning: () => void turns++,
  });
  return { ...journaling, lines, timers, clock, turns: () => turns };
}

const all = { events: [], limit: 100 };

test("a message has its id outside, and only what concerns the daemon is kept", async () => {
  const { open, log, hear, read, lines, close } = stage();
  log("error", "store.damaged", { text: "early" });
  expect(open(dataDir, tag)).toEqual({ after: "first", aliveAt: null });
  hear("error", "queue.body_missing", { message: 4096 });
  hear("info", "mail.bounced", { email_id: "x" });
  expect(lines).toContain(`error queue.body_missing {"email_id":"${uuidOf(4096, tag)}"}`);
  expect((await read(all)).data.map(({ event }) => event)).toEqual([
    "store.damaged",
    "queue.body_missing",
  ]);
  close();
});

test("a key that is told again and again does not push the others out of the journal", async () => {
  const { open, hear, read, close } = stage();
  open(dataDir, tag);
  for (let i = 0; i < 1000; i++) hear("info", "queue.site_paused", { site: `s${i}` });
  hear("error", "uplink.down", {});
  const { data } = await read(all);
  expect(data.filter(({ event }) => event === "queue.site_paused")).toHaveLength(30);
  expect(data.at(-1)).toMatchObject({ event: "uplink.down" });
  close();
});

test("a line that says that mail stands still, or flows again, is told of first", () => {
  const { hear, turns } = stage();
  hear("error", "uplink.down", {});
  hear("info", "mail.bounced", {});
  hear("info", "uplink.up", {});
  expect(turns()).toBe(2);
});

test("a folder that cannot be written does not keep the daemon from beginning", async () => {
  const { open, read, lines, close } = stage();
  expect(open(join(dataDir, "nowhere"), tag)).toEqual({ after: "first", aliveAt: null });
  expect(lines[0]).toContain("daemon.journal_closed");
  expect((await read(all)).data).toEqual([]);
  close();
});

test("another level holds for a while, and a reload ends it", () => {
  const { clock, timers } = stage();
  const applied: string[] = [];
  const desk = createLogLevelDesk({
    ...{ clock, levels: levels("info"), log: () => {} },
    apply: ({ general }) => void applied.push(general),
    configured: ({ general }) => void applied.push(`configured ${general}`),
  });
  expect(desk.set(levels("debug"), 60_000)).toEqual({
    ...{ object: "log_level", level: "debug", until: "2026-11-23T03:01:00.000Z" },
  });
  timers.shift()?.();
  expect(desk.view()).toEqual({ object: "log_level", level: "info", until: null });
  desk.set(levels("debug"), 60_000);
  desk.configure(levels("warn"));
  expect(timers).toHaveLength(0);
  expect(desk.view()).toEqual({ object: "log_level", level: "warn", until: null });
  expect(applied).toEqual(["debug", "info", "debug", "configured warn"]);
});
