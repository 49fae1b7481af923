// The journal: what it keeps, how it is asked, and what a crash leaves of it.
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JournalFilter } from "../../src/mail/journal.ts";
import { JOURNAL_FILE, openJournal } from "../../src/report/journal.ts";
import { createTraffic } from "../../src/report/traffic.ts";
import type { LogFields } from "../../src/base/log.ts";
import { createLogOut } from "../../src/report/logOut.ts";

const NOW = Date.parse("2026-11-23T03:00:00.000Z");
const all: JournalFilter = { events: [], limit: 1000 };

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "postrider-journal-"));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

function clockAt(now: number) {
  return { now: () => now, after: () => ({ cancel: () => {} }) };
}

const open = (fileMaxBytes?: number) =>
  openJournal({
    dataDir,
    clock: clockAt(NOW),
    ...(fileMaxBytes === undefined ? {} : { fileMaxBytes }),
  });

function line(minute: number, event: string, more: object = {}): string {
  const time = new Date(NOW + minute * 60_000).toISOString();
  return `${JSON.stringify({ time, level: "info", event, ...more })}\n`;
}

const path = (): string => join(dataDir, JOURNAL_FILE);

describe("the journal", () => {
  test("gives back what it was told, between two instants and by key or area", async () => {
    const journal = open();
    journal.add(line(0, "daemon.started"));
    journal.add(line(1, "uplink.down", { text: "no resolver answers" }));
    journal.add(line(2, "uplink.up"));
    journal.add(line(3, "queue.order"));
    const events = async (filter: Partial<JournalFilter>): Promise<string[]> =>
      (await journal.read({ ...all, ...filter })).data.map(({ event }) => event);
    expect(await events({})).toHaveLength(4);
    expect(await events({ events: ["uplink"] })).toEqual(["uplink.down", "uplink.up"]);
    expect(await events({ events: ["queue.order", "uplink.up"] })).toEqual([
      "uplink.up",
      "queue.order",
    ]);
    expect(await events({ since: NOW + 60_000, until: NOW + 120_000 })).toEqual(["uplink.down"]);
    // The first ones since then, or the last ones of all.
    expect(await events({ since: NOW, limit: 1 })).toEqual(["daemon.started"]);
    expect(await journal.read({ ...all, limit: 1 })).toMatchObject({
      has_more: true,
      data: [{ event: "queue.order" }],
    });
    journal.close();
  });

  test("takes two files of a fixed size, and begins the older one anew", async () => {
    const journal = open(2000);
    for (let i = 0; i < 200; i++) journal.add(line(i, "daemon.traffic", { n: i }));
    const { data } = await journal.read(all);
    expect(data.at(-1)).toMatchObject({ n: 199 });
    expect(data.length).toBeGreaterThan(15);
    expect(data.length).toBeLessThan(60);
    const numbers = data.map((one) => Number(one["n"]));
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    journal.close();
    expect(statSync(path()).mode & 0o777).toBe(0o600);
  });

  test("a file that somebody removed, or that cannot be turned, stops nobody and does not grow without end", async () => {
    const journal = open(2000);
    const told = (): void => {
      for (let i = 0; i < 200; i++) journal.add(line(i, "daemon.traffic", { n: i }));
    };
    rmSync(path());
    told();
    expect((await journal.read(all)).data.at(-1)).toMatchObject({ n: 199 });
    rmSync(join(dataDir, "journal.1.jsonl"), { force: true });
    mkdirSync(join(dataDir, "journal.1.jsonl"));
    told();
    expect(statSync(path()).size).toBeLessThan(5000);
    rmSync(dataDir, { recursive: true });
    told();
    mkdirSync(dataDir);
    told();
    expect((await journal.read(all)).data.at(-1)).toMatchObject({ n: 199 });
    journal.close();
  });

  test("tells how the process before it ended, and when it was last alive", () => {
    const first = open();
    expect(first.before).toEqual({ after: "first", aliveAt: null });
    first.add(line(0, "daemon.started"));
    first.close();
    utimesSync(path(), new Date(NOW + 90_000), new Date(NOW + 90_000));
    const second = open();
    expect(second.before).toEqual({ after: "crash", aliveAt: NOW + 90_000 });
    second.add(line(2, "daemon.stopped"));
    second.close();
    const third = open();
    expect(third.before.after).toBe("stop");
    third.close();
  });

  test("a folder that is gone costs lines and nothing else", async () => {
    const journal = open(100);
    journal.add(line(0, "daemon.started", { text: "x".repeat(200) }));
    rmSync(dataDir, { recursive: true });
    journal.add(line(1, "uplink.down"));
    expect((await journal.read(all)).data).toEqual([]);
    journal.close();
  });

  test("what a power cut tore off, or somebody wrote into it, spoils no other line", async () => {
    writeFileSync(
      path(),
      `${line(0, "daemon.started")}null\n[1]\nnot json\n{"time":5}\n{"time":"2026-`,
    );
    const journal = open();
    journal.add(line(1, "uplink.down"));
    expect((await journal.read(all)).data.map(({ event }) => event)).toEqual([
      "daemon.started",
      "uplink.down",
    ]);
    journal.close();
    appendFileSync(path(), "");
    expect(readFileSync(path(), "utf8").endsWith("\n")).toBe(true);
  });
});

describe("traffic", () => {
  function trafficStage() {
    const lines: LogFields[] = [];
    const timers: (() => void)[] = [];
    let mono = 0;
    const traffic = createTraffic({
      clock: {
        monotonicMs: () => mono,
        after(_, run) {
          timers.push(run);
          return { cancel: () => void timers.splice(timers.indexOf(run), 1) };
        },
      },
      log: (_level, _event, fields = {}) => void lines.push(fields),
      on: true,
    });
    const pass = (ms: number): void => {
      mono += ms;
      timers.shift()?.();
    };
    return { traffic, lines, pass };
  }
  const counter = (name: string, labels: Record<string, string>, delta: number) => {
    return { kind: "counter", name, labels, delta } as const;
  };

  test("is told now and then, with what came, went and waits", () => {
    const { traffic, lines, pass } = trafficStage();
    traffic.hear([
      counter("postrider_messages_accepted_total", { door: "http" }, 5),
      counter("postrider_messages_accepted_total", { door: "smtp" }, 2),
      counter("postrider_recipients_total", { result: "delivered" }, 4),
      counter("postrider_recipients_total", { result: "canceled" }, 1),
      counter("postrider_attempts_total", { site: "a", result: "deferred", class: "rate" }, 3),
      {
        kind: "gauge",
        name: "postrider_queue_recipients",
        labels: { state: "deferred", priority: "p1" },
        value: 3,
      },
      {
        kind: "gauge",
        name: "postrider_queue_oldest_age_seconds",
        labels: { priority: "p1" },
        value: 61.2,
      },
    ]);
    pass(300_000);
    expect(lines).toEqual([
      {
        ...{
          for_s: 300,
          accepted: 7,
          delivered: 4,
          deferred: 3,
          bounced: 0,
          expired: 0,
          refused: 0,
        },
        ...{ waiting: 3, oldest_s: 61 },
      },
    ]);
    traffic.close();
    expect(lines).toHaveLength(2);
  });

  test("who counts nothing does not tell that nothing went", () => {
    const { traffic, lines, pass } = trafficStage();
    const waits = (value: number) => {
      const labels = { state: "queued", priority: "p1" };
      return { kind: "gauge", name: "postrider_queue_recipients", labels, value } as const;
    };
    traffic.hear([counter("postrider_recipients_total", { result: "delivered" }, 4), waits(60)]);
    traffic.turn(false);
    expect(lines).toMatchObject([{ delivered: 4, waiting: 60 }]);
    traffic.hear([waits(50)]);
    traffic.split();
    pass(300_000);
    expect(traffic.soFar()).toBeNull();
    expect(lines).toHaveLength(1);
    traffic.turn(true);
    expect(traffic.soFar()).toMatchObject({ for_s: 0, delivered: 0, waiting: 50 });
    traffic.close();
  });

  test("an idle daemon says nothing, and a turn of things is told apart", () => {
    const { traffic, lines, pass } = trafficStage();
    pass(300_000);
    expect(lines).toEqual([]);
    traffic.hear([counter("postrider_recipients_total", { result: "delivered" }, 4)]);
    traffic.split();
    traffic.hear([counter("postrider_recipients_total", { result: "bounced" }, 1)]);
    expect(traffic.soFar()).toMatchObject({ delivered: 0, bounced: 1 });
    traffic.close();
    expect(lines.map(({ delivered, bounced }) => [delivered, bounced])).toEqual([
      [4, 0],
      [0, 1],
    ]);
  });
});

describe("the way out of the log", () => {
  test("a reader that stands still costs lines beyond a bound, which are counted once it reads again", () => {
    const sent: (() => void)[] = [];
    const lost: number[] = [];
    const out = createLogOut({
      send: (_, done) => void sent.push(done),
      lost: (lines) => void lost.push(lines),
      waitingMaxBytes: 1000,
    });
    for (let i = 0; i < 50; i++) out.write("x".repeat(100));
    expect(sent).toHaveLength(10);
    sent.slice(0, 4).forEach((done) => done());
    expect(lost).toEqual([]);
    sent.slice(4).forEach((done) => done());
    expect(lost).toEqual([40]);
    out.write("and on");
    expect(sent).toHaveLength(11);
  });

  test("its end is waited for, but not for ever", async () => {
    const sent: (() => void)[] = [];
    const out = createLogOut({ send: (_, done) => void sent.push(done), lost: () => {} });
    const never = { after: () => ({ cancel: () => {} }) };
    const soon = {
      after(_: number, run: () => void) {
        run();
        return { cancel: () => {} };
      },
    };
    expect(await out.drained(never, 1000)).toBe(true);
    out.write("the last line");
    expect(await out.drained(soon, 1000)).toBe(false);
    const drained = out.drained(never, 1000);
    sent[0]?.();
    expect(await drained).toBe(true);
  });

  test("one line that is larger than the bound goes out alone", () => {
    const sent: string[] = [];
    const out = createLogOut({
      send: (line) => void sent.push(line),
      lost: () => {},
      waitingMaxBytes: 10,
    });
    out.write("x".repeat(100));
    out.write("y");
    expect(sent).toHaveLength(1);
  });
});
