// Log lines: stable for machines, readable for people, and safe with hostile text in them.
import { describe, expect, test } from "bun:test";
import { createLogWriter } from "../../src/report/log.ts";

function create(format: "json" | "pretty", level: "debug" | "info" | "warn" = "info") {
  const lines: string[] = [];
  const writer = createLogWriter({
    clock: { now: () => 1_700_000_000_123 },
    levels: { general: level, areas: {} },
    format,
    color: false,
    write: (line) => void lines.push(line),
  });
  return { ...writer, lines };
}

test("a JSON line holds time, level and event first, then the fields", () => {
  const { log, lines } = create("json");
  log("warn", "queue.disk_low", { free: 12, volume: "/var" });
  expect(lines).toEqual([
    '{"time":"2023-11-14T22:13:20.123Z","level":"warn","event":"queue.disk_low","free":12,"volume":"/var"}\n',
  ]);
});

test("lines below the level are dropped", () => {
  const { log, lines } = create("json", "warn");
  log("info", "a.b");
  log("warn", "c.d");
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain('"event":"c.d"');
});

describe("hostile text", () => {
  const hostile = "550 \u2028no\r\n\u001b[31mred\u009b2J\u202egnp.exe\u0000\ud800";

  test.each(["json", "pretty"] as const)(
    "stays one %s line without control characters",
    (format) => {
      const { log, lines } = create(format);
      log("info", "deliver.refused", { text: hostile });
      expect(lines[0]).toMatch(/^[\x20-\x7e\ufffd]+\n$/);
    },
  );

  test("comes back from a JSON line as it was, but for half a surrogate pair", () => {
    const { log, lines } = create("json");
    log("info", "deliver.refused", { text: hostile });
    const line = JSON.parse(lines[0] ?? "") as { text: string };
    expect(line.text).toBe(hostile.toWellFormed());
  });

  test("a field cannot take the place of the level, and a long text is cut", () => {
    const { log, lines } = create("json");
    log("info", "a.b", { level: "error", text: "x".repeat(100_000) });
    const line = JSON.parse(lines[0] ?? "") as { level: string; level_: string; text: string };
    expect([line.level, line.level_]).toEqual(["info", "error"]);
    expect(line.text.length).toBeLessThan(2100);
  });
});

test("a pretty line shows the clock, the level, the event and its fields", () => {
  const { log, lines } = create("pretty");
  log("info", "door.listening", { url: "http://127.0.0.1:8250", note: "two words" });
  expect(lines).toEqual([
    '22:13:20.123 info  door.listening     url=http://127.0.0.1:8250 note="two words"\n',
  ]);
});

test("on a terminal the level is coloured, and the text of the line is the same", () => {
  const lines: string[] = [];
  const { log } = createLogWriter({
    clock: { now: () => 0 },
    levels: { general: "info", areas: {} },
    format: "pretty",
    color: true,
    write: (line) => void lines.push(line),
  });
  log("error", "queue.failed", { text: "x" });
  expect(lines[0]).toContain("\x1b[31merror\x1b[0m");
  expect(lines[0]?.replace(/\x1b\[\d+m/g, "")).toBe(
    "00:00:00.000 error queue.failed       text=x\n",
  );
});

test("durations and sizes are written as people say them, and what is empty is left out", () => {
  const { log, lines } = create("pretty");
  log("info", "uplink.up", {
    held_s: 4210,
    by_ms: 12,
    free_bytes: 1_500_000_000,
    rule: "",
    why: null,
  });
  expect(lines[0]).toContain("held_s=1h 10m by_ms=12ms free_bytes=1.5GB\n");
  log("info", "mail.bounced", { site: "a.example", more: 12 });
  expect(lines[1]).toContain("site=a.example (12 more like it)\n");
});

test("a text of a megabyte, half a surrogate pair where it is cut, is one short line", () => {
  for (const format of ["json", "pretty"] as const) {
    const { log, lines } = create(format);
    log("info", "door.refused", { text: `x${"\u{1f600}".repeat(250_000)}\u2029` });
    expect(lines[0]?.length).toBeLessThan(2200);
    expect(lines[0]?.isWellFormed()).toBe(true);
    expect(lines[0]?.split("\n")).toHaveLength(2);
  }
});
