// The commands around the journal, the log and live dialogues, against a small server that answers from a table.
import { describe, expect, test } from "bun:test";
import { gathered } from "../../src/commands/journal.ts";
import { parseWhen } from "../../src/commands/when.ts";
import type { JournalLine } from "../../src/mail/journal.ts";
import { createBox, fakeDaemon } from "./setup.ts";

const line = (time: string, event: string, more: object = {}): JournalLine => {
  return { time: `2026-11-23T${time}:00.000Z`, level: "info", event, ...more };
};
const traffic = (time: string, delivered: number, waiting: number): JournalLine =>
  line(time, "daemon.traffic", { for_s: 300, accepted: 5, delivered, waiting, oldest_s: 61 });

describe("instants", () => {
  const now = new Date(2026, 10, 23, 9, 30).getTime();
  const local = (...parts: [number, number, number, number, number]): number =>
    new Date(...parts).getTime();

  test.each([
    ["03:00", local(2026, 10, 23, 3, 0)],
    ["3:00", local(2026, 10, 23, 3, 0)],
    ["23:15:10", local(2026, 10, 22, 23, 15) + 10_000],
    ["2026-11-22 03:00", local(2026, 10, 22, 3, 0)],
    ["2026-11-22", local(2026, 10, 22, 0, 0)],
    ["2026-11-22T03:00:00Z", Date.parse("2026-11-22T03:00:00Z")],
    ["2h", now - 7_200_000],
  ])("%p is the last such moment", (text, at) => {
    expect(parseWhen(text, now)).toBe(at);
  });

  test.each(["", "yesterday", "24:00", "03:60", "2026-13-01", "03"])("%p is none", (text) => {
    expect(parseWhen(text, now)).toBeUndefined();
  });
});

describe("journal", () => {
  test("traffic that goes on as it was is added up; where it changes there is another line", () => {
    const lines = [
      ...[traffic("02:50", 5, 0), traffic("02:55", 5, 0)],
      line("03:00", "uplink.down"),
      ...[traffic("03:05", 0, 5), traffic("03:10", 0, 10), traffic("03:15", 10, 0)],
    ];
    expect(
      gathered(lines).map(({ time, event, ...rest }) => [time.slice(11, 16), event, rest["for_s"]]),
    ).toEqual([
      ["02:55", "daemon.traffic", 600],
      ["03:00", "uplink.down", undefined],
      ["03:10", "daemon.traffic", 600],
      ["03:15", "daemon.traffic", 300],
    ]);
  });

  test("the present is told as such", async () => {
    const now = { for_s: 0, accepted: 0, delivered: 0, waiting: 5, oldest_s: 61 };
    const data = [line("03:05", "daemon.traffic", now)];
    await using daemon = fakeDaemon(() => ({ body: { object: "list", has_more: false, data } }));
    const run = async (): Promise<string> =>
      (await createBox().run(["journal", "--data-dir", daemon.dataDir])).out.trim();
    expect(await run()).toEndWith("daemon.traffic     now: 5 wait, the oldest for 1m 1s");
    data[0] = line("03:05", "daemon.traffic", { ...now, accepted: 2, waiting: 0 });
    expect(await run()).toEndWith("now: 2 accepted, 0 delivered; nothing waits");
  });

  test("asks for the time that was meant, and prints a line each, or JSON as it was logged", async () => {
    const data = [
      traffic("03:05", 0, 5),
      line("03:06", "uplink.down", { text: "no\u001b[31m way" }),
    ];
    await using daemon = fakeDaemon(() => ({ body: { object: "list", has_more: true, data } }));
    const args = ["journal", "--data-dir", daemon.dataDir, "--since", "2026-11-23T03:00:00Z"];
    const { out, err } = await createBox().run([...args, "--event", "uplink"]);
    expect(daemon.seen[0]?.path).toBe(
      "/journal?since=2026-11-23T03%3A00%3A00.000Z&event=uplink&limit=200",
    );
    expect(out).toContain("in 5m: 5 accepted, 0 delivered; 5 wait, the oldest for 1m 1s");
    expect(out).toContain("2026-11-23 03:06:00Z info  uplink.down");
    expect(out).not.toContain("\u001b");
    expect(err).toContain("there is more behind it");
    const lines = (await createBox().run([...args, "--json"])).out.trim().split("\n");
    expect(lines.map((text) => JSON.parse(text) as unknown)).toEqual(data);
    expect((await createBox().run(["journal", "--since", "soon"])).code).toBe(64);
    expect((await createBox().run(["journal", "--data-dir", "/nonexistent"])).code).toBe(69);
  });
});

describe("log level", () => {
  test("shows and changes it, and refuses what is none before it asks", async () => {
    await using daemon = fakeDaemon(({ method }) => ({
      body: {
        object: "log_level",
        level: "warn",
        until: method === "POST" ? "2026-11-23T03:00:00.000Z" : null,
      },
    }));
    const run = (...words: string[]) =>
      createBox().run(["log", "level", ...words, "--data-dir", daemon.dataDir]);
    expect((await run()).out).toBe("warn\n");
    expect((await run("warn", "--for", "10m")).out).toBe("warn until 2026-11-23T03:00:00.000Z\n");
    expect(JSON.parse(daemon.seen[1]?.body ?? "")).toEqual({ level: "warn", for_seconds: 600 });
    expect((await run("loud")).code).toBe(64);
    expect((await run("warn", "--for", "soon")).code).toBe(64);
    expect(daemon.seen).toHaveLength(2);
  });
});

describe("trace", () => {
  const told = {
    at: Date.parse("2026-11-23T03:00:00.000Z"),
    session: "abcdef012345",
    host: "mx.a.example",
  };
  const said = { ...told, address: "192.0.2.1", who: "them", text: "250 ok \u001b[31m", ms: 12 };
  const explain = (waiting: number) => ({
    route: { result: "route", site: "mx.a.example", via: "mx", port: 25, fresh_until: null },
    hosts: [{ name: "mx.a.example" }],
    site: null,
    lines: [
      { site: "mx.a.example", waiting },
      { site: "", waiting: 7 },
    ],
  });
  const daemonWith = (waiting: number) =>
    fakeDaemon(({ path }) => {
      if (path.startsWith("/explain/")) return { body: explain(waiting) };
      if (path.startsWith("/emails/"))
        return { body: { recipients: [{ state: "delivered", next_attempt_at: null }] } };
      return {
        body: `: still here\n\ndata: ${JSON.stringify(said)}\n\nevent: missed\ndata: 3\n\n`,
      };
    });
  // Nobody presses a key.
  const untilStopped = () => new Promise<void>(() => {});

  test("of a domain without mail says so at once, and what is said then", async () => {
    await using daemon = daemonWith(0);
    const args = ["trace", "a.example", "--data-dir", daemon.dataDir];
    const { out, err, code } = await createBox().run(args, { untilStopped });
    expect(code).toBe(0);
    expect(err).toContain("nothing waits for a.example at this moment");
    expect(err).toContain("goes to site mx.a.example, by mx.a.example");
    expect(err).toContain("3 lines were missed");
    expect(err).toContain("the daemon ended the look");
    expect(out).toBe("03:00:00.000 abcdef mx.a.example < 250 ok ?[31m (12 ms)\n");
    const json = await createBox().run([...args, "--json"], { untilStopped });
    expect(JSON.parse(json.out)).toEqual(said);
  });

  test("of a domain with mail says how much, of a message that is over that it is", async () => {
    await using daemon = daemonWith(4);
    const dataDir = ["--data-dir", daemon.dataDir];
    const domain = await createBox().run(["trace", "a.example", ...dataDir], { untilStopped });
    expect(domain.err).toContain("4 recipients wait there");
    const id = "0199aa00-0000-7000-8000-000000000000";
    const message = await createBox().run(["trace", id, ...dataDir], { untilStopped });
    expect(message.err).toContain("every recipient of it is final");
    expect((await createBox().run(["trace", "a.example", "--for", "soon", ...dataDir])).code).toBe(
      64,
    );
  });
});
