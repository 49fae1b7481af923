// The picture of `top` and its keys, without a terminal; with one it is run by tests/integration/top.test.ts.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import pc from "picocolors";
import { briefDuration, briefNumber, fitted, sparkline } from "../../src/commands/cells.ts";
import { changesOf, keysOf } from "../../src/commands/screen.ts";
import { frame, wholeFrame } from "../../src/commands/topFrame.ts";
import { afterKey, firstModel, sortedSites, type TopModel } from "../../src/commands/topModel.ts";
import { createBox, fakeDaemon } from "./setup.ts";
import { figures, NOW, site, slow } from "./topFixture.ts";

const colors = pc.createColors(false);
const model: TopModel = {
  ...firstModel("waiting"),
  data: { figures: figures(), sites: [slow, site("google.com"), site("", { concurrency: null })] },
};
const look = (columns = 80, rows = 24) => ({ size: { columns, rows }, now: NOW, colors });

test("a terminal of 80 by 24 is filled, and what is wrong stands in it", () => {
  expect(
    `\n${frame(model, look())
      .map((line) => line.trimEnd())
      .join("\n")}\n`,
  ).toMatchInlineSnapshot(`
    "
    postrider 0.1.0  mail.example.com  up 3d                           03:00:12Z  OK

    accepted    1,304/s               ▂▃▄▄▅▆▆▇██  p50 3ms  p99 12ms
    delivered   1,198/s               ██▁██▁██▁█  p50 41ms  p99 2.2s
    deferred      2.3/s               ██████████  bounced <0.1/s  refused 0/s
    queue 12.3k  queued 201  sending 100  deferred 12.0k  oldest p0 2.0s p1 1h p2 4d

    site             conn   works    wait oldest  msg/s       slowest  why
    (no route yet)     10       -  20.1k+     1h    401
    google.com         10    8/10  20.1k+     1h    401
    mx.example.org      1    1/10     300     1d            rcpt 9.9s  provider pau…








    mx.example.org: It rests since its provider asked for it (google.rate). Next at…
    paused by google.rate, until 03:10:00Z: It asked for less mail.
    last error 02:59:58Z mx1.example.org rcpt: 450 4.7.1 slow ?[31mdown?
    p50/p95 of rcpt 5.1s/9.9s  dot 20ms/31ms
    q quit  ? help  s sort: waiting  r reverse  up/down a site
    "
  `);
});

test("with nothing in it, in a wide terminal, and away from its daemon it says so", () => {
  const empty = { ...model, data: { figures: figures({ now: null, history: [] }), sites: [] } };
  expect(frame(empty, look()).join("\n")).toContain("nothing waits, and no connection is open");
  const wide = frame(model, look(160, 30)).join("\n");
  expect(wide).toContain("It rests since its provider asked for it");
  const away = frame({ ...model, away: "waiting for the daemon" }, look());
  expect(away[0]).toContain("AWAY");
  expect(away[1]).toContain("waiting for the daemon");
  expect(frame(firstModel("waiting"), look())[0]).toContain("asking the daemon");
});

test("the worst alert comes first, and a pause of an operator is not forgotten", () => {
  const { health } = figures();
  const alert = {
    code: "uplink_down",
    since: "",
    site: null,
    text: "It is down.",
    remedy: "Wait.",
  };
  const bad = { ...health, status: "bad" as const, alerts: [{ ...alert, level: "bad" as const }] };
  const withHealth = (next: typeof health) =>
    frame({ ...model, data: { figures: figures({ health: next }), sites: [] } }, look());
  expect(withHealth(bad)[1]).toContain("It is down. Wait.");
  expect(withHealth(bad)[0]).toContain("BAD");
  const paused = [{ kind: "domain" as const, name: "a.example", since: "" }];
  expect(withHealth({ ...health, paused })[1]).toContain("paused by an operator: a.example");
});

test("whatever is shown fits, and steers no terminal", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", maxLength: 60 }),
      fc.integer({ min: 40, max: 200 }),
      fc.integer({ min: 1, max: 60 }),
      (text, columns, rows) => {
        const hostile = site(text, { ...slow, site: text, reason: text, cause: "server_slow" });
        const many = Array.from({ length: 12 }, (_, i) => site(`s${i}`));
        const data = { figures: figures({ hostname: text }), sites: [hostile, ...many] };
        const lines = frame({ ...model, data, chosen: text }, look(columns, rows));
        expect(lines).toHaveLength(rows);
        for (const line of lines) {
          expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
          expect(Bun.stringWidth(line)).toBeLessThanOrEqual(columns + 1);
        }
      },
    ),
    { numRuns: 60 },
  );
});

describe("keys", () => {
  const press = (...keys: string[]): TopModel => {
    let now = model;
    for (const key of keys) {
      const next = afterKey(now, key);
      if (next === "quit") throw new Error("it ended");
      now = next;
    }
    return now;
  };

  test("q and Ctrl-C end it, also from the help", () => {
    for (const key of ["q", "\u0003"]) {
      expect(afterKey(model, key)).toBe("quit");
      expect(afterKey({ ...model, help: true }, key)).toBe("quit");
    }
  });

  test("each way to sort has its key, s goes through all of them, r turns them round", () => {
    const first = (shown: TopModel): string | undefined => sortedSites(shown)[0]?.site;
    expect(["w", "l", "o", "n"].map((key) => first(press(key)))).toEqual([
      "",
      slow.site,
      slow.site,
      "",
    ]);
    expect(first(press("n", "r"))).toBe(slow.site);
    expect(press(...Array.from({ length: 7 }, () => "s")).sort).toBe("waiting");
  });

  test("the bar goes down and up and stays on its site", () => {
    expect(press("j").chosen).toBe("");
    expect(press("j", "\u001b[B", "\u001bOB", "j").chosen).toBe(slow.site);
    expect(press("j", "j", "k").chosen).toBe("");
    expect(press("j", "j", "n").chosen).toBe("google.com");
    expect(press("j", "\u001b").chosen).toBeNull();
  });

  test("help shows every key and goes away with any", () => {
    const help = press("?");
    expect(frame(help, look()).join("\n")).toContain("sort by slowest");
    expect(afterKey(help, "x")).toEqual(model);
  });

  test("an arrow is one key, also in company", () => {
    expect(keysOf("q\u001b[A\u001bOBx\u001b")).toEqual([
      "q",
      "\u001b[A",
      "\u001bOB",
      "x",
      "\u001b",
    ]);
  });
});

test("only lines that differ are drawn anew", () => {
  expect(changesOf(["a", "b", "c"], ["a", "B", "c"])).toBe("\u001b[2;1HB\u001b[0m\u001b[K");
  expect(changesOf(["a"], ["a"])).toBe("");
  expect(changesOf(["a", "b"], ["a"])).toBe("\u001b[2;1H\u001b[0m\u001b[K");
});

test("numbers and durations keep to their cells", () => {
  expect([0, 0.01, 0.44, 9.96, 1234.4, 14_200, 123_456, 12_345_678].map(briefNumber)).toEqual([
    "0",
    "<0.1",
    "0.4",
    "10",
    "1,234",
    "14.2k",
    "123k",
    "12.3M",
  ]);
  expect([17, 4210, 65_000, 7_300_000, 9e8].map(briefDuration)).toEqual([
    "17ms",
    "4.2s",
    "1m",
    "2h",
    "10d",
  ]);
  expect(sparkline([0, 1, 2, 8], 6)).toBe("  ▁▂▃█");
  expect([
    fitted("ab", 4),
    fitted("ab", 4, "right"),
    fitted("abcdef", 4),
    fitted("日本語", 4),
  ]).toEqual(["ab  ", "  ab", "abc…", "日… "]);
});

describe("as text", () => {
  test("--once prints all sites, and --json what was asked", async () => {
    const sites = [slow, site("google.com")];
    await using daemon = fakeDaemon(({ path }) => ({
      body: path === "/figures" ? figures() : { object: "list", has_more: false, data: sites },
    }));
    const args = ["top", "--data-dir", daemon.dataDir];
    const { out, code } = await createBox().run([...args, "--once", "--sort", "slowest"]);
    expect(code).toBe(0);
    expect(out.indexOf("mx.example.org")).toBeLessThan(out.indexOf("google.com"));
    const json: unknown = JSON.parse((await createBox().run([...args, "--once", "--json"])).out);
    expect(json).toEqual({ figures: figures(), sites });
    expect((await createBox().run([...args, "--sort", "size"])).code).toBe(64);
    expect((await createBox().run([...args, "--every", "1ms"])).code).toBe(64);
  });

  test("without a daemon it ends with 69", async () => {
    expect((await createBox().run(["top", "--data-dir", "/nonexistent"])).code).toBe(69);
  });

  test("all of it fits where there is no bound", () => {
    expect(wholeFrame(model, look(200)).length).toBeGreaterThan(8);
  });
});
