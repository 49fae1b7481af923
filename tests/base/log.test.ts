// Levels by area, and bursts that are cut: both pure, with a clock of their own.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  createLogGate,
  createMakingGate,
  type LogFields,
  type LogLevel,
  logLevels,
  parseLogLevels,
  showLogLevels,
} from "../../src/base/log.ts";
import { limitLog } from "../../src/base/logLimit.ts";
import { logAreas } from "../../src/base/logTable.ts";

describe("levels", () => {
  test("one for all, and others for single areas", () => {
    expect(parseLogLevels("warn")).toEqual({ general: "warn", areas: {} });
    expect(parseLogLevels("info, mail=debug,uplink=warn")).toEqual({
      general: "info",
      areas: { mail: "debug", uplink: "warn" },
    });
    expect(parseLogLevels("mail=debug")).toEqual({ general: "info", areas: { mail: "debug" } });
  });

  test.each([
    "",
    "loud",
    "info,warn",
    "info,nowhere=debug",
    "mail=loud",
    "mail=debug,mail=info",
    "a=b=c",
  ])("%p is refused", (text) => {
    expect(parseLogLevels(text)).toBeUndefined();
  });

  test("what is shown is read as the same", () => {
    const level = fc.constantFrom(...logLevels);
    const areas = fc.dictionary(fc.constantFrom(...logAreas), level, { noNullPrototype: true });
    fc.assert(
      fc.property(level, areas, (general, own) => {
        const levels = { general, areas: own };
        expect(parseLogLevels(showLogLevels(levels))).toEqual(levels);
      }),
      { numRuns: 100 },
    );
  });

  test("an area's own level goes before the general one", () => {
    const gate = createLogGate({ general: "warn", areas: { mail: "debug" } });
    expect(gate("debug", "mail.deferred")).toBe(true);
    expect(gate("info", "daemon.started")).toBe(false);
    expect(gate("error", "daemon.died")).toBe(true);
  });

  test("what is kept in the journal is made whatever the level", () => {
    const gate = createMakingGate({ general: "error", areas: {} });
    expect(gate("info", "uplink.up")).toBe(true);
    expect(gate("info", "mail.bounced")).toBe(false);
    expect(gate("debug", "mail.delivered")).toBe(false);
  });
});

type Line = readonly [LogLevel, string, LogFields | undefined];

function stage() {
  const lines: Line[] = [];
  const timers: (() => void)[] = [];
  const clock = {
    after(_: number, run: () => void) {
      timers.push(run);
      return { cancel: () => void timers.splice(timers.indexOf(run), 1) };
    },
  };
  const limited = limitLog((...line) => void lines.push(line as unknown as Line), clock);
  return { ...limited, lines, timers, passWindow: () => timers.shift()?.() };
}

describe("bursts", () => {
  test("the first lines of a kind are told, the others as the last one and a count", () => {
    const { log, lines, passWindow, timers } = stage();
    for (let i = 0; i < 1000; i++) log("info", "mail.bounced", { site: "a.example", n: i });
    expect(lines).toHaveLength(20);
    passWindow();
    expect(lines).toHaveLength(21);
    expect(lines.at(-1)?.[2]).toEqual({ site: "a.example", n: 999, more: 979 });
    // 20 told, the last one told too, 979 more.
    passWindow();
    expect(lines).toHaveLength(21);
    expect(timers).toHaveLength(0);
  });

  test("one line too many is told whole", () => {
    const { log, lines, flush } = stage();
    for (let i = 0; i < 21; i++) log("info", "mail.bounced", { n: i });
    flush();
    expect(lines.at(-1)?.[2]).toEqual({ n: 20 });
  });

  test("another site, or another event, is another kind", () => {
    const { log, lines } = stage();
    for (let i = 0; i < 100; i++) log("info", "mail.bounced", { site: "a.example" });
    log("info", "mail.bounced", { site: "b.example" });
    log("error", "uplink.down", {});
    expect(lines).toHaveLength(22);
  });

  test("the next window begins anew", () => {
    const { log, lines, passWindow } = stage();
    for (let i = 0; i < 30; i++) log("info", "mail.bounced", {});
    passWindow();
    for (let i = 0; i < 5; i++) log("info", "mail.bounced", {});
    expect(lines).toHaveLength(26);
  });

  test("whatever comes, lines and memory stay bounded, and none is lost from the count", () => {
    const { log, lines, flush } = stage();
    let made = 0;
    for (let i = 0; i < 50_000; i++) {
      log("info", "mail.bounced", { site: `s${i % 5000}` });
      made++;
    }
    flush();
    expect(lines.length).toBeLessThan(1200);
    const told = lines.reduce((sum, [, , fields]) => sum + 1 + Number(fields?.["more"] ?? 0), 0);
    expect(told).toBe(made);
  });

  test("who asks for debug gets more of it", () => {
    const { log, lines } = stage();
    for (let i = 0; i < 1000; i++) log("debug", "mail.deferred", {});
    expect(lines).toHaveLength(200);
  });
});
